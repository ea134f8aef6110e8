"""Repair of answers that a server did not guide along their schema."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

from workers.voxtral.answer_schemas import AnyAnswer, read

_DECODER = json.JSONDecoder(strict=False)  # models write line breaks into strings
_UNFIT = object()


def repaired(shape: type[AnyAnswer], text: str) -> AnyAnswer | None:
    """Return the answer in a text with whatever surrounds it; None if there is no object with any of its fields.

    Unknown fields are dropped, long lists and strings are cut, the latter at a word, and an invalid value gives way to
    the field's default.
    """
    schema = shape.schema_to_follow()
    for found in _objects(text):
        answer = read(shape, json.dumps(_fitted(found, schema, schema.get("$defs", {}))), truncated=False)
        if answer is not None and answer.model_fields_set:
            return answer
    return None


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield each JSON object in a text, outer ones before those within."""
    start = text.find("{")
    while start >= 0:
        with suppress(ValueError, RecursionError):  # a brace in prose
            yield cast(dict[str, Any], _DECODER.raw_decode(text, start)[0])
        start = text.find("{", start + 1)


def _fitted(value: Any, schema: dict[str, Any], named: dict[str, Any]) -> Any:
    """Return the part of a value that fits a schema of strings, lists, objects and null; `_UNFIT` if nothing does."""
    if "$ref" in schema:
        schema = named[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        ways = (_fitted(value, way, named) for way in schema["anyOf"])
        return next((way for way in ways if way is not _UNFIT), _UNFIT)
    match schema["type"], value:
        case "string", str():
            return _fitted_text(value, schema)
        case "array", list():
            members = [_fitted(member, schema["items"], named) for member in value]
            return [member for member in members if member is not _UNFIT][: schema["maxItems"]]
        case "object", dict():
            fields = {
                name: _fitted(value[name], of, named) for name, of in schema["properties"].items() if name in value
            }
            return {name: fitted for name, fitted in fields.items() if fitted is not _UNFIT}
        case "null", None:
            return None
    return _UNFIT


def _fitted_text(text: str, schema: dict[str, Any]) -> object:
    if text not in schema.get("enum", [text]) or not re.search(schema.get("pattern", ""), text):
        return _UNFIT
    longest = schema.get("maxLength", len(text))
    return text if len(text) <= longest else f"{text[:longest].rsplit(' ', 1)[0][: longest - 1].rstrip()}…"
