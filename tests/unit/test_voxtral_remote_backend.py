"""Voxtral on a server: what is sent and what is made of the answers, over real HTTP on this machine.

The server answers in the shapes that vLLM's and Mistral's documentation shows.
"""

import io
import json
import threading
import wave
from base64 import b64decode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pipeline.errors import EngineError, TransientError
from pipeline.settings import Settings
from pipeline.types import Chapter, Options
from tests.voxtral_sound import wav, with_pauses
from workers.voxtral import load_analyst
from workers.voxtral.analyst import VoxtralAnalyst
from workers.voxtral.server_client import Server

OVERVIEW = {
    "language": "en",
    "title": "Bread",
    "sentence": "It is about bread.",
    "summary": "Two people bake bread.",
    "topics": ["bread", "ovens"],
    "sentiment": {"label": "positive", "reason": "They laugh."},
}
DETAILS: dict[str, Any] = {
    "key_points": ["Flour matters."],
    "action_items": [{"text": "Buy flour.", "owner": "Ann"}],
    "people_and_organisations": [{"name": "Ann", "kind": "person", "role": "baker"}],
    "quotes": [{"text": "Bread is life.", "speaker": None}],
}
ANSWERS: dict[str, dict[str, Any]] = {
    "Overview": OVERVIEW,
    "Details": DETAILS,
    "Heading": {"title": "Bread, and why people bake it", "gist": "They bake."},
    "Told": {"answer": "A mill."},
    "Text": {"text": "Zwei Leute backen Brot."},
}


class VoxtralServer(ThreadingHTTPServer):
    """Answers like vLLM; what it is told to do first lies in `turns`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.models = ["mistralai/Voxtral-Mini-3B-2507"]
        self.turns: list[tuple[int, dict[str, str]]] = []
        """Status and headers of the next answers to POST, before it answers as it should."""
        self.cut_below_tokens = 0
        self.content: str | None = None
        self.chats: list[dict[str, Any]] = []
        self.forms: list[bytes] = []
        self.headers_seen: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: VoxtralServer

    def do_GET(self) -> None:
        self.answer(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in self.server.models]})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.headers_seen.append(dict(self.headers))
        if self.server.turns:
            status, headers = self.server.turns.pop(0)
            self.answer(status, {"error": {"message": "Not\nnow."}}, headers)
        elif self.path == "/v1/audio/transcriptions":
            self.server.forms.append(body)
            self.answer(200, {"text": " Bread is life. ", "usage": {"type": "duration", "seconds": 5}})
        elif self.path == "/v1/chat/completions":
            self.answer(200, self.chat(json.loads(body)))
        else:
            self.answer(404, {"detail": "Not Found"})

    def chat(self, request: dict[str, Any]) -> dict[str, Any]:
        self.server.chats.append(request)
        content = self.server.content or json.dumps(ANSWERS[request["response_format"]["json_schema"]["name"]])
        cut = request["max_tokens"] < self.server.cut_below_tokens
        message = {"role": "assistant", "content": content[: len(content) // 2] if cut else content}
        choice = {"index": 0, "message": message, "finish_reason": "length" if cut else "stop"}
        return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice]}

    def answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *_: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[VoxtralServer]:
    with VoxtralServer() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("DUET_VOXTRAL_URL", running.url)
        monkeypatch.setenv("DUET_VOXTRAL_KEY", "a-key")
        monkeypatch.setenv("DUET_VOXTRAL_BACKOFF_S", "0")
        yield running
        running.shutdown()
        thread.join()


def connect(**settings: Any) -> VoxtralAnalyst:
    analyst = load_analyst(Settings(device="cpu", voxtral_section_s=30.0, **settings))
    assert isinstance(analyst, VoxtralAnalyst)
    return analyst


@pytest.fixture
def episode(tmp_path: Path) -> Path:
    return wav(tmp_path / "episode.wav", with_pauses(50, every_s=5))


def quiet(done_s: float, total_s: float) -> None:
    """Progress that nobody looks at."""


ASKED = Options(questions=("Who sponsors this?",), translate_to="German", second_opinion="full", language="en")


def test_an_episode_is_analyzed(server: VoxtralServer, episode: Path) -> None:
    analysis = connect().analyze(episode, ASKED, quiet)
    assert analysis.model == "mistralai/Voxtral-Mini-3B-2507"
    assert analysis.summary == "Two people bake bread."
    assert analysis.sections == 2
    assert analysis.answers[0].answer == "A mill."
    assert analysis.translation == "Zwei Leute backen Brot."
    assert analysis.transcription == "Bread is life.\nBread is life."
    assert analysis.language == "en"
    assert not analysis.truncated


def test_chapters_are_titled(server: VoxtralServer, episode: Path) -> None:
    analysis = connect().analyze(episode, Options(), quiet)

    titled = connect().title_chapters(analysis, [(0.0, ["We bake."]), (95.5, ["We eat."])], Options())

    assert titled.chapters == (
        Chapter(start_s=0.0, title="Bread, and why people bake", gist="They bake."),
        Chapter(start_s=95.5, title="Bread, and why people bake", gist="They bake."),
    )
    assert titled.chapters_source == "voxtral"
    assert "We eat." in server.chats[-1]["messages"][0]["content"][0]["text"]
    assert titled.model_copy(update={"chapters": (), "chapters_source": None}) == analysis


def test_what_is_sent(server: VoxtralServer, episode: Path) -> None:
    connect().analyze(episode, ASKED, quiet)
    about_audio = [chat for chat in server.chats if chat["messages"][0]["content"][0]["type"] == "input_audio"]
    assert len(about_audio) == 2 * 3
    assert len(server.chats) == 2 * 3 + 3 + 1  # three reductions, one translation
    for chat in server.chats:
        assert chat["temperature"] == 0
        wanted = chat["response_format"]["json_schema"]
        jsonschema.validate(ANSWERS[wanted["name"]], wanted["schema"])
    audio = about_audio[0]["messages"][0]["content"][0]["input_audio"]
    assert audio["format"] == "wav"
    with wave.open(io.BytesIO(b64decode(audio["data"]))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        assert file.getnframes() <= 30 * 16_000
    assert len(server.forms) == 2
    assert b'name="language"\r\n\r\nen' in server.forms[0]
    assert b"RIFF" in server.forms[0]
    assert all(headers["Authorization"] == "Bearer a-key" for headers in server.headers_seen)


def test_a_cut_answer_is_asked_once_more_with_more_room(server: VoxtralServer, episode: Path) -> None:
    server.cut_below_tokens = 701
    assert not connect().analyze(episode, Options(), quiet).truncated
    rooms = [
        chat["max_tokens"] for chat in server.chats if chat["response_format"]["json_schema"]["name"] == "Overview"
    ]
    assert rooms.count(700) == rooms.count(1400) == 3
    server.cut_below_tokens = 100_000
    analysis = connect().analyze(episode, Options(), quiet)
    assert analysis.truncated
    assert analysis.language == "en"


def test_a_busy_server_is_asked_again(server: VoxtralServer, episode: Path) -> None:
    server.turns = [(429, {"Retry-After": "0"}), (503, {}), (502, {})]
    assert connect().analyze(episode, Options(), quiet).summary


def test_a_server_that_stays_busy_is_a_passing_trouble(server: VoxtralServer, episode: Path) -> None:
    server.turns = [(503, {})] * 50
    with pytest.raises(TransientError, match=r"busy \(503\): Not now\."):
        connect().analyze(episode, Options(), quiet)
    assert 4 <= 50 - len(server.turns) <= 2 * 4


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "DUET_VOXTRAL_KEY"),
        (413, "DUET_VOXTRAL_SECTION_S"),
        (400, r"refuses /chat/completions \(400\): Not now"),
    ],
)
def test_a_refusal_says_what_to_do(server: VoxtralServer, episode: Path, status: int, sentence: str) -> None:
    server.turns = [(status, {})] * 9
    with pytest.raises(EngineError, match=sentence):
        connect().analyze(episode, Options(), quiet)


def test_a_server_that_does_not_keep_to_the_schema(server: VoxtralServer, episode: Path) -> None:
    server.content = "Sure! Here is a summary:"
    with pytest.raises(EngineError, match="json_schema"):
        connect().analyze(episode, Options(), quiet)


def test_the_servers_only_model_is_taken_and_a_choice_needs_a_name(server: VoxtralServer) -> None:
    server.models = ["voxtral"]
    assert connect().model == "voxtral"
    server.models = ["voxtral-mini-latest", "voxtral-small-latest"]
    with pytest.raises(EngineError, match="voxtral-mini-latest"):
        connect()
    assert connect(voxtral_model="voxtral-small-latest").model == "voxtral-small-latest"


def test_a_server_that_is_not_there(server: VoxtralServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUET_VOXTRAL_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(EngineError, match="does not answer"):
        connect()
    monkeypatch.setenv("DUET_VOXTRAL_URL", "host:8000")
    with pytest.raises(EngineError, match="is no address"):
        connect()


def test_mistrals_own_api_is_told_apart() -> None:
    assert Server(Settings(voxtral_url="https://api.mistral.ai")).is_mistral
    assert not Server(Settings(voxtral_url="https://notmistral.ai/v1/")).is_mistral
    assert Server(Settings(voxtral_url="https://api.mistral.ai")).url == "https://api.mistral.ai/v1"
