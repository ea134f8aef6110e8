"""The languages that may be asked for, in the spellings in which the world writes them."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import PydanticCustomError
from whisper.tokenizer import LANGUAGES as WHISPERS
from whisper.tokenizer import TO_LANGUAGE_CODE

from pipeline.types import Options
from pipeline.types.ids import job_id
from pipeline.types.languages import ALIASES, LANGUAGES, whisper_code

EPISODE = "0123456789abcdef"


def test_the_table_is_whispers() -> None:
    assert list(LANGUAGES.items()) == list(WHISPERS.items())
    assert {name: code for code, name in LANGUAGES.items()} | ALIASES == TO_LANGUAGE_CODE


@pytest.mark.parametrize("code", LANGUAGES)
def test_each_code_and_each_name_is_itself_in_any_case_and_with_any_region(code: str) -> None:
    spellings = [code, code.upper(), f"{code}-XX", f"{code}_XX.UTF-8", LANGUAGES[code], LANGUAGES[code].title()]

    assert {whisper_code(it) for it in spellings} == {code}


@pytest.mark.parametrize(
    ("spellings", "code"),
    [
        ("en-US en_US en_GB.UTF-8 eng ENG <|en|> English", "en"),
        ("de-CH-1996 ger deu de_AT@euro gsw", "de"),
        ("nb nob nb-NO no-NO no-bok", "no"),
        ("nn nno nn_NO", "nn"),
        ("zh-Hant-TW zh-CN cmn zho chi cmn-Hans-CN", "zh"),
        ("yue yue-HK zh-yue", "yue"),
        ("arb ara ar-EG arz", "ar"),
        ("fil tgl tl fil-PH", "tl"),
        ("iw he heb", "he"),
        ("in id ind", "id"),
        ("ji yi yid", "yi"),
        ("jv jw jav", "jw"),
        ("sr-Latn srp sh", "sr"),
        ("pt_BR pt-PT por", "pt"),
        ("pes prs fa-AF fas per farsi", "fa"),
        ("zsm msa may", "ms"),
        ("mo ron rum ro-MD", "ro"),
    ],
)
def test_codes_and_tags_of_every_standard_are_understood(spellings: str, code: str) -> None:
    assert {it: whisper_code(it) for it in spellings.split()} == dict.fromkeys(spellings.split(), code)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Castilian", "es"),
        ("Brazilian Portuguese", "pt"),
        ("Chinese (Simplified)", "zh"),
        ("Haitian Creole", "ht"),
        ("haitian_creole", "ht"),
        ("Norwegian Bokma\u030al", "no"),
        ("Norwegian Nynorsk", "nn"),
        (" english ", "en"),
    ],
)
def test_names_are_understood_with_what_stands_beside_them(name: str, code: str) -> None:
    assert whisper_code(name) == code


@pytest.mark.parametrize(
    "word", ["", " ", "auto", "AUTO", "Auto Detect", "auto-detect", "detect", "und", "multi", "null"]
)
def test_what_asks_for_detection_is_no_language(word: str) -> None:
    assert whisper_code(word) is None
    assert Options(language=word) == Options()


@pytest.mark.parametrize("word", ["xx", "ga", "tlh", "Esperanto", "C", "zxx", "en,de", "🎙", "1", "english" * 99])
def test_another_is_refused_with_what_was_given_and_what_may_be(word: str) -> None:
    with pytest.raises(ValidationError, match="is not a language that Whisper knows") as refused:
        Options(language=word)

    message = refused.value.errors()[0]["msg"]
    assert message.startswith(repr(word[:40]))
    assert "af, am, ar" in message


def test_spellings_of_one_language_are_one_job_and_ids_are_what_they_were() -> None:
    ids = {job_id(EPISODE, Options(language=it), "file:///results") for it in ("en", "EN", "eng", "en-US", "English")}

    assert ids == {"0123456789abcdef-1ea63458"}


def test_a_stored_job_of_an_earlier_version_can_be_read() -> None:
    assert Options.from_json('{"language": "xx"}').language == "xx"
    assert Options.from_json('{"language": "nb"}').language == "no"


@given(st.text(max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_language_or_none_or_is_refused(text: str) -> None:
    with suppress(PydanticCustomError):
        assert whisper_code(text) in {None, *LANGUAGES}
