"""The shapes of Voxtral's answers: bounded models, from which the schema that guides it is made.

Every field has a default, so that a cut answer can be read as far as it goes; the schema that the
model follows asks for all of them.
"""

import json
import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import from_json

Line = Annotated[str, Field(max_length=160)]
Name = Annotated[str, Field(max_length=60)]


class AnswerSchema(BaseModel):
    """An answer or a part of one."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)

    @classmethod
    def schema_to_follow(cls) -> dict[str, Any]:
        """Return the JSON schema with every field required and every string and list bounded."""
        return cls.model_json_schema(mode="serialization")


class Mood(AnswerSchema):
    """The mood, and what makes it so."""

    label: Literal["positive", "neutral", "negative", "mixed"] | SkipJsonSchema[None] = None
    reason: Line = ""


class Overview(AnswerSchema):
    """What a stretch of audio is about."""

    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")] | SkipJsonSchema[None] = None
    title: Annotated[str, Field(max_length=80)] = ""
    sentence: Annotated[str, Field(max_length=240)] = ""
    summary: Annotated[str, Field(max_length=1000)] = ""
    topics: Annotated[tuple[Name, ...], Field(max_length=6)] = ()
    sentiment: Mood | SkipJsonSchema[None] = None


class Task(AnswerSchema):
    """Something that someone is to do."""

    text: Line = ""
    owner: Name | None = None


class Named(AnswerSchema):
    """A person or an organisation."""

    name: Name = ""
    kind: Literal["person", "organisation"] = "person"
    role: Annotated[str, Field(max_length=80)] = ""


class Said(AnswerSchema):
    """Words worth repeating."""

    text: Annotated[str, Field(max_length=240)] = ""
    speaker: Name | None = None


class Details(AnswerSchema):
    """What is worth noting of a stretch of audio."""

    key_points: Annotated[tuple[Line, ...], Field(max_length=6)] = ()
    action_items: Annotated[tuple[Task, ...], Field(max_length=5)] = ()
    people_and_organisations: Annotated[tuple[Named, ...], Field(max_length=8)] = ()
    quotes: Annotated[tuple[Said, ...], Field(max_length=3)] = ()


class Heading(AnswerSchema):
    """The title of a chapter, and what it is about."""

    title: Name = ""
    gist: Annotated[str, Field(max_length=240)] = ""


class NamedVoice(AnswerSchema):
    """A speaker and the sentence that says the name."""

    speaker: Annotated[str, Field(max_length=4)] = ""
    name: Name = ""
    quote: Annotated[str, Field(max_length=240)] = ""


class Introduced(AnswerSchema):
    """The speakers whose names are said."""

    speakers: Annotated[tuple[NamedVoice, ...], Field(max_length=12)] = ()


class Told(AnswerSchema):
    """The answer to a listener's own question; None where the audio does not say."""

    answer: Annotated[str, Field(max_length=600)] | None = None
    quotes: Annotated[tuple[Annotated[str, Field(max_length=240)], ...], Field(max_length=3)] = ()


class Text(AnswerSchema):
    """A text of a page at most: a translation, a reply or a merged answer."""

    text: Annotated[str, Field(max_length=1500)] = ""


class Transcribed(AnswerSchema):
    """What is said, word for word; never generated along a schema."""

    text: str = ""


GUIDED: tuple[type[AnswerSchema], ...] = (Overview, Details, Heading, Introduced, Told, Text)
"""What the model is guided to."""

AnyAnswer = TypeVar("AnyAnswer", bound=AnswerSchema)
_UNSEEN = frozenset({"Cc", "Cs", "Cn", "Co", "Zl", "Zp"})
_WHOLE: tuple[Callable[[str], Any], ...] = (json.loads,)
# A sentence that breaks off is worth keeping; half of an enumerated word is not.
_CUT: tuple[Callable[[str], Any], ...] = (
    partial(from_json, allow_partial="trailing-strings"),
    partial(from_json, allow_partial=True),
)


def read(shape: type[AnyAnswer], text: str, *, truncated: bool) -> AnyAnswer | None:
    """Return the answer that a text is, a cut one as far as it goes; None if it has not that shape."""
    for parse in _CUT if truncated else _WHOLE:
        try:
            return shape.model_validate(_printable(parse(text)))
        except ValueError:  # pydantic's and json's errors alike
            continue
    return None


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_printable(item) for item in value]
    if isinstance(value, dict):
        return {name: _printable(item) for name, item in value.items()}
    return value


def printable(text: str) -> str:
    """Return a text without control characters and halves of surrogate pairs, which JSON can spell.

    The joiners of emoji and of Persian and Indic letters stay, and so do blanks of all kinds.
    """
    if text.isprintable():
        return text
    return "".join(letter for letter in text if letter in "\n\t" or unicodedata.category(letter) not in _UNSEEN)
