"""Pages of a podcast feed: RSS, Atom or JSON Feed, also where a page of HTML names it."""

from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from io import BytesIO
from typing import Any, NoReturn

import feedparser

from pipeline.errors import AudioError
from pipeline.logs import as_duet_error
from pipeline.sources.download import Download
from pipeline.sources.feed_text import decoded
from pipeline.sources.json_feed import parsed_json
from pipeline.sources.podcast_tags import PodcastTags, read_tags
from pipeline.sources.web_address import absolute, with_login_of
from pipeline.types.found import Rejected

FEED_LIMIT_BYTES = 50_000_000
"""Size limit of a page, and of all pages before the last."""
MOST_PAGES = 500
HEAD_CHARACTERS = 500_000
"""Beginning of a page of HTML in which a link to its feed is looked for."""
FEED_TYPES = ("application/rss+xml", "application/atom+xml", "application/feed+json")


@dataclass(frozen=True)
class FeedPage:
    """A page of a feed, as feedparser reads it."""

    url: str
    """Address that was asked for, with user and password."""
    base: str
    """Address that answered, to which relative ones refer."""
    show: Any
    entries: list[Any]
    tags: PodcastTags
    next: str
    """Address of the page with older entries; empty on the last one."""
    size: int
    """Characters of the page."""


def feed_pages(url: str) -> Iterator[FeedPage | Rejected]:
    """Yield the pages of a feed (RFC 5005); a later one that cannot be read is the last, and rejected.

    Raises:
        AddressError: the URL is invalid, or its host may not be connected to.
        AudioError: the response is not a feed.
        TransientError: the server does not answer.
    """
    page = _first(url)
    yield page
    seen, size = {page.url}, page.size
    while page.next and page.next not in seen:
        at = page.next
        if len(seen) >= MOST_PAGES or size > FEED_LIMIT_BYTES:
            yield Rejected(at, f"The feed has more than {len(seen)} pages; the older episodes are left out.")
            return
        seen.add(at)
        try:
            page = _page(at)
        except Exception as error:
            yield Rejected(at, f"The feed's older episodes are left out: {as_duet_error(error, at)}")
            return
        size += page.size
        yield page


def _first(url: str) -> FeedPage:
    """Return the first page; where a page of HTML is at the URL, that of the feed which it names."""
    text, base = _read(url)
    if page := _parsed(url, text, base):
        return page
    link = _feed_link(text, base)
    return _page(with_login_of(url, link)) if link else _no_feed(url, text)


def _page(url: str) -> FeedPage:
    text, base = _read(url)
    return _parsed(url, text, base) or _no_feed(url, text)


def _no_feed(url: str, text: str) -> NoReturn:
    if "<opml" in text[:2000].lower():
        raise AudioError(f"{url} is a list of feeds (OPML); give the address of each feed that is in it.")
    raise AudioError(f"{url} is neither audio nor a podcast feed; give the address of the show's RSS feed.")


def _read(url: str) -> tuple[str, str]:
    """Return the text at a URL, and the address that it came from after redirects."""
    download = Download(url)
    data = download.fetch(FEED_LIMIT_BYTES).read_bytes()
    headers = download.headers
    return decoded(data, headers.get("content-type", "")), headers.get("content-location") or url


def _parsed(url: str, text: str, base: str) -> FeedPage | None:
    feed: Any = parsed_json(text)
    if not feed:
        headers = {"content-type": "application/xml; charset=utf-8", "content-location": base}
        # As a stream, because feedparser takes bytes for the name of a file first.
        stream = BytesIO(text.encode("utf-8", "replace"))
        # Resolving the addresses in the HTML of texts would take five times as long.
        feed = feedparser.parse(stream, response_headers=headers, sanitize_html=False, resolve_relative_uris=False)
        if not feed.version:
            return None
    links = [str(it.get("href", "")) for it in feed["feed"].get("links", []) if it.get("rel") == "next"]
    address = absolute(base, links[0]).partition("#")[0] if links else ""
    following = with_login_of(url, address) if address else ""
    return FeedPage(url, base, feed["feed"], feed["entries"], read_tags(text, base), following, len(text))


def _feed_link(text: str, base: str) -> str:
    """Return the address of the feed that a page of HTML names first (`rel="alternate"`); empty if there is none."""
    reader = _Links()
    reader.feed(text[:HEAD_CHARACTERS])
    return next(filter(None, (absolute(base, href) for href in reader.feeds)), "")


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.feeds: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = {name: value or "" for name, value in attrs}
        is_feed = own.get("type", "").partition(";")[0].strip().lower() in FEED_TYPES
        if tag == "link" and is_feed and "alternate" in own.get("rel", "").lower().split():
            self.feeds.append(own.get("href", ""))
