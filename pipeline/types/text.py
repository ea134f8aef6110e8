"""Sanitizing of untrusted text: file names, feeds and server responses."""

import re
import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
JOINERS = "\u200c\u200d"
"""Characters without width that some scripts need within a word."""
_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters except tab and line feed, line separators, bidirectional controls and lone surrogates."""


def well_formed(text: str) -> str:
    """Return a text that can be encoded as UTF-8; other bytes of a file name are replaced, as in file managers."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def one_line(text: str) -> str:
    """Return a text on one line, without control characters and halves of surrogate pairs."""
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(it for it in line if unicodedata.category(it) not in ("Cc", "Cs"))


def safe(text: str) -> str:
    """Return a text without terminal control sequences, which could clear a screen or set the clipboard."""
    return _UNSAFE.sub(REPLACEMENT, text)


def safe_line(text: str) -> str:
    """Return a name without what would end its line or move it to another column of a table."""
    return re.sub(r"[\t\n]", REPLACEMENT, safe(text))


def is_writable(text: str) -> bool:
    """Return whether a text that a user gives has neither line breaks nor control characters."""
    return all(letter.isprintable() or letter in JOINERS for letter in text)
