"""Sentences about invalid parts of a request, for people rather than for the authors of a schema."""

from collections.abc import Iterable, Mapping
from typing import Any

PATTERNS = {
    r"^(https?|s3)://[^\s]+$": "must begin with https://, http:// or s3://",
    r"^https?://[^\s]+$": "must begin with https:// or http://",
    r"^[0-9a-f]{16}-[0-9a-f]{8}$": "is no job's id",
    r"^[0-9a-f]{32}$": "is no upload's id",
}
"""Meanings of the patterns in requests."""
WORDS = {
    "missing": "is missing",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be an object",
    "extra_forbidden": "is no field of this request",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be more than {gt}",
    "less_than": "must be less than {lt}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "may have at most {max_length} characters",
    "literal_error": "must be one of: {expected}",
}
"""Words for each type of Pydantic's errors; others have Pydantic's own message."""
MOST = 3
"""Number of fields that are named at once."""
OUTER = frozenset(["body", "query", "path", "header", "cookie"])
BRANCHES = frozenset(["bool", "int", "str", "constrained-int", "constrained-str"])
"""Parts of a place that name a type among those that a field may have, and no field."""


def sentences(errors: Iterable[Mapping[str, Any]]) -> str:
    """Return the sentences about the first invalid parts of a request, those about one field as alternatives."""
    by_field: dict[str, list[str]] = {}
    for error in errors:
        name, words = _parts(error)
        by_field.setdefault(name, []).append(words)
    return "; ".join(f"{name}{', or'.join(dict.fromkeys(words))}" for name, words in list(by_field.items())[:MOST])


def _parts(error: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name of an invalid part, and the words about it with their separator."""
    name = ".".join(str(it) for it in error["loc"] if it not in OUTER and it not in BRANCHES) or "the body"
    context: Mapping[str, Any] = error.get("ctx") or {}
    if said := PATTERNS.get(str(context.get("pattern"))):
        return name, f" {said}"
    if words := WORDS.get(error["type"]):
        return name, f" {words.format_map(context)}"
    return name, f": {error['msg'].removeprefix('Value error, ')}"
