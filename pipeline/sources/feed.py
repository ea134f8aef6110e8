"""Episodes of a podcast feed, RSS or Atom, with what the feed says of each."""

import calendar
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree

import feedparser

from pipeline.clock import iso
from pipeline.download import Download
from pipeline.errors import AudioError
from pipeline.sources.kinds import has_audio_suffix
from pipeline.sources.names import names_in
from pipeline.sources.source import Found, Skipped
from pipeline.sources.web import WebAudio
from pipeline.types import Publication, PublishedFile

FEED_LIMIT_BYTES = 50_000_000
TRANSCRIPT = "{https://podcastindex.org/namespace/1.0}transcript"


def feed_episodes(url: str) -> Iterator[Found]:
    """Yield what a feed encloses, in the feed's order; the feed is fetched anew only when it has changed.

    Raises:
        AddressError: the address is none, or not one that may be connected to.
        AudioError: it is no feed, or it encloses no audio.
        TransientError: its server does not answer.
    """
    file = Download(url).fetch(FEED_LIMIT_BYTES)
    feed = feedparser.parse(file.read_bytes(), sanitize_html=False)
    if not feed.version:
        raise AudioError(f"{url} is neither audio nor a podcast feed; give the address of the show's RSS feed.")
    transcripts = _transcripts(file)
    encloses_audio = False
    for entry in feed.entries:
        publication = _publication(url, feed.feed, entry, transcripts)
        if enclosure := _audio_of(entry):
            encloses_audio = True
            yield WebAudio(urljoin(url, enclosure["href"]), publication, str(enclosure.get("length", "")))
        else:
            yield Skipped(publication.link or publication.title or url, "it encloses no audio")
    if not encloses_audio:
        raise AudioError(f"{url} is a feed that encloses no audio.")


def _audio_of(entry: Any) -> dict[str, str] | None:
    """Return the first enclosure that is audio or video; many feeds say nothing but the address."""
    for enclosure in entry.get("enclosures", []):
        media_type = enclosure.get("type", "")
        href = enclosure.get("href", "")
        if href and (media_type.startswith(("audio/", "video/")) or has_audio_suffix(urlsplit(href).path)):
            return dict(enclosure)
    return None


def _publication(url: str, show: Any, entry: Any, transcripts: dict[str, list[PublishedFile]]) -> Publication:
    guid = str(entry.get("id", ""))
    parsed = entry.get("published_parsed") or entry.get("updated_parsed")
    last = entry.get("podcast_transcript")
    chapters = entry.get("podcast_chapters")
    return Publication(
        feed=url,
        show=str(show.get("title", "")),
        title=str(entry.get("title", "")),
        guid=guid,
        link=urljoin(url, str(entry.get("link", ""))) if entry.get("link") else "",
        published_at=iso(calendar.timegm(parsed)) if parsed else None,
        season=_number(entry.get("itunes_season") or entry.get("podcast_season")),
        number=_number(entry.get("itunes_episode") or entry.get("podcast_episode")),
        names=names_in(str(entry.get("title", "")), _notes(entry)),
        transcripts=tuple(transcripts.get(guid, ()) or ([_published(url, last)] if _has_url(last) else ())),
        chapters=_published(url, chapters) if _has_url(chapters) else None,
    )


def _notes(entry: Any) -> str:
    """Return the longest of what the feed tells of an episode, as HTML."""
    told = [str(content.get("value", "")) for content in entry.get("content", [])]
    return max([*told, str(entry.get("summary", ""))], key=len)


def _transcripts(file: Path) -> dict[str, list[PublishedFile]]:
    """Return every `<podcast:transcript>` by its item's guid: feedparser keeps the last one of an item only."""
    found: dict[str, list[PublishedFile]] = {}
    try:
        for _, item in ElementTree.iterparse(file):
            if item.tag == "item":
                own = [_published("", it.attrib) for it in item.iter(TRANSCRIPT) if it.get("url")]
                found[(item.findtext("guid") or "").strip()] = own
                item.clear()
    except ElementTree.ParseError:
        return {}  # feedparser reads feeds that are not well formed; its last one will do
    return found


def _published(url: str, attributes: Any) -> PublishedFile:
    return PublishedFile(
        url=urljoin(url, attributes["url"]),
        media_type=attributes.get("type", ""),
        language=attributes.get("language"),
    )


def _has_url(attributes: Any) -> bool:
    return isinstance(attributes, dict) and bool(attributes.get("url"))


def _number(text: Any) -> int | None:
    return int(text) if isinstance(text, str) and text.strip().isdecimal() else None
