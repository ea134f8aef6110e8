"""Episodes of a podcast feed, RSS or Atom, with their metadata."""

import calendar
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

import feedparser

from pipeline.errors import AudioError
from pipeline.logs import as_duet_error
from pipeline.sources.download import Download
from pipeline.sources.file_types import has_audio_suffix
from pipeline.sources.podcast_tags import PodcastTags, published_file, read_tags
from pipeline.sources.show_notes import names_in
from pipeline.sources.source import Found
from pipeline.sources.web import WebAudio
from pipeline.types import Person, Publication
from pipeline.types.found import Rejected, Skipped
from pipeline.types.text import well_formed
from pipeline.types.time_format import iso

FEED_LIMIT_BYTES = 50_000_000


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
    tags = read_tags(file)
    encloses_audio = False
    for entry in feed.entries:
        found = _found(url, feed.feed, entry, tags)
        encloses_audio = encloses_audio or not isinstance(found, Skipped)
        yield found
    if not encloses_audio:
        raise AudioError(f"{url} is a feed that encloses no audio.")


def _found(url: str, show: Any, entry: Any, tags: PodcastTags) -> Found:
    """Return the source of a feed's entry; any error rejects this entry only."""
    name = well_formed(str(entry.get("title") or entry.get("id") or url))
    try:
        publication = _publication(url, show, entry, tags)
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


def _publication(url: str, show: Any, entry: Any, tags: PodcastTags) -> Publication:
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
        people=_people(guid, tags, entry, show),
        transcripts=tuple(tags.transcripts_of(guid) or ([found] if (found := published_file(url, last)) else ())),
        chapters=published_file(url, chapters),
    )


def _people(guid: str, tags: PodcastTags, entry: Any, show: Any) -> tuple[Person, ...]:
    """Return the people of an episode and of its show, then the authors of both, each name once."""
    authors = [well_formed(str((it.get("author_detail") or {}).get("name") or "")) for it in (entry, show)]
    named = [Person(name=name, role="author") for name in authors if name and "@" not in name]
    found: dict[str, Person] = {}
    for person in [*tags.people_of(guid), *named]:
        found.setdefault(person.name, person)
    return tuple(found.values())


def _notes(entry: Any) -> str:
    """Return the longest description of an episode in the feed, as HTML."""
    contents = [str(content.get("value", "")) for content in entry.get("content", [])]
    return well_formed(max([*contents, str(entry.get("summary", ""))], key=len))


def _date(parsed: Any) -> str | None:
    """Return the publication date in ISO 8601; None if it is missing or out of range."""
    try:
        return iso(calendar.timegm(parsed)) if parsed else None
    except (ValueError, OverflowError, OSError):
        return None


def _number(text: Any) -> int | None:
    return int(text) if isinstance(text, str) and re.fullmatch(r"\s*\d{1,9}\s*", text, re.ASCII) else None
