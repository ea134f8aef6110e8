"""OpenAI's own client against `duet serve`: nothing but its base URL and its key is changed."""

import openai
import pytest
import srt
import webvtt

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
    with pytest.raises(openai.UnprocessableEntityError, match="language"):
        client.audio.transcriptions.create(model="whisper-1", file=("e.mp3", audio()), language="English")
    with pytest.raises(openai.APIStatusError, match="it is not audio but application/pdf"):
        client.audio.transcriptions.create(model="whisper-1", file=("e.pdf", b"%PDF-1.7 " + bytes(9000)))
