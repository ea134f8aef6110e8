"""The form of OpenAI's endpoint, as the clients of the world fill it in."""

from contextlib import suppress
from pathlib import Path

import pytest
from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.http.openai_form import MOST_PROMPT, OpenAIForm, TranscriptionForm, understood
from pipeline.types import Options
from pipeline.types.languages import LANGUAGES

NAMES = ["language", "stream", "response_format", "temperature", "prompt", "timestamp_granularities[]", "include[]"]
VALUES = [
    "",
    "null",
    "false",
    "0",
    "[]",
    '["word"]',
    "en",
    "english",
    "1e999",
    "json",
    "TRUE",
    '{"a": 1}',
    "\0",
    "é" * 99,
]
FORM = TranscriptionForm()


@pytest.mark.parametrize(
    "spelling", ["", "false", "False", "FALSE", "0", "no", "off", "null", "undefined", "None", "[]"]
)
def test_any_spelling_of_false_is_no_stream(spelling: str) -> None:
    assert understood({"stream": [spelling]}) == FORM


@pytest.mark.parametrize("spelling", ["true", "True", "1", "yes", "on", '"true"'])
def test_any_spelling_of_true_is_a_stream(spelling: str) -> None:
    assert understood({"stream": [spelling]}).stream


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"timestamp_granularities[]": ["word"]}, ["word"]),
        ({"timestamp_granularities[]": ["word", "segment"]}, ["word", "segment"]),
        ({"timestamp_granularities": ["word"]}, ["word"]),
        ({"timestamp_granularities": ["word,segment"]}, ["word", "segment"]),
        ({"timestamp_granularities": ["word, segment"]}, ["word", "segment"]),
        ({"timestamp_granularities": ['["word"]']}, ["word"]),
        ({"timestamp_granularities[]": ["['word', 'segment']"]}, ["word", "segment"]),
        ({"timestamp_granularities[0]": ["word"], "timestamp_granularities[1]": ["segment"]}, ["word", "segment"]),
        ({"timestamp_granularities": ["WORD"]}, ["word"]),
        ({"timestamp_granularities": ["words"]}, ["word"]),
        ({"timestamp_granularities": [""]}, []),
        ({"timestamp_granularities[]": ["[]"]}, []),
        ({}, []),
    ],
)
def test_granularities_are_understood_however_a_list_is_written(fields: dict[str, list[str]], found: list[str]) -> None:
    assert understood(dict(fields)).timestamp_granularities == found


@pytest.mark.parametrize(
    ("given_", "code"),
    [("", None), ("auto", None), ("null", None), ("EN", "en"), ("en-US", "en"), ("english", "en"), ("deu", "de")],
)
def test_a_language_is_understood_or_detected(given_: str, code: str | None) -> None:
    assert understood({"language": [given_]}).language == code


def test_possible_languages_are_detected_and_a_single_one_is_the_language() -> None:
    assert understood({"languages[]": ["de", "en"]}).language is None
    assert understood({"languages[]": ["de"]}).language == "de"


@pytest.mark.parametrize(
    ("given_", "form"), [("", "json"), ("VERBOSE_JSON", "verbose_json"), (" srt ", "srt"), ('"vtt"', "vtt")]
)
def test_a_format_is_understood_in_any_case(given_: str, form: str) -> None:
    assert understood({"response_format": [given_]}).response_format == form


def test_what_means_nothing_here_is_ignored_and_of_two_values_the_last_counts() -> None:
    form = understood({
        "temperature": ["7"],
        "chunking_strategy[type]": ["server_vad"],
        "include[]": ["logprobs"],
        "known_speaker_names[]": ["Ada"],
        "vad_filter": ["perhaps"],
        "response_format": ["json", "text", ""],
    })  # fmt: skip

    assert form == TranscriptionForm(response_format="text", temperature="7")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"language": ["Klingon"]}, "language"),
        ({"stream": ["perhaps"]}, "stream"),
        ({"response_format": ["xml"]}, "response_format"),
        ({"timestamp_granularities": ["letter"]}, "timestamp_granularities[]"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_name(fields: dict[str, list[str]], place: str) -> None:
    with pytest.raises(RequestValidationError) as refused:
        understood(fields)

    assert refused.value.errors()[0]["loc"][:2] == ("body", place)


def test_a_short_prompt_is_told_as_it_is_with_the_other_terms() -> None:
    form = understood({"prompt": ["Kew, Sissinghurst"], "hotwords": ["Ada, Bob"], "keywords[]": ["Eve", "Mallory"]})

    assert form.vocabulary == ("Kew", "Sissinghurst", "Ada", "Bob", "Eve", "Mallory")


@pytest.mark.parametrize(
    "prompt", ["word " * 20000 + "the end", "語" * 5000 + " the end", "a, " * 9000 + "the end", "a," * 250 + "the end"]
)
def test_of_a_long_prompt_the_end_is_told(prompt: str) -> None:
    vocabulary = understood({"prompt": [prompt]}).vocabulary

    assert "the end" in (vocabulary[0][-7:], vocabulary[-1])
    assert sum(map(len, vocabulary)) <= MOST_PROMPT
    assert Options(vocabulary=vocabulary).vocabulary == vocabulary


def test_the_file_may_be_in_any_field_and_of_a_long_field_the_end_is_kept(tmp_path: Path) -> None:
    form = OpenAIForm(b"b", tmp_path)
    form.write(
        b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n' + b"x" * 90000 + b"the end"
        b'\r\n--b\r\nContent-Disposition: form-data; name="audio_file"; filename="ep.mp3"\r\n\r\nID3\x04 sound'
        b"\r\n--b--\r\n"
    )

    upload = form.finish()

    assert upload is not None
    assert upload.name == "ep.mp3"
    assert form.fields["prompt"][0].endswith("xthe end")
    assert len(form.fields["prompt"][0]) == 1 << 16


@given(
    st.dictionaries(
        st.sampled_from(NAMES) | st.text(max_size=20),
        st.lists(st.sampled_from(VALUES) | st.text(max_size=40), min_size=1, max_size=3),
        max_size=8,
    )
)
@settings(max_examples=300, deadline=None)
def test_any_fields_are_a_valid_request_or_refused(fields: dict[str, list[str]]) -> None:
    with suppress(RequestValidationError, HTTPException):
        form = understood(fields)
        assert form.language in {None, *LANGUAGES}
        Options(language=form.language, vocabulary=form.vocabulary)
