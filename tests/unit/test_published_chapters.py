"""The publisher's own chapters: read from the file that the feed names, or left alone."""

import json
import logging
from collections.abc import Iterator

import pytest

from pipeline.settings import settings
from pipeline.sources.published_chapters import LIMIT_BYTES, MOST_CHAPTERS, published_chapters
from pipeline.types import Chapter, Publication, PublishedFile
from tests.web import Site, start_site


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("DUET_ALLOWED_HOSTS", "127.0.0.1")
    settings.cache_clear()
    with start_site() as site:
        yield site
    settings.cache_clear()


def published(site: Site, path: str = "/1.json") -> tuple[Chapter, ...]:
    file = PublishedFile(url=f"{site.url}{path}", media_type="application/json+chapters")
    return published_chapters(Publication(feed=f"{site.url}/feed.xml", chapters=file))


def test_the_publishers_chapters_are_in_order_and_have_titles(site: Site) -> None:
    # Given a file with a picture that is no chapter, one without a title, and fields that Duet has no use for
    entries = [
        {"startTime": 62.5, "title": " Soil \n and stones ", "img": "https://example.org/soil.jpg"},
        {"startTime": 0, "title": "Roses", "endTime": 62.5},
        {"startTime": 30, "title": "A picture", "toc": False},
        {"startTime": 40},
        {"startTime": 41, "title": None},
    ]
    site.files["/1.json"] = b"\xef\xbb\xbf" + json.dumps({"version": "1.2.0", "chapters": entries}).encode()

    assert published(site) == (Chapter(start_s=0.0, title="Roses"), Chapter(start_s=62.5, title="Soil and stones"))


def test_an_episode_without_published_chapters_asks_nobody(site: Site) -> None:
    assert published_chapters(None) == ()
    assert published_chapters(Publication(feed=f"{site.url}/feed.xml")) == ()
    assert site.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Log in first.</html>",
        b'{"chapters": [{"startTime": -1, "title": "Before"}]}',
        b'{"chapters": [{"startTime": "NaN", "title": "Never"}]}',
        b'{"version": "1.2.0"}',
        b"[]",
        b'{"chapters": [' + b'{"startTime": 0, "title": "Long"},' * (LIMIT_BYTES // 30),
    ],
)
def test_a_file_that_holds_no_chapters_is_named_in_the_log(
    site: Site, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    site.files["/1.json"] = body

    with caplog.at_level(logging.WARNING):
        assert published(site) == ()

    assert "/1.json holds no chapters in JSON" in caplog.text


def test_a_missing_file_is_asked_for_once(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert published(site) == ()

    assert "/1.json was not found (404)" in caplog.text
    assert len(site.asked("/1.json")) == 1


def test_a_private_address_is_not_asked(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    site.files["/1.json"] = b'{"chapters": [{"startTime": 0, "title": "Secret"}]}'
    monkeypatch.delenv("DUET_ALLOWED_HOSTS")
    settings.cache_clear()

    with caplog.at_level(logging.WARNING):
        assert published(site) == ()

    assert "not a public address" in caplog.text
    assert site.requests == []


def test_there_is_a_limit_of_chapters(site: Site) -> None:
    entries = [{"startTime": number, "title": "x" * 600} for number in range(MOST_CHAPTERS + 1)]
    site.files["/1.json"] = json.dumps({"chapters": entries}).encode()

    found = published(site)

    assert len(found) == MOST_CHAPTERS
    assert len(found[0].title) == 500
