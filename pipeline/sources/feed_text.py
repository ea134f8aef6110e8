"""Texts of feeds as publishers write them: in any charset, with HTML where none belongs, with dates of any form."""

import calendar
import codecs
import html
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pipeline.types.text import well_formed
from pipeline.types.time_format import iso

LONGEST = 10_000
"""Characters of a title or a name that are read; a result keeps fewer."""
EARLIEST, LATEST = 1900, 2100
"""Years of publication that are no mistake."""
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_HALF_EMPTY = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
"""Starts of UTF-16 without a byte order mark (XML 1.0, appendix F)."""
_WIDER = {"iso-8859-1": "windows-1252", "us-ascii": "windows-1252", "gb2312": "gb18030"}
"""Charsets that are declared where a wider one is meant (WHATWG, Encoding Standard)."""
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*\sencoding\s*=\s*["']([\w.:-]{1,40})["']""")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
_UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of what follows."""
_YEAR = re.compile(r"^[^\W\d].*(?<![\d:+-])(?:19|20)\d\d(?!\d)")
"""A date that begins with a day of the week or a month, and has a whole year."""
_TAG = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|br|center|cite|code|div|em|font|h[1-6]|hr|i|img|ins|li|mark|ol|p|pre|q|s|small|span|"
    r"strike|strong|sub|sup|u|ul)(?:\s[^<>]*|/)?>|<!--[^<>]*>",
    re.IGNORECASE | re.DOTALL,
)


def decoded(data: bytes, content_type: str) -> str:
    """Return a document as text, without its XML declaration.

    Declarations are often wrong, while bytes that are valid UTF-8 are hardly ever anything else. So the order is: byte
    order mark, UTF-8, the charset of the header `Content-Type`, that of the XML declaration, windows-1252.
    """
    named = [it[1] for it in (_CHARSET.search(content_type), _DECLARED.match(data)) if it]
    charsets = [it.decode() if isinstance(it, bytes) else it for it in named]
    has_escapes = b"\x1b" in data  # ISO-2022-JP and others of seven bits are valid UTF-8 too
    starts = [charset for start, charset in (*_BOMS, *_HALF_EMPTY) if data.startswith(start)]
    for charset in (*starts, *(charsets if has_escapes else ()), "utf-8", *charsets):
        try:
            text = data.decode(_WIDER.get(charset.lower(), charset))
        except (UnicodeError, LookupError):
            continue
        return _without_declaration(text)
    return _without_declaration(data.decode("windows-1252", "replace"))


def plain(text: Any) -> str:
    """Return a title or a name on one line, without HTML; entities are decoded once more than XML does, and again."""
    found = str(text or "")[:LONGEST]
    for _ in range(2):
        found = html.unescape(_TAG.sub(" ", found))
    found = _UNSEEN.sub("", _TAG.sub(" ", found))
    return well_formed(" ".join(found.split()))


def date_of(text: Any, parsed: Any) -> str | None:
    """Return a date of publication in ISO 8601 in UTC; None if it is missing, wrong or ambiguous.

    Args:
        text: ISO 8601, seconds or milliseconds since 1970, or RFC 822 and what resembles it.
        parsed: feedparser's reading of the text, which counts only where a month is named: in digits it sees dates
            that are not there.
    """
    written = " ".join(str(text or "").split())[:100]
    try:
        if re.fullmatch(r"\d{9,10}|\d{13}", written, re.ASCII):
            epoch_s = float(written[:10] if len(written) == 13 else written)
        elif parsed and re.search(r"[A-Za-z]{3}", written):
            epoch_s = calendar.timegm(parsed)
        else:
            found = parsedate_to_datetime(written) if _YEAR.search(written) else datetime.fromisoformat(written)
            epoch_s = found.replace(tzinfo=found.tzinfo or UTC).timestamp()
        is_right = EARLIEST <= datetime.fromtimestamp(epoch_s, UTC).year <= LATEST
    except (ValueError, TypeError, OverflowError, OSError):
        return None
    return iso(epoch_s) if is_right else None


def _without_declaration(text: str) -> str:
    return _DECLARATION.sub("", text.lstrip("\ufeff"), count=1).lstrip()
