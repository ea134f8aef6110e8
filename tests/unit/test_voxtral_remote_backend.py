"""Voxtral on a server: what is sent and what is made of the answers, over real HTTP on this machine."""

import io
import json
import threading
import wave
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pipeline.errors import EngineError, TransientError
from pipeline.results.analysis import unread_flaws
from pipeline.settings import Settings
from pipeline.types import Chapter, Options
from tests.voxtral_server import ANSWERS, Reply, VoxtralServer, audio_of, running_server, shape_of, text_of
from tests.voxtral_server_shapes import chat as chatted
from tests.voxtral_sound import wav, with_pauses
from workers.voxtral import load_analyst
from workers.voxtral.analyst import VoxtralAnalyst
from workers.voxtral.server_client import Server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[VoxtralServer]:
    with running_server() as running:
        monkeypatch.setenv("DUET_VOXTRAL_URL", running.url)
        monkeypatch.setenv("DUET_VOXTRAL_KEY", "a-key")
        monkeypatch.setenv("DUET_VOXTRAL_BACKOFF_S", "0")
        yield running


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
    assert analysis.answers[0].answer == ANSWERS["Text"]["text"], "the parts' answers, merged"
    assert [quote.text for quote in analysis.answers[0].quotes] == ["Bread is life."] * 2
    assert analysis.translation == "Zwei Leute backen Brot."
    assert analysis.transcription == "Bread is life.\nBread is life."
    assert analysis.language == "en"
    assert not analysis.truncated


def test_chapters_are_titled(server: VoxtralServer, episode: Path) -> None:
    analysis = connect().analyze(episode, Options(), quiet)

    titled = connect().title_chapters(analysis, [(0.0, ["We bake."]), (95.5, ["We eat."])])

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


def test_a_sections_audio_is_in_the_servers_cache_before_its_other_questions_come(
    server: VoxtralServer, episode: Path
) -> None:
    answered: set[str] = set()
    too_early = threading.Event()
    both_sections = threading.Barrier(2, timeout=20)

    def notice(request: dict[str, Any]) -> None:
        if (audio := audio_of(request)) is None:
            return
        if shape_of(request) == "Overview":
            both_sections.wait()
            too_early.wait(0.3)
            answered.add(audio["data"])
        elif audio["data"] not in answered:
            too_early.set()

    server.instead = notice
    connect().analyze(episode, ASKED, quiet)

    assert len(answered) == 2
    assert not too_early.is_set()


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


def spelt(spell: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], Reply]:
    """A server that spells its right answers in its own way."""
    return lambda request: (200, chatted(spell(ANSWERS[shape_of(request)])))


SPELLINGS: dict[str, Callable[[dict[str, Any]], str]] = {
    "fenced": lambda it: f"```json\n{json.dumps(it, indent=2)}\n```",
    "prose around it": lambda it: f"Sure! Here is the {{JSON}}:\n{json.dumps(it)}\nDo you need more?",
    "thoughts before it": lambda it: f'<think>Perhaps {{"title": "Cake"}}?</think>\n\n{json.dumps(it)}',
    "a field more": lambda it: json.dumps(it | {"confidence": 0.9}),
    "a Python literal": repr,
    "a trailing comma": lambda it: json.dumps(it)[:-1] + ",}",
    "other case": lambda it: json.dumps({name.title(): value for name, value in it.items()}),
    "wrapped": lambda it: json.dumps([{"result": it}]),
    "a language by its name": lambda it: json.dumps(it | ({"language": "English"} if "language" in it else {})),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_answer_that_does_not_keep_to_the_schema_costs_nothing(
    server: VoxtralServer, episode: Path, spelling: str
) -> None:
    whole = connect().analyze(episode, ASKED, quiet)

    server.instead = spelt(SPELLINGS[spelling])

    assert connect().analyze(episode, ASKED, quiet) == whole


def test_long_texts_and_unknown_moods_cost_themselves_only(server: VoxtralServer, episode: Path) -> None:
    long = {"title": "bread " * 40, "sentiment": {"label": "ecstatic", "reason": "They sing."}}
    server.instead = spelt(lambda it: json.dumps({**it, **{name: long[name] for name in long if name in it}}))

    analysis = connect().analyze(episode, Options(), quiet)

    assert analysis.title == "bread " * 12 + "bread…"
    assert (analysis.sentiment, analysis.summary) == (None, "Two people bake bread.")
    assert analysis.key_points


class BadAbout:
    """A server that answers badly about the second section it hears."""

    def __init__(self, bad: Reply, times: int) -> None:
        self.bad, self.left = bad, times
        self.heard: list[str] = []
        self.asked: list[dict[str, Any]] = []

    def __call__(self, request: dict[str, Any]) -> Reply | None:
        if (audio := audio_of(request)) is None:
            return None
        if audio["data"] not in self.heard:
            self.heard.append(audio["data"])
        if self.heard.index(audio["data"]) != 1 or not self.left:
            return None
        self.left -= 1
        self.asked.append(request)
        return self.bad


FILTERED = chatted("")
FILTERED["choices"][0]["finish_reason"] = "content_filter"
BAD: dict[str, dict[str, Any]] = {
    "prose": chatted("I am sorry, but I cannot help with that."),
    "filtered": FILTERED,
    "no choices": chatted("") | {"choices": []},
    "no message": {"choices": [{"index": 0, "message": None, "finish_reason": "stop"}]},
    "no fields": chatted("{}"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_section_that_cannot_be_read_is_left_out_and_named(server: VoxtralServer, episode: Path, kind: str) -> None:
    server.instead = bad = BadAbout((200, BAD[kind]), 99)

    analysis = connect().analyze(episode, Options(questions=("Who sponsors this?",)), quiet)

    assert analysis.summary == "Two people bake bread."
    assert [quote.text for quote in analysis.quotes] == ["Bread is life."]
    assert analysis.answers[0].answer == "A mill."
    (unread,) = analysis.unread
    assert 20 <= unread.end_s - unread.start_s <= 30
    (flaw,) = unread_flaws(analysis)
    assert "that could not be read, so the analysis leaves that out" in flaw
    assert len(bad.asked) == 2 * 3, "each question once more"


def test_an_answer_that_cannot_be_read_is_asked_for_once_more_with_its_schema(
    server: VoxtralServer, episode: Path
) -> None:
    whole = connect().analyze(episode, Options(), quiet)
    server.instead = bad = BadAbout((200, BAD["prose"]), 1)
    before = len(server.chats)

    assert connect().analyze(episode, Options(), quiet) == whole

    assert len(bad.asked) == 1
    (again,) = [it for it in server.chats[before:] if "Its JSON schema: " in text_of(it)]
    assert again["temperature"] > 0
    assert shape_of(again) == shape_of(bad.asked[0])


def test_notes_whose_merge_cannot_be_read_are_put_together(server: VoxtralServer, episode: Path) -> None:
    server.instead = lambda request: (200, BAD["prose"]) if audio_of(request) is None else None

    analysis = connect().analyze(episode, ASKED, quiet)

    assert (analysis.title, analysis.summary) == ("Bread", "Two people bake bread.")
    assert [it.text for it in analysis.key_points] == ["Flour matters.", "Flour matters."]
    assert analysis.answers[0].answer == "A mill."
    assert analysis.translation is None
    assert analysis.truncated
    assert not analysis.unread


def test_sections_that_none_of_can_be_read_fail_in_one_sentence(server: VoxtralServer, episode: Path) -> None:
    server.instead = lambda request: (200, BAD["prose"])

    with pytest.raises(EngineError, match=r"^http\S* does not keep to the schema \('I am sorry[^\n]*json_schema\.$"):
        connect().analyze(episode, Options(), quiet)
    with pytest.raises(EngineError, match="does not keep to the schema"):
        connect().answer(episode, "Who sponsors this?", quiet, encodings=None)  # type: ignore[arg-type]
