"""Text that comes from outside: names of files, feeds, what servers say. It may hold anything."""

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but for tab and line feed, what turns the direction of a line, and halves of characters."""


def well_formed(text: str) -> str:
    """Return a text that can be written as UTF-8; what of a name is not UTF-8 is replaced, as file managers do."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def safe(text: str) -> str:
    """Return a text that a terminal shows and does not obey: a name may hold what clears it or fills its clipboard."""
    return _UNSAFE.sub(REPLACEMENT, text)
