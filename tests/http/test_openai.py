"""OpenAI's own client against `duet serve`: nothing but its base URL and its key is changed."""

import openai
import pytest
import srt
import webvtt

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


def test_a_translation_is_asked_for_as_one(client: openai.OpenAI, server: Server) -> None:
    answer = client.audio.translations.with_raw_response.create(model="whisper-1", file=("d.mp3", audio()))

    job = server.http.get(answer.headers["location"]).json()
    assert (job["options"]["task"], job["options"]["legs"]) == ("translate", ["whisper"])


def test_what_does_not_fit_is_an_error_of_its_kind(client: openai.OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="language"):
        client.audio.transcriptions.create(model="whisper-1", file=("e.mp3", audio()), language="English")
    with pytest.raises(openai.APIStatusError, match="it is not audio but application/pdf"):
        client.audio.transcriptions.create(model="whisper-1", file=("e.pdf", b"%PDF-1.7 " + bytes(9000)))
