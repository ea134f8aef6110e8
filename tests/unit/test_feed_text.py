"""Dates, charsets and titles as feeds have them."""

import calendar
import codecs

import feedparser
import pytest

from pipeline.sources.feed_text import date_of, decoded, plain

AT_SEVEN = "2025-03-21T07:00:00.000+00:00"
ITEM = "<rss version='2.0'><channel><item><title>x</title><pubDate>{}</pubDate></item></channel></rss>"


def date(text: str) -> str | None:
    (entry,) = feedparser.parse(ITEM.format(text)).entries
    return date_of(entry.get("published"), entry.get("published_parsed"))


@pytest.mark.parametrize(
    "text",
    [
        "Fri, 21 Mar 2025 07:00:00 GMT", "Fri, 21 Mar 2025 00:00:00 -0700", "21 Mar 25 02:00 EST",
        "Friday, 21 March 2025 07:00:00 +0000", "Fri, 21 Mar 2025 07:00", "2025-03-21T07:00Z", "2025-03-21 07:00:00",
        "2025-03-21T08:00:00.000+0100", "20250321T070000Z", "1742540400", "1742540400000", "Fri Mar 21 07:00:00 2025",
        " Fri,  21 Mar 2025\n07:00:00 GMT ",
    ],
)  # fmt: skip
def test_a_date_is_read_in_every_usual_form(text: str) -> None:
    assert date(text) == AT_SEVEN


@pytest.mark.parametrize(
    "text",
    [
        "0000-00-00 00:00:00", "0000-00-00T00:00:00Z", "Mon, 01 Jan 0001 00:00:00 +0000", "0001-01-01T00:00:00+05:00",
        "Mon, 01 Jan 0001 00:00:00 +1400", "Fri, 31 Dec 9999 23:59:59 -0500", "9999-12-31T23:59:59-05:00",
        "Fri, 31 Dec 9999 23:59:59 GMT", "-0001-11-30T00:00:00+00:00", "Wed, 30 Nov -0001 00:00:00 +0000",
        "Fri, 21 Mar 20240 07:00:00", "2025-02-30", "2025-13-45", "Fri, 32 Mar 2025 07:00:00 GMT", "yesterday", "0",
        "-1", "99999999999999999999",
        "2025年3月21日", "21.03.2025", "²", "", " ", "9" * 5000, "Fr, 21 März 2025", "T07:00",
    ],
)  # fmt: skip
def test_what_is_no_date_is_none(text: str) -> None:
    assert date(text) is None


def test_what_feedparser_makes_of_a_date_cannot_fail_either() -> None:
    assert date_of("Fri, 21 Mar", (10**9, 99, 99, 0, 0, 0, 0, 0, 0)) is None
    assert date_of(None, None) is None
    assert date_of("Fri, 21 Mar 2025 07:00 GMT", calendar.timegm) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>Roses</b> &amp; thorns", "Roses & thorns"),
        ("Caf&amp;eacute;", "Café"),
        ("<p>One<br/>Two</p>", "One Two"),
        ("&lt;em class='a'&gt;Soil&lt;/em&gt;", "Soil"),
        ("<![CDATA[ I <3 this ]]>".removeprefix("<![CDATA[").removesuffix("]]>"), "I <3 this"),
        ("a < b > c, and vector<int>", "a < b > c, and vector<int>"),
        (" two\n\t lines\u2028", "two lines"),
        ("bell\x07 \x9b31m \ufeffand \u202egnp.exe", "bell 31m and gnp.exe"),
        ("שלום\u200f", "שלום\u200f"),
        (None, ""),
        ({}, ""),
        ("<b" * 100_000, "<b" * 5000),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_title_is_one_line_of_plain_text(text: object, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        ("é".encode(), ""),
        ("é".encode(), "text/xml"),
        ("é".encode(), "application/rss+xml; charset=iso-8859-1"),
        ("<?xml version='1.0' encoding='iso-8859-1'?>é".encode(), "text/xml; charset=utf-8"),
        ("<?xml version='1.0' encoding='ISO-8859-1'?>é".encode("latin-1"), "text/xml; charset=utf-8"),
        ("é".encode("cp1252"), "text/xml; charset=Windows-1252"),
        ("é".encode("cp1252"), "text/xml; charset=no-such"),
        ("é".encode("cp1252"), "text/xml; charset=base64"),
        (codecs.BOM_UTF8 + "é".encode(), ""),
        (codecs.BOM_UTF16_LE + "é".encode("utf-16-le"), "text/xml; charset=utf-8"),
        ("<?xml version='1.0' encoding='utf-16'?>é".encode("utf-16"), "text/xml"),
        ("<?xml version='1.0' encoding='utf-16'?>é".encode("utf-16-be"), ""),
        ("\n\n <?xml version='1.0'?>\né".encode(), ""),
    ],
)
def test_a_text_is_read_in_its_own_charset_whatever_is_declared(data: bytes, content_type: str) -> None:
    assert decoded(data, content_type) == "é"


def test_charsets_of_other_scripts_are_read() -> None:
    assert decoded("Сад".encode("cp1251"), "text/xml; charset=windows-1251") == "Сад"
    assert decoded("<?xml version='1.0' encoding='gb2312'?>花園".encode("gb18030"), "") == "花園"
    assert decoded("庭".encode("iso-2022-jp"), "text/xml; charset=iso-2022-jp") == "庭"
