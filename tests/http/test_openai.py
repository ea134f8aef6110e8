"""OpenAI's own client against `duet serve`: nothing but its base URL and its key is changed."""

import asyncio
import socket

import openai
import pytest
import srt
import webvtt
from openai.types.audio import (
    TranscriptionStreamEvent,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionTextSegmentEvent,
)
from openai.types.audio.transcription import UsageDuration

from tests.faults.fleet import runs
from tests.http.server import Server, audio

pytestmark = pytest.mark.xdist_group("http")
SAID = "Window 0. Window 1. Window 2."


@pytest.fixture
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none is needed here", max_retries=0, timeout=60)


def test_json_is_what_was_said(client: openai.OpenAI) -> None:
    heard = client.audio.transcriptions.create(model="whisper-1", file=("a.mp3", audio()), language="en", prompt="Kew")

    assert heard.text.strip() == SAID
    assert isinstance(heard.usage, UsageDuration)
    assert heard.usage.seconds == 3.0


def test_text_is_streamed_while_it_is_transcribed(client: openai.OpenAI, server: Server) -> None:
    hold = server.fleet.stage.hold("whisper.live.1")
    events = client.audio.transcriptions.create(model="any", file=("live.mp3", audio()), stream=True)

    first = next(events)
    hold.unlink()
    rest = list(events)

    assert isinstance(first, TranscriptionTextDeltaEvent)
    assert first.delta == "Window 0."
    deltas, done = [first, *rest[:-1]], rest[-1]
    assert "".join(it.delta for it in deltas if isinstance(it, TranscriptionTextDeltaEvent)) == SAID
    assert len(deltas) == 3
    assert TranscriptionTextDoneEvent.model_validate(done.model_dump()).text == SAID


def test_an_asynchronous_client_streams_what_is_there_already(client: openai.OpenAI, server: Server) -> None:
    sound = audio()
    client.audio.transcriptions.create(model="any", file=("again.mp3", sound))

    async def heard() -> list[TranscriptionStreamEvent]:
        async with openai.AsyncOpenAI(base_url=client.base_url, api_key="none", max_retries=0, timeout=60) as other:
            file = ("again.mp3", sound)
            return [it async for it in await other.audio.transcriptions.create(model="any", file=file, stream=True)]

    events = asyncio.run(heard())

    assert [it.type for it in events] == ["transcript.text.delta"] * 3 + ["transcript.text.done"]


def test_segments_with_speakers_are_streamed_at_the_end(client: openai.OpenAI) -> None:
    *segments, done = client.audio.transcriptions.create(
        model="any", file=("j.mp3", audio()), response_format="diarized_json", stream=True
    )

    assert [TranscriptionTextSegmentEvent.model_validate(it.model_dump()).speaker for it in segments] == ["A", "B", "A"]
    assert isinstance(done, TranscriptionTextDoneEvent)


def test_a_failure_in_a_stream_is_its_last_event(client: openai.OpenAI, server: Server) -> None:
    kept = server.fleet.stage.die("whisper.unstreamed.0", "fail")

    with pytest.raises(openai.APIError, match="was told to fail"):
        list(client.audio.transcriptions.create(model="any", file=("unstreamed.mp3", audio()), stream=True))
    kept.unlink()


def test_the_list_has_the_model_and_other_names_are_not_found_but_accepted(client: openai.OpenAI) -> None:
    names = [it.id for it in client.models.list()]

    assert names == ["whisper-1", "whisper-base", "openai/whisper-base"]
    assert [client.models.retrieve(name).id for name in names] == names
    with pytest.raises(openai.NotFoundError, match="The model 'gpt-9' does not exist") as refused:
        client.models.retrieve("gpt-9")
    assert refused.value.code == "model_not_found"
    assert client.audio.transcriptions.create(model="gpt-9", file=("k.mp3", audio())).text == SAID


@pytest.mark.parametrize(
    "fields",
    [
        # As Open WebUI, n8n, LibreChat, Home Assistant, Obsidian Whisper and clients of faster-whisper-server send them
        {"model": "whisper-1", "language": "", "prompt": "", "temperature": "", "response_format": ""},
        {"model": "", "language": "auto", "temperature": "0.0", "stream": "false", "response_format": "JSON"},
        {"model": "Systran/faster-whisper-small", "language": "en-US", "hotwords": "Kew", "vad_filter": "true"},
        {"model": "x", "timestamp_granularities": '["word"]', "chunking_strategy": "auto", "include[]": "logprobs"},
        {"model": "x", "known_speaker_names[]": ["a", "b"], "known_speaker_references[]": "data:," + "x" * 200_000},
        {"model": "x", "prompt": "Sissinghurst, " * 9000, "temperature": "9"},
        {},
    ],
)
def test_the_forms_of_other_clients_are_understood(server: Server, fields: dict[str, str]) -> None:
    answer = server.http.post("/v1/audio/transcriptions", files={"audio_file": ("l.mp3", audio())}, data=fields)

    assert answer.status_code == 200, answer.text
    assert answer.json()["text"] == SAID


def test_forms_are_read_however_they_are_sent(server: Server) -> None:
    boundary = b"----- it's a boundary"
    body = b"\r\n".join([
        b"--" + boundary,
        b"Content-Disposition: form-data; name=\"file\"; filename*=UTF-8''%E8%AA%9E.mp3",
        b"",
        audio(),
        b"--" + boundary + b"--",
        b"",
    ])  # fmt: skip
    host, port = server.url.removeprefix("http://").split(":")
    head = [
        "POST /v1/audio/transcriptions HTTP/1.1",
        f"Host: {host}:{port}",
        f'Content-Type: multipart/form-data; boundary="{boundary.decode()}"',
        "Transfer-Encoding: chunked",
        "Expect: 100-continue",
        "Connection: close",
    ]
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        for place in range(0, len(body), 7):
            part = body[place : place + 7]
            connection.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 200")
    assert SAID.encode() in answer


def test_errors_below_v1_are_openais_and_nothing_else(server: Server) -> None:
    answers = [
        server.http.get("/v1/audio/transcriptions"),
        server.http.post("/v1/chat/completions", json={}),
        server.http.post("/v1/audio/transcriptions", json={"model": "x"}),
        server.http.post("/v1/audio/translations", files={"file": ("m.mp3", b"")}),
        server.http.get("/v1/models", headers={"Host": "rebound.example"}),
    ]

    assert [it.status_code for it in answers] == [405, 404, 422, 422, 401]
    for answer in answers:
        assert answer.headers["content-type"] == "application/json"
        assert set(answer.json()) == {"error"}
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert answer.json()["error"]["message"].endswith(".")
    assert answers[-1].json()["error"]["code"] == "invalid_api_key"


def test_verbose_json_has_segments_and_words(client: openai.OpenAI) -> None:
    heard = client.audio.transcriptions.create(
        model="whisper-1",
        file=("b.mp3", audio()),
        response_format="verbose_json",
        timestamp_granularities=["segment", "word"],
    )

    assert (heard.duration, heard.language) == (3.0, "en")
    assert [(it.start, it.end, it.text.strip()) for it in heard.segments or []] == [
        (0.0, 1.0, "Window 0."),
        (1.0, 2.0, "Window 1."),
        (2.0, 3.0, "Window 2."),
    ]
    assert heard.words == [], "these engines know no words"


def test_text_and_captions_are_text(client: openai.OpenAI) -> None:
    sound = audio()

    def heard(form: str) -> str:
        return str(client.audio.transcriptions.create(model="any", file=("c.mp3", sound), response_format=form))  # type: ignore[call-overload]

    assert heard("text").strip() == SAID
    assert [it.content for it in srt.parse(heard("srt"))] == [SAID]
    assert [it.text for it in webvtt.from_string(heard("vtt"))] == [SAID]


def test_diarized_json_has_who_said_what(client: openai.OpenAI) -> None:
    heard = client.audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize",
        file=("f.mp3", audio()),
        response_format="diarized_json",
        chunking_strategy="auto",
    )

    assert (heard.task, heard.duration, heard.text.strip()) == ("transcribe", 3.0, SAID)
    assert [(it.id, it.start, it.end, it.speaker, it.text) for it in heard.segments] == [
        ("seg_001", 0.0, 1.0, "A", "Window 0."),
        ("seg_002", 1.0, 2.0, "B", "Window 1."),
        ("seg_003", 2.0, 3.0, "A", "Window 2."),
    ]
    assert heard.segments[0].type == "transcript.text.segment"
    assert heard.usage is not None
    assert (heard.usage.type, heard.usage.seconds) == ("duration", 3.0)


def test_only_diarized_json_has_the_speakers_told_apart(client: openai.OpenAI, server: Server) -> None:
    answer = client.audio.transcriptions.with_raw_response.create(model="whisper-1", file=("g.mp3", audio()))

    job = server.http.get(answer.headers["location"]).json()
    assert job["options"]["speakers"] is False
    assert runs(server.fleet.stage, "speakers", "g") == []


def test_speakers_that_cannot_be_told_apart_are_an_error_with_the_reason(client: openai.OpenAI, server: Server) -> None:
    kept = server.fleet.stage.die("speakers.failing speakers.0", "fail")

    with pytest.raises(openai.UnprocessableEntityError, match="was told to fail"):
        client.audio.transcriptions.create(
            model="any", file=("failing speakers.mp3", audio()), response_format="diarized_json"
        )
    kept.unlink()


def test_without_a_diarizer_diarized_json_is_not_implemented_and_says_why(
    client: openai.OpenAI, server: Server
) -> None:
    off = server.fleet.stage.switch_off_speakers()

    with pytest.raises(openai.InternalServerError, match="switched off by the test") as refused:
        client.audio.transcriptions.create(model="any", file=("i.mp3", audio()), response_format="diarized_json")
    off.unlink()

    assert refused.value.status_code == 501


def test_a_translation_has_no_speakers(client: openai.OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="diarized_json is not for translations"):
        client.audio.translations.create(
            model="any",
            file=("h.mp3", audio()),
            response_format="diarized_json",  # type: ignore[call-overload]
        )


def test_a_translation_is_asked_for_as_one(client: openai.OpenAI, server: Server) -> None:
    answer = client.audio.translations.with_raw_response.create(model="whisper-1", file=("d.mp3", audio()))

    job = server.http.get(answer.headers["location"]).json()
    assert (job["options"]["task"], job["options"]["legs"]) == ("translate", ["whisper"])


def test_what_does_not_fit_is_an_error_of_its_kind(client: openai.OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="'Klingon' is not a language that") as refused:
        client.audio.transcriptions.create(model="whisper-1", file=("e.mp3", audio()), language="Klingon")
    assert (refused.value.type, refused.value.param) == ("invalid_request_error", "language")
    with pytest.raises(openai.APIStatusError, match="it is not audio but application/pdf"):
        client.audio.transcriptions.create(model="whisper-1", file=("e.pdf", b"%PDF-1.7 " + bytes(9000)))
