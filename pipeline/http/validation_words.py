"""Sentences about invalid parts of a request, for people rather than for the authors of a schema."""

from collections.abc import Mapping
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
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "greater_than": "must be more than {gt}",
    "less_than": "must be less than {lt}",
    "string_too_short": "must have {min_length} characters or more",
    "string_too_long": "may have {max_length} characters",
    "literal_error": "must be one of: {expected}",
}
"""Words for each type of Pydantic's errors; others have Pydantic's own message."""
OUTER = frozenset(["body", "query", "path", "header", "cookie"])


def sentence(error: Mapping[str, Any]) -> str:
    """Return the sentence about an invalid part of a request: its name and what it must be."""
    name = ".".join(str(it) for it in error["loc"] if it not in OUTER) or "the body"
    context: Mapping[str, Any] = error.get("ctx") or {}
    if said := PATTERNS.get(str(context.get("pattern"))):
        return f"{name} {said}"
    if words := WORDS.get(error["type"]):
        return f"{name} {words.format_map(context)}"
    return f"{name}: {error['msg'].removeprefix('Value error, ')}"
