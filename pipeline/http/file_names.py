"""File names of uploads, as clients write them into a form's headers."""

import re
from email.errors import MessageError
from email.header import decode_header, make_header
from pathlib import PurePath, PurePosixPath
from unicodedata import category, normalize
from urllib.parse import unquote_to_bytes

from python_multipart.multipart import parse_options_header

NAME_BYTES = 200
"""Bytes of a file name; of a longer one the end remains, with its extension. File systems allow 255 bytes."""
_EXTENDED = re.compile(rb"""(?i);\s*filename\*\s*=\s*"?([\w.:-]*)'[^']*'([^\s;"]+)""")
"""`filename*` of RFC 8187. RFC 7578 has forms do without it, yet several libraries send it, some of them alone."""
_ESCAPED = re.compile(r"%[0-9a-fA-F]{2}")


def given_name(disposition: bytes) -> str | None:
    """Return the file name in a part's Content-Disposition, in any charset that clients use; None if it has none."""
    if found := _EXTENDED.search(disposition):
        return _text(unquote_to_bytes(found[2]), found[1].decode("ascii", "replace"))
    _, options = parse_options_header(disposition)
    if (given := options.get(b"filename")) is None:
        return None
    name = _text(given)
    if name.startswith("=?"):
        return _of_mail(name)
    return _text(unquote_to_bytes(name)) if name.isascii() and _ESCAPED.search(name) else name


def plain(name: str) -> str:
    """Return a file's name, in any script, without characters that have a meaning to a file system or a terminal."""
    last = PurePosixPath(normalize("NFC", name).replace("\\", "/")).name
    kept = "".join(map(_plain, last)).strip(" .")
    if not PurePath(kept).suffix and PurePosixPath(last).name.startswith(".") and kept:
        kept = f"upload.{kept}"  # all of the name was an ending
    return (kept or "upload").encode()[-NAME_BYTES:].decode(errors="ignore").lstrip(" .")


def _plain(letter: str) -> str:
    kind = category(letter)
    if kind in ("Cf", "Cc"):
        return ""  # such as marks of the direction, which can make a name look like another
    if kind == "Zs":
        return " "
    is_kept = letter.isalnum() or letter in "_.,()'&+-" if letter.isascii() else kind[0] in "LMNPS"
    return letter if is_kept else "_"


def _text(data: bytes, charset: str = "utf-8") -> str:
    """Return text in UTF-8, else in the charset of Western Windows, which older clients use without saying so."""
    for one in (charset, "utf-8"):
        try:
            return data.decode(one)
        except (UnicodeError, LookupError):
            continue
    return data.decode("cp1252", "replace")


def _of_mail(name: str) -> str:
    """Return a name of RFC 2047, `=?UTF-8?B?...?=`, as Java's libraries for mail write it."""
    try:
        return str(make_header(decode_header(name)))
    except (MessageError, LookupError, ValueError):
        return name
