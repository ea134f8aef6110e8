"""Repair of answers that a server did not guide along their schema."""

import json
import math
import re
from typing import Any

from rapidfuzz import process

from pipeline.types.graphemes import shortened
from pipeline.types.languages import whisper_code
from workers.voxtral.answer_schemas import AnyAnswer, read
from workers.voxtral.json_in_text import readings

_UNFIT = object()
_NOTHING = frozenset({"", "null", "none", "n/a"})
_ALIKE = 80
"""Similarity in percent of a word and the one of the schema that is meant."""


def repaired(shape: type[AnyAnswer], text: str) -> AnyAnswer | None:
    """Return the answer in a text with whatever surrounds it; None if there is no object with any of its fields.

    Of several objects the one with most fields is the answer. Unknown fields are dropped, long lists and strings are
    cut, the latter at a word, and an invalid value that cannot be read as a valid one gives way to the field's default.
    """
    for found in readings(text):
        answers = [answer for it in found if (answer := fitted(shape, it)) is not None and answer.model_fields_set]
        if answers:
            return max(answers, key=lambda it: len(it.model_fields_set))
    return None


def fitted(shape: type[AnyAnswer], fields: dict[str, Any]) -> AnyAnswer | None:
    """Return the answer with those of the fields that fit it."""
    schema = shape.schema_to_follow()
    return read(shape, json.dumps(_fitted(fields, schema, schema.get("$defs", {}))), truncated=False)


def _fitted(value: Any, schema: dict[str, Any], named: dict[str, Any]) -> Any:
    """Return the part of a value that fits a schema of strings, lists, objects and null; `_UNFIT` if nothing does."""
    if "$ref" in schema:
        schema = named[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        if value is None or (isinstance(value, str) and value.strip().casefold() in _NOTHING):
            return None
        ways = (_fitted(value, way, named) for way in schema["anyOf"])
        return next((way for way in ways if way is not _UNFIT), _UNFIT)
    match schema["type"]:
        case "string":
            text = _text(value)
            return _UNFIT if text is None else _fitted_text(text, schema)
        case "array" if value is not None:
            return _fitted_list(value, schema, named)
        case "object" if isinstance(value, dict):
            return _fitted_fields(value, schema["properties"], named)
        case "object" if isinstance(value, str):
            return _fitted_fields({next(iter(schema["properties"])): value}, schema["properties"], named)
    return _UNFIT


def _fitted_list(value: Any, schema: dict[str, Any], named: dict[str, Any]) -> Any:
    if isinstance(value, str):
        value = [line for line in (line.strip(" -*•\t") for line in value.splitlines()) if line]
    members = value if isinstance(value, list) else [value]
    fit = [it for it in (_fitted(member, schema["items"], named) for member in members) if it not in (_UNFIT, "")]
    return fit[: schema["maxItems"]] if fit or not members else _UNFIT


def _fitted_fields(value: dict[str, Any], fields: dict[str, Any], named: dict[str, Any]) -> Any:
    alike = {_bare(name): it for name, it in value.items()} | value
    given = {name: alike.get(name, alike.get(_bare(name), _UNFIT)) for name in fields}
    fit = {name: _fitted(it, fields[name], named) for name, it in given.items() if it is not _UNFIT}
    return {name: it for name, it in fit.items() if it is not _UNFIT}


def _bare(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def _text(value: Any) -> str | None:
    """Return a value as text: a number, the lines of a list, or an object's only text; None for any other."""
    match value:
        case str():
            return value
        case bool():
            return None
        case int() | float():
            return str(value) if math.isfinite(value) else None
        case list():
            return " ".join(it for it in map(_text, value) if it) or None
        case dict():
            texts = [it for it in value.values() if isinstance(it, str)]
            return texts[0] if len(texts) == 1 else None
    return None


def _fitted_text(text: str, schema: dict[str, Any]) -> object:
    if "enum" in schema and text not in schema["enum"]:
        meant = process.extractOne(text.strip().casefold(), schema["enum"], score_cutoff=_ALIKE)
        return meant[0] if meant else _UNFIT
    if "pattern" in schema and not re.search(schema["pattern"], text):
        return _language(text)  # the only field with a pattern is a language
    return shortened(text, schema.get("maxLength", len(text)))


def _language(text: str) -> Any:
    """Return the two-letter code of a language in any usual spelling."""
    try:
        code = whisper_code(re.split(r"[(,;/]", text)[0])
    except ValueError:
        return _UNFIT
    return code if code and len(code) == 2 else _UNFIT
