"""Episodes of a podcast feed, RSS or Atom, with their metadata."""

import calendar
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree

import feedparser

from pipeline.errors import AudioError
from pipeline.logs import as_duet_error
from pipeline.sources.download import Download
from pipeline.sources.file_types import has_audio_suffix
from pipeline.sources.show_notes import names_in
from pipeline.sources.source import Found
from pipeline.sources.web import WebAudio
from pipeline.types import Publication, PublishedFile
from pipeline.types.found import Rejected, Skipped
from pipeline.types.text import well_formed
from pipeline.types.time_format import iso

FEED_LIMIT_BYTES = 50_000_000
TRANSCRIPT = "{https://podcastindex.org/namespace/1.0}transcript"


def feed_episodes(url: str) -> Iterator[Found]:
    """Yield the enclosures of a feed, in its order; the feed is downloaded only if it has changed.

    Raises:
        AddressError: the URL is invalid, or its host may not be connected to.
        AudioError: the response is not a feed, or the feed has no audio.
        TransientError: the server does not answer.
    """
    file = Download(url).fetch(FEED_LIMIT_BYTES)
    feed = feedparser.parse(file.read_bytes(), sanitize_html=False)
    if not feed.version:
        raise AudioError(f"{url} is neither audio nor a podcast feed; give the address of the show's RSS feed.")
    transcripts = _transcripts(file)
    encloses_audio = False
    for entry in feed.entries:
        found = _found(url, feed.feed, entry, transcripts)
        encloses_audio = encloses_audio or not isinstance(found, Skipped)
        yield found
    if not encloses_audio:
        raise AudioError(f"{url} is a feed that encloses no audio.")


def _found(url: str, show: Any, entry: Any, transcripts: dict[str, list[PublishedFile]]) -> Found:
    """Return the source of a feed's entry; any error rejects this entry only."""
    name = well_formed(str(entry.get("title") or entry.get("id") or url))
    try:
        publication = _publication(url, show, entry, transcripts)
        if not (enclosure := _audio_of(entry)):
            return Skipped(publication.link or publication.title or url, "it encloses no audio")
        address = _address(url, enclosure["href"])
        if not address:
            return Rejected(name, f"{enclosure['href']!r}, which the feed gives for {name!r}, is no address.")
        return WebAudio(address, publication, well_formed(str(enclosure.get("length", ""))))
    except Exception as error:
        return Rejected(name, str(as_duet_error(error, name)))


def _audio_of(entry: Any) -> dict[str, str] | None:
    """Return the first audio or video enclosure, by its media type or, as many feeds have none, its suffix."""
    for enclosure in entry.get("enclosures", []):
        media_type = enclosure.get("type", "")
        href = enclosure.get("href", "")
        if href and (media_type.startswith(("audio/", "video/")) or has_audio_suffix(href.partition("?")[0])):
            return dict(enclosure)
    return None


def _address(base: str, href: str) -> str:
    """Return a URL resolved against the feed's; empty if it is invalid."""
    try:
        address = urljoin(base, href.strip())
        parts = urlsplit(address)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ""
    return well_formed(address) if is_one else ""


def _publication(url: str, show: Any, entry: Any, transcripts: dict[str, list[PublishedFile]]) -> Publication:
    guid = well_formed(str(entry.get("id", "")))
    title = well_formed(str(entry.get("title", "")))
    parsed = entry.get("published_parsed") or entry.get("updated_parsed")
    last = entry.get("podcast_transcript")
    chapters = entry.get("podcast_chapters")
    return Publication(
        feed=url,
        show=well_formed(str(show.get("title", ""))),
        title=title,
        guid=guid,
        link=_address(url, str(entry.get("link") or "")),
        published_at=_date(parsed),
        season=_number(entry.get("itunes_season") or entry.get("podcast_season")),
        number=_number(entry.get("itunes_episode") or entry.get("podcast_episode")),
        names=names_in(title, _notes(entry)),
        transcripts=tuple(transcripts.get(guid, ()) or ([found] if (found := _published(url, last)) else ())),
        chapters=_published(url, chapters),
    )


def _notes(entry: Any) -> str:
    """Return the longest description of an episode in the feed, as HTML."""
    contents = [str(content.get("value", "")) for content in entry.get("content", [])]
    return well_formed(max([*contents, str(entry.get("summary", ""))], key=len))


def _transcripts(file: Path) -> dict[str, list[PublishedFile]]:
    """Return every `<podcast:transcript>` by its item's guid; feedparser returns only the last one of an item."""
    found: dict[str, list[PublishedFile]] = {}
    try:
        for _, item in ElementTree.iterparse(file):
            if item.tag == "item":
                own = [_published("", it.attrib) for it in item.iter(TRANSCRIPT)]
                found[(item.findtext("guid") or "").strip()] = [it for it in own if it]
                item.clear()
    except (ElementTree.ParseError, ValueError):
        return {}  # malformed XML, which feedparser accepts: the caller falls back to its last transcript
    return found


def _published(url: str, attributes: Any) -> PublishedFile | None:
    """Return a file that the feed links to; None if its URL is missing or invalid."""
    try:
        address = urljoin(url, attributes.get("url") or "")
    except (AttributeError, ValueError):
        return None
    if not attributes.get("url"):
        return None
    language = attributes.get("language")
    return PublishedFile(
        url=well_formed(address),
        media_type=well_formed(attributes.get("type", "")),
        language=well_formed(language) if language else None,
    )


def _date(parsed: Any) -> str | None:
    """Return the publication date in ISO 8601; None if it is missing or out of range."""
    try:
        return iso(calendar.timegm(parsed)) if parsed else None
    except (ValueError, OverflowError, OSError):
        return None


def _number(text: Any) -> int | None:
    return int(text) if isinstance(text, str) and re.fullmatch(r"\s*\d{1,9}\s*", text, re.ASCII) else None
