"""JSON objects in the text of a model that nobody guided: within prose and fences, nearly JSON, or cut off."""

import html
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pydantic_core import from_json

_DECODER = json.JSONDecoder(strict=False)  # models write line breaks into strings
_MOST_MENDED = 8
"""Braces after which text that is no JSON is mended, since the others are prose."""
_THOUGHTS = re.compile(r"<(think\w*|reasoning)>.*?(</\1>|\Z)|\[THINK\].*?(\[/THINK\]|\Z)", re.DOTALL | re.IGNORECASE)
_PART = re.compile(
    r"""(?P<open>["']|(?P<curly>“))(?P<text>(?:\\.|[^\\])*?)(?(curly)”|(?P=open))(?=\s*[,:}\]]|\s*\Z)
    |(?P<comma>,(?=\s*[}\]]))
    |(?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<word>[^\W\d]\w*)(?P<colon>(?=\s*:))?""",
    re.DOTALL | re.VERBOSE,
)
_WORDS = {"None": "null", "undefined": "null", "NaN": "null", "True": "true", "False": "false"}
_ESCAPES = re.compile(r"\\(?![\"\\/bfnrt]|u[0-9a-fA-F]{4})|(?<!\\)(?=\")")
"""A backslash before a letter that needs none, and the place of a missing one before a quotation mark."""


def readings(text: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the objects of a text, outer ones before those within, for each way to read it, the likeliest first.

    The ways: without the model's thoughts, with the entities of HTML resolved, with escapes resolved, all of it.
    """
    said = _THOUGHTS.sub("", text)
    unescaped = said.replace('\\"', '"').replace("\\n", "\n")
    for way in dict.fromkeys((said, html.unescape(said), unescaped, text)):
        yield list(_objects(way))


def _objects(text: str) -> Iterator[dict[str, Any]]:
    start, mended = text.find("{"), 0
    while start >= 0:
        end = start + 1
        with suppress(ValueError, RecursionError):  # a brace in prose
            found, after = _DECODER.raw_decode(text, start)
            if _is_schema(found):
                end = after
            else:
                yield found
            start = text.find("{", end)
            continue
        if (mended := mended + 1) <= _MOST_MENDED:
            with suppress(ValueError):
                yield from (it for it in [_mended(text[start:])] if not _is_schema(it))
        start = text.find("{", end)


def _mended(text: str) -> dict[str, Any]:
    """Return the object at the start of a text that is nearly JSON, a cut one as far as it goes; raises ValueError."""
    spelt = _PART.sub(_spelt, text)
    with suppress(ValueError, RecursionError):
        return dict(_DECODER.raw_decode(spelt)[0])
    if not from_json(spelt, allow_partial=True):
        raise ValueError("it breaks off before the end of its first value")
    return dict(from_json(spelt, allow_partial="trailing-strings"))


def _spelt(part: re.Match[str]) -> str:
    if part["open"]:
        return f'"{_ESCAPES.sub(lambda found: "" if found[0] else chr(92), part["text"])}"'
    if part["word"]:
        return f'"{part["word"]}"' if part["colon"] is not None else _WORDS.get(part["word"], part["word"])
    return ""


def _is_schema(found: dict[str, Any]) -> bool:
    """Return whether an object is the schema that was asked for, which some models repeat."""
    fields = found.get("properties")
    return isinstance(fields, dict) and bool(fields) and all(isinstance(field, dict) for field in fields.values())
