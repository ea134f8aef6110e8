"""The contracts with the three servers that have Voxtral: vLLM, llama.cpp's and Mistral's API.

The answers have the shapes of their documentation and source (tests/voxtral_server_shapes.py); none was recorded from
a live server.
"""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.errors import CancelledError, EngineError, TransientError
from pipeline.settings import Settings
from pipeline.types import Options
from tests import voxtral_server_shapes as shapes
from tests.voxtral_server import OVERVIEW as OVERVIEW_ANSWER
from tests.voxtral_server import Reply, VoxtralServer, audio_of, running_server, shape_of, text_of
from tests.voxtral_sound import noise
from workers.voxtral.answer_schemas import AnswerSchema, Overview
from workers.voxtral.deadline import Deadline
from workers.voxtral.prompts import DETAILS, OVERVIEW, Note, Question, transcription
from workers.voxtral.remote_backend import RemoteBackend
from workers.voxtral.sections import Section

SECTION = Section(0.0, noise(2))
OPTIONS = Options(language="en", vocabulary=("Northwind", "Alder Creek, Design", "Northwind"))
SPOKEN = transcription(OPTIONS, 30)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[VoxtralServer]:
    with running_server() as running:
        monkeypatch.setenv("DUET_VOXTRAL_URL", running.url)
        monkeypatch.setenv("DUET_VOXTRAL_BACKOFF_S", "0")
        yield running


@pytest.fixture
def vllm(server: VoxtralServer) -> VoxtralServer:
    server.listing = shapes.VLLM_MODELS
    server.transcription = lambda form: (200, shapes.VLLM_TRANSCRIPTION)
    return server


@pytest.fixture
def llama(server: VoxtralServer) -> VoxtralServer:
    server.listing = shapes.LLAMA_MODELS
    server.transcription = lambda form: (200, shapes.LLAMA_TRANSCRIPTION)
    return server


@pytest.fixture
def mistral(server: VoxtralServer, monkeypatch: pytest.MonkeyPatch) -> VoxtralServer:
    """The server, under the name of Mistral's."""
    find = socket.getaddrinfo

    def find_here(host: Any, *rest: Any, **more: Any) -> Any:
        return find("127.0.0.1" if host == "api.mistral.ai" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", find_here)
    monkeypatch.setenv("DUET_VOXTRAL_URL", server.url.replace("127.0.0.1", "api.mistral.ai"))
    server.listing = shapes.MISTRAL_MODELS
    server.transcription = lambda form: (200, shapes.MISTRAL_TRANSCRIPTION)
    return server


def connect(**settings: Any) -> RemoteBackend:
    return RemoteBackend.connect(Settings(**settings))


def answers(backend: RemoteBackend, *questions: Question[AnswerSchema]) -> list[Note[AnswerSchema]]:
    found = {question: note for _, question, note in backend.ask_about([SECTION], questions, Deadline(60))}
    return [found[question] for question in questions]


def field(form: bytes, name: str) -> list[str]:
    parts = form.split(f'name="{name}"\r\n\r\n'.encode())[1:]
    return [part.split(b"\r\n--")[0].decode() for part in parts]


def test_vllm(vllm: VoxtralServer) -> None:
    backend = connect()

    overview, spoken = answers(backend, OVERVIEW, SPOKEN)

    assert backend.model == backend.transcription_model == "mistralai/Voxtral-Mini-3B-2507"
    assert overview.answer.model_dump()["title"] == "Bread"
    assert spoken.answer.model_dump() == {"text": "Bread is life."}
    assert audio_of(vllm.chats[0])["format"] == "wav"
    assert field(vllm.forms[0], "language") == ["en"]
    assert field(vllm.forms[0], "context_bias") == []


def test_a_model_of_vllm_that_does_not_transcribe_is_asked_for_the_words(vllm: VoxtralServer) -> None:
    vllm.transcription = lambda form: (400, shapes.VLLM_NO_TRANSCRIPTION)
    vllm.content = "Bread is life."

    (spoken,) = answers(connect(), SPOKEN)

    assert spoken.answer.model_dump() == {"text": "Bread is life."}


def test_llama_cpp(llama: VoxtralServer) -> None:
    backend = connect()

    overview, spoken = answers(backend, OVERVIEW, SPOKEN)

    assert backend.model == shapes.LLAMA_NAME
    assert overview.answer.model_dump()["title"] == "Bread"
    assert spoken.answer.model_dump() == {"text": "Bread is life."}


def test_llama_cpp_without_a_way_to_transcribe_is_asked_for_the_words(llama: VoxtralServer) -> None:
    llama.transcription = lambda form: (404, shapes.LLAMA_NO_ROUTE)
    llama.content = " Bread is life.\n"
    backend = connect()

    for _ in range(2):
        (spoken,) = answers(backend, SPOKEN)
        assert spoken.answer.model_dump() == {"text": "Bread is life."}

    assert len(llama.forms) == 1, "the server is known to have none"
    (asked, _) = llama.chats
    assert "response_format" not in asked
    assert audio_of(asked)["format"] == "wav"
    assert "language en" in text_of(asked)
    assert "Alder Creek" in text_of(asked)


def test_llama_cpp_that_loaded_no_audio_encoder(llama: VoxtralServer) -> None:
    llama.instead = lambda request: (500, shapes.LLAMA_NO_AUDIO)

    with pytest.raises(EngineError, match="--mmproj"):
        answers(connect(), OVERVIEW)


@pytest.mark.parametrize("refusal", [shapes.LLAMA_NO_GRAMMAR, shapes.VLLM_NO_SCHEMA])
def test_a_refused_schema_is_in_the_text_from_then_on(llama: VoxtralServer, refusal: dict[str, Any]) -> None:
    forms: list[str] = []

    def refuse(request: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        forms.append(request["response_format"]["type"])
        return (400, refusal) if forms[-1] == "json_schema" else None

    llama.instead = refuse
    backend = connect()

    overview, details = answers(backend, OVERVIEW, DETAILS)

    assert forms == ["json_schema", "json_object", "json_object"]
    assert overview.answer.model_dump()["title"] == "Bread"
    assert details.answer.model_dump()["key_points"] == ("Flour matters.",)


def test_a_server_that_knows_no_forms_is_asked_in_words(vllm: VoxtralServer) -> None:
    unknown = {"detail": [{"type": "extra_forbidden", "loc": ["body", "response_format"], "msg": "Not permitted"}]}
    vllm.instead = lambda request: (422, unknown) if "response_format" in request else None

    overview, _ = answers(connect(), OVERVIEW, DETAILS)

    assert overview.answer.model_dump()["title"] == "Bread"
    assert [shape_of(chat) for chat in vllm.chats] == ["Overview", "Details"]


def test_another_refusal_is_not_asked_again(vllm: VoxtralServer) -> None:
    asked: list[dict[str, Any]] = []

    def refuse(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        asked.append(request)
        return 400, {"error": {"message": "At most 1 audio(s) may be provided in one prompt.", "code": 400}}

    vllm.instead = refuse
    with pytest.raises(EngineError, match=r"refuses /chat/completions \(400\): At most 1 audio"):
        answers(connect(), OVERVIEW)
    assert len(asked) == 1


def test_mistral(mistral: VoxtralServer) -> None:
    backend = connect()

    overview, spoken = answers(backend, OVERVIEW, SPOKEN)

    assert backend.model == "voxtral-small-latest"
    assert overview.answer.model_dump()["title"] == "Bread"
    assert isinstance(audio_of(mistral.chats[0]), str), "the bare data"
    assert spoken.answer.model_dump() == {"text": "Bread is life."}
    assert field(mistral.forms[0], "model") == ["voxtral-mini-latest"]
    assert field(mistral.forms[0], "context_bias") == ["Northwind", "Alder_Creek_Design"]


def test_the_models_of_the_settings_are_taken_on_mistral(mistral: VoxtralServer) -> None:
    chosen = "voxtral-mini-transcribe-3-0"
    backend = connect(voxtral_model="voxtral-small-latest", voxtral_transcribe_model=chosen)

    answers(backend, SPOKEN)

    assert field(mistral.forms[0], "model") == [chosen]
    assert field(mistral.forms[0], "context_bias") == ["Northwind", "Alder Creek Design"]


def test_a_model_of_mistral_that_takes_no_vocabulary_transcribes_without(mistral: VoxtralServer) -> None:
    def refuse(form: bytes) -> tuple[int, dict[str, Any]]:
        refused = bool(field(form, "context_bias"))
        return (422, shapes.MISTRAL_NO_BIAS) if refused else (200, shapes.MISTRAL_TRANSCRIPTION)

    mistral.transcription = refuse
    backend = connect()

    for _ in range(2):
        (spoken,) = answers(backend, SPOKEN)
        assert spoken.answer.model_dump() == {"text": "Bread is life."}
    assert len(mistral.forms) == 3


def test_a_model_that_mistral_does_not_transcribe_with_is_an_error(mistral: VoxtralServer) -> None:
    mistral.transcription = lambda form: (400, shapes.MISTRAL_NO_MODEL)

    with pytest.raises(EngineError, match="Invalid model"):
        answers(connect(), SPOKEN)


@pytest.mark.parametrize(
    "name",
    [
        "voxtral-mini-2602",
        "voxtral-mini-transcribe-3-0",
        "voxtral-mini-transcribe-realtime-3-0",
        "voxtral-mini-tts-3-0",
    ],
)
def test_a_model_that_mistral_does_not_chat_with_is_refused(mistral: VoxtralServer, name: str) -> None:
    with pytest.raises(EngineError, match=r"DUET_VOXTRAL_MODEL to one that does \(voxtral-small-latest\), and DUET_V"):
        connect(voxtral_model=name)


def test_mistral_without_a_voxtral_to_chat_with(mistral: VoxtralServer) -> None:
    mistral.listing = {"data": [entry for entry in shapes.MISTRAL_MODELS["data"] if "small" not in entry["id"]]}

    with pytest.raises(
        EngineError, match=r"answers questions about audio; set DUET_VOXTRAL_MODEL .* \(its list has none"
    ):
        connect()


def test_a_model_that_does_not_transcribe_is_refused_as_one_that_does(mistral: VoxtralServer) -> None:
    with pytest.raises(EngineError, match=r"DUET_VOXTRAL_TRANSCRIBE_MODEL to one that does \(voxtral-mini-2602, vox"):
        connect(voxtral_transcribe_model="voxtral-small-latest")


@pytest.mark.parametrize(
    "name",
    [
        "mistralai/Voxtral-Mini-4B-Realtime-2602",
        "mistralai/Voxtral-4B-TTS-2603",
        "openai/whisper-large-v3",
        "voxtral-small-transcribe-3",
        "mistral-embed",
        "mistral-ocr-latest",
        "mistral-moderation-latest",
    ],
)
def test_a_server_whose_only_model_cannot_chat_by_its_name_is_refused(server: VoxtralServer, name: str) -> None:
    server.models = [name]
    with pytest.raises(
        EngineError, match=f"{name!r} of http://.* answers no questions about audio; set DUET_VOXTRAL_MO"
    ):
        connect()


def test_a_second_model_transcribes(server: VoxtralServer) -> None:
    server.models = ["voxtral", "voxtral-mini-transcribe"]

    answers(connect(voxtral_model="voxtral", voxtral_transcribe_model="voxtral-mini-transcribe"), SPOKEN)

    assert field(server.forms[0], "model") == ["voxtral-mini-transcribe"]
    with pytest.raises(EngineError, match=r"no model 'other' that transcribes files; .* \(voxtral, voxtral-mini"):
        connect(voxtral_model="voxtral", voxtral_transcribe_model="other")


def test_a_server_that_fails_for_a_while_is_a_passing_trouble(vllm: VoxtralServer) -> None:
    vllm.instead = lambda request: (
        503,
        {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
    )

    with pytest.raises(TransientError, match=r"busy \(503\): Loading model\."):
        answers(connect(), OVERVIEW)


def test_nothing_is_asked_after_the_deadline_or_of_a_cancelled_job(vllm: VoxtralServer) -> None:
    backend = connect()

    late = [note for _, _, note in backend.ask_about([SECTION], [OVERVIEW, SPOKEN], Deadline(-1))]

    assert [note.truncated for note in late] == [True, True]
    with pytest.raises(CancelledError):
        list(backend.ask_about([SECTION], [OVERVIEW, SPOKEN], Deadline(60, lambda: True)))
    assert not vllm.chats
    assert not vllm.forms


def streamed(content: str) -> bytes:
    """A chat answer as a stream of events that was not asked for."""
    parts = [{"role": "assistant", "content": ""}, {"content": content[:30]}, {"content": content[30:]}]
    chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": it, "finish_reason": None}]} for it in parts]
    chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, {"choices": []}]
    return "".join(f"data: {json.dumps(it)}\n\n" for it in chunks).encode() + b": a comment\n\ndata: [DONE]\n\n"


def message(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant"} | fields, "finish_reason": "stop"}]}


SAID = json.dumps(OVERVIEW_ANSWER)
REPLIES: dict[str, dict[str, Any] | bytes] = {
    "a stream": streamed(SAID),
    "parts": message(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"text": SAID}]),
    "reasoning alone": message(content=None, reasoning_content=SAID),
    "reasoning too": message(content=SAID, reasoning="I think."),
    "a function": message(content="", tool_calls=[{"function": {"name": "Overview", "arguments": SAID}}]),
    "a mark of the byte order": b"\xef\xbb\xbf" + json.dumps(message(content=SAID)).encode(),
    "a text": {"choices": [{"text": SAID, "finish_reason": "stop"}]},
    "no error": message(content=SAID) | {"error": None},
}


@pytest.mark.parametrize("kind", REPLIES)
def test_replies_of_other_shapes_are_read(vllm: VoxtralServer, kind: str) -> None:
    vllm.instead = lambda request: (200, REPLIES[kind])

    (overview,) = answers(connect(), OVERVIEW)

    assert overview == Note(Overview.model_validate(OVERVIEW_ANSWER))


UNSUPPORTED = "litellm.UnsupportedParamsError: together_ai does not support parameters: ['response_format']"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "'response_format.type' must be 'json_schema' or 'text'"}),
        (400, {"error": {"message": UNSUPPORTED, "code": "400"}}),
        (400, {"error": {"message": "Unrecognized request argument supplied: response_format"}}),
        (400, {"object": "error", "message": "Failed to compile json_schema grammar: xgrammar", "code": 400}),
        (500, {"error": {"message": "Failed to parse grammar", "code": 500, "type": "server_error"}}),
        (501, {"detail": "Structured output is not implemented"}),
        (422, {"detail": [{"loc": ["messages"], "input": "y" * 300}, {"loc": ["response_format"]}]}),
        (200, {"error": {"message": "This response_format type is unavailable now", "code": "invalid_request_error"}}),
        (200, {"error": {"message": "JSON mode is not supported", "code": 400}}),
    ],
)
def test_every_servers_refusal_of_a_form_is_understood(vllm: VoxtralServer, status: int, body: dict[str, Any]) -> None:
    vllm.instead = lambda request: (status, body) if "response_format" in request else None

    (overview,) = answers(connect(), OVERVIEW)

    assert overview.answer == Overview.model_validate(OVERVIEW_ANSWER)


PAGE = b"<html>\n<head><title>502 Bad Gateway</title><style>p {}</style></head><body><p>nginx</p></body></html>"


@pytest.mark.parametrize(
    ("reply", "error", "sentence"),
    [
        ((502, PAGE), TransientError, r"is busy \(502\): 502 Bad Gateway nginx\.$"),
        ((200, PAGE), EngineError, r"something else than JSON \(502 Bad Gateway nginx\); check DUET_VOXTRAL_URL\.$"),
        ((200, b""), EngineError, "something else than JSON"),
        ((200, b"[1]"), EngineError, "something else than JSON"),
        ((200, b"\xff\xfe"), EngineError, "something else than JSON"),
        ((200, {"object": "list"}), EngineError, "not as OpenAI's chat API does"),
        ((200, {"error": {"message": "Overloaded", "code": 503}}), TransientError, r"is busy \(503\)"),
        ((200, {"error": "No such model"}), EngineError, r"refuses /chat/completions \(400\): No such model\.$"),
        ((200, b'data: {"error": {"message": "No room", "code": 413}}\n\n'), EngineError, "DUET_VOXTRAL_SECTION_S"),
    ],
)
def test_other_replies_are_one_sentence(
    vllm: VoxtralServer, reply: Reply, error: type[Exception], sentence: str
) -> None:
    vllm.instead = lambda request: reply

    with pytest.raises(error, match=sentence) as caught:
        answers(connect(), OVERVIEW)

    assert "\n" not in str(caught.value)
    assert "<" not in str(caught.value)


@pytest.mark.parametrize("said", ["Bread\ud800 is\u0007 life.", [{"type": "text", "text": "Bread is life."}]])
def test_a_transcription_of_another_shape_is_read(vllm: VoxtralServer, said: object) -> None:
    vllm.transcription = lambda form: (200, {"text": said})

    (spoken,) = answers(connect(), SPOKEN)

    assert spoken.answer.model_dump() == {"text": "Bread is life."}
