"""The form of OpenAI's transcription endpoints, in the spellings of its many clients."""

import json
import re
from collections.abc import Iterator
from textwrap import wrap
from typing import Annotated, Any, Literal

from fastapi import HTTPException
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from pipeline.http.multipart import FIELD_BYTES, FIELDS, Fields, Form
from pipeline.http.problem_responses import to_validation_error
from pipeline.types.languages import whisper_code
from pipeline.types.publication import MOST_TERM, MOST_TERMS

Granularity = Literal["word", "segment"]
GRANULARITIES = "timestamp_granularities"
LISTS = frozenset([GRANULARITIES, "keywords", "languages"])
MOST_PROMPT = 2000
"""Characters of a prompt's end, more than Whisper's last 224 tokens have in any language but a few."""
SHORT_BYTES = 600
"""Bytes of a prompt that Whisper is told as a whole."""
_EMPTY = frozenset(["", "null", "none", "undefined", "[]", "{}"])
"""Values by which clients say that a field has none."""


class OpenAIForm(Form):
    """A form whose file may be in a field of any name, and of whose too long texts the end is kept."""

    _shortened_bytes = 0

    def _check_field(self, name: str) -> None:
        pass

    def _shorten(self, text: bytearray) -> None:
        self._shortened_bytes += len(text) - FIELD_BYTES
        if self._shortened_bytes > FIELDS * FIELD_BYTES:
            raise HTTPException(413, f"The fields besides the audio may have {FIELDS * FIELD_BYTES} bytes.")
        del text[:-FIELD_BYTES]


class TranscriptionForm(BaseModel):
    """The fields of OpenAI's form that mean something to this server; any other is accepted and ignored."""

    model: str = Field(default="", description="Any name; the server has its own model.", examples=["whisper-1"])
    language: Annotated[str | None, BeforeValidator(whisper_code)] = Field(
        default=None, description="A code, a tag or an English name; detected if empty or `auto`.", examples=["en"]
    )
    prompt: str = Field(default="", description="Names and terms in the audio; the end of it counts.")
    hotwords: str = Field(default="", description="Further names and terms, separated by commas.")
    keywords: list[str] = Field(default_factory=list, description="Further names and terms.")
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"] = Field(
        default="json", description="`diarized_json` has the speakers, after the end of the job; not for translations."
    )
    temperature: str = Field(default="", description="Accepted and ignored: Duet decodes greedily.")
    stream: bool = Field(default=False, description="Send the text as server-sent events while it is transcribed.")
    timestamp_granularities: list[Granularity] = Field(default_factory=list, alias=GRANULARITIES + "[]")

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The names and terms of prompt, hotwords and keywords, without those that Whisper's prompt has no room for.

        Whisper is told the first 223 tokens of a vocabulary, and of a long prompt the last ones count, as with
        OpenAI's server; so a long one is told from its end.
        """
        told = ", ".join(it for it in (self.prompt, self.hotwords, *self.keywords) if it)
        end = told if len(told) <= MOST_PROMPT else re.sub(r"^\S*\s", "", told[-MOST_PROMPT:])
        terms = [term for part in end.split(",") for term in wrap(part.strip(), MOST_TERM)]  # it may be a sentence
        terms = terms[-MOST_TERMS:]
        return tuple(terms if len(end.encode()) <= SHORT_BYTES else reversed(terms))


def understood(fields: Fields) -> TranscriptionForm:
    """Return the fields of a form; 422 if one is invalid."""
    given: dict[str, list[str]] = {}
    for name, texts in fields.items():
        given.setdefault(re.sub(r"\[.*", "", name).strip().lower(), []).extend(map(str, texts))
    values: dict[str, Any] = {name: list(_items(texts)) for name, texts in given.items() if name in LISTS}
    values |= {name: text for name in given.keys() - LISTS if (text := _last(given[name])) is not None}
    for name in {"response_format", "stream"} & values.keys():
        values[name] = values[name].lower().strip("\"' ")
    values[GRANULARITIES + "[]"] = [it.lower().removesuffix("s") for it in values.pop(GRANULARITIES, [])]
    if len(languages := set(values.pop("languages", []))) == 1:
        values.setdefault("language", languages.pop())
    try:
        return TranscriptionForm.model_validate(values)
    except ValidationError as error:
        raise to_validation_error(error, "body") from None


def _last(texts: list[str]) -> str | None:
    """Return the last value of a field that is given several times; empty ones do not count."""
    return next((text.strip() for text in reversed(texts) if text.strip().lower() not in _EMPTY), None)


def _items(texts: list[str]) -> Iterator[str]:
    """Yield the items of a list, which may be one a field, separated by commas, or in JSON."""
    for text in texts:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        items = found if isinstance(found, list) else text.split(",")
        for item in items:
            if (word := str(item).strip("[]\"' \t\r\n")).lower() not in _EMPTY:
                yield word


def described() -> dict[str, Any]:
    """Return the form's OpenAPI description."""
    fields = TranscriptionForm.model_json_schema(by_alias=True)["properties"]
    file = {"type": "string", "format": "binary", "description": "Audio or video, in a field of any name."}
    form = {"type": "object", "properties": {"file": file, **fields}, "required": ["file"]}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}
