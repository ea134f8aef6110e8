"""Servers that compress unasked, send other parts than they were asked for, or send everybody elsewhere."""

import gzip
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from pipeline.errors import AudioError
from pipeline.settings import settings
from pipeline.sources import download, find_one
from pipeline.sources.download import BLOCK_BYTES, Download, Version, version_of
from pipeline.sources.http_client import TryLaterError, response_of
from tests.batches import ID3
from tests.web import Site, start_site

BODY = ID3 + bytes(range(256)) * 4000
LIMIT_BYTES = 10_000_000


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("DUET_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("DUET_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "LONGEST_WAIT_S", 0.0)
    settings.cache_clear()
    with start_site() as site:
        site.files["/ep.mp3"] = BODY
        yield site
    settings.cache_clear()


def fetched(site: Site, path: str = "/ep.mp3") -> bytes:
    return Download(f"{site.url}{path}").fetch(LIMIT_BYTES).read_bytes()


@pytest.mark.parametrize("position", ["", "bytes 7-99/1000", "bytes */5", "odd"])
def test_a_part_that_is_not_the_one_asked_for_is_begun_again(site: Site, position: str) -> None:
    # Given a download that broke off, and a server that says wrongly, or not at all, which part it sends
    site.breaks_after["/ep.mp3"] = 600_000
    site.headers["/ep.mp3"] = {"Content-Range": position}
    assert fetched(site) == BODY
    assert ["range" in headers for headers in site.asked("/ep.mp3")] == [False, True, False]


def test_a_server_without_ranges_is_asked_for_the_whole(site: Site) -> None:
    site.breaks_after["/ep.mp3"] = 600_000
    site.rangeless.add("/ep.mp3")

    assert fetched(site) == BODY
    assert site.asked("/ep.mp3")[1]["range"] == f"bytes={BLOCK_BYTES * 2}-"


@pytest.mark.parametrize(
    ("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("GZIP", gzip.compress)]
)
def test_what_is_compressed_unasked_is_stored_as_it_was_and_not_resumed(site: Site, coding: str, pack: object) -> None:
    packed = pack(BODY + bytes(range(255, 0, -1)) * 3000)  # type: ignore[operator]
    site.files["/ep.mp3"] = packed
    site.headers["/ep.mp3"] = {"Content-Encoding": coding}
    site.breaks_after["/ep.mp3"] = len(packed) - 10

    assert fetched(site).startswith(BODY)
    assert not any("range" in headers for headers in site.asked("/ep.mp3"))


def test_a_compression_that_cannot_be_read_is_said(site: Site) -> None:
    site.headers["/ep.mp3"] = {"Content-Encoding": "compress"}

    with pytest.raises(AudioError, match=r"ep\.mp3 is sent compressed \(compress\), which Duet cannot read"):
        fetched(site)


def test_a_word_that_names_no_compression_is_none(site: Site) -> None:
    site.headers["/ep.mp3"] = {"Content-Encoding": "utf-8"}

    assert fetched(site) == BODY


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["ep.mp3", "/ep.mp3", "feed://{host}/ep.mp3", "//{host}/ep.mp3#part", "HTTP://{host}/ep.mp3"]
)
def test_a_redirect_is_followed_however_it_is_written(site: Site, status: int, location: str) -> None:
    site.redirects["/old"] = location.format(host=site.url.removeprefix("http://"))
    site.redirect_status = status

    assert fetched(site, "/old") == BODY


def test_a_redirect_in_bare_utf8_is_followed(site: Site) -> None:
    site.files["/%C3%A9%20p.mp3"] = BODY
    site.redirects["/old"] = "/é p.mp3".encode().decode("latin-1")

    assert fetched(site, "/old") == BODY


@pytest.mark.parametrize("status", [403, 405, 501])
def test_a_server_without_head_is_no_trouble(site: Site, status: int) -> None:
    site.statuses["/ep.mp3"] = [status]

    assert version_of(f"{site.url}/ep.mp3") == Version()


def test_a_busy_server_says_until_when(site: Site) -> None:
    site.headers["/ep.mp3"] = {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)}
    site.statuses["/ep.mp3"] = [429]

    with pytest.raises(TryLaterError) as busy, response_of(f"{site.url}/ep.mp3", {}):
        pass
    assert 200 < busy.value.wait_s <= 300


def test_an_address_with_blanks_and_other_letters_is_asked_for_once_quoted(site: Site) -> None:
    site.files["/%C3%9Cber%20100%25.mp3?x=a%20b"] = BODY

    assert find_one(f"{site.url}/Über 100%25.mp3?x=a b#t=5").name == f"{site.url}/Über 100%25.mp3"
    assert fetched(site, "/Über 100%25.mp3?x=a b#t=5") == BODY
    assert fetched(site, "/%C3%9Cber%20100%25.mp3?x=a%20b") == BODY
