"""Episodes of a podcast feed, RSS, Atom or JSON Feed, with their metadata."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

from pipeline.errors import AudioError
from pipeline.logs import as_duet_error
from pipeline.sources.enclosures import audio_of
from pipeline.sources.feed_pages import FeedPage, feed_pages
from pipeline.sources.feed_text import date_of, plain
from pipeline.sources.podcast_tags import ItemTags, published_file
from pipeline.sources.show_notes import names_in
from pipeline.sources.source import Found
from pipeline.sources.web import WebAudio
from pipeline.sources.web_address import absolute, with_login_of
from pipeline.types import Person, Publication
from pipeline.types.found import Rejected, Skipped
from pipeline.types.text import well_formed

LONGEST_NAME = 300
LONGEST_NOTES = 100_000
"""Characters of an episode's notes that are searched for names."""


def feed_episodes(url: str) -> Iterator[Found]:
    """Yield the enclosures of a feed, in its order, page by page; a page is downloaded only if it has changed.

    An entry that was on an earlier page is left out; a page with nothing else is the last.

    Raises:
        AddressError: the URL is invalid, or its host may not be connected to.
        AudioError: the response is not a feed, or the feed has no audio.
        TransientError: the server does not answer.
    """
    encloses_audio = False
    earlier: set[tuple[str, ...]] = set()
    for page in feed_pages(url):
        if isinstance(page, Rejected):
            encloses_audio = True
            yield page
            continue
        own = [_identity(entry) for entry in page.entries]
        if earlier and earlier.issuperset(own):
            break
        for position, entry in enumerate(page.entries):
            if own[position] not in earlier:
                found = _found(page, entry, page.tags.of(position, len(page.entries)))
                encloses_audio = encloses_audio or not isinstance(found, Skipped)
                yield found
        earlier.update(own)
    if not encloses_audio:
        raise AudioError(f"{url} is a feed that encloses no audio.")


def _identity(entry: Any) -> tuple[str, ...]:
    """Return an identity of an entry within its feed; guids are missing or alike in some feeds."""
    enclosed = (str(it.get("href", "")) for it in entry.get("enclosures", []))
    return (str(entry.get("id", "")), str(entry.get("title", "")), *enclosed)


def _found(page: FeedPage, entry: Any, tags: ItemTags) -> Found:
    """Return the source of a feed's entry; any error rejects this entry only."""
    name = (plain(entry.get("title")) or plain(entry.get("id")) or page.url)[:LONGEST_NAME]
    try:
        publication = _publication(page, entry, tags)
        if not (enclosure := audio_of(entry, tags.alternates)):
            return Skipped(publication.link or publication.title or page.url, "it encloses no audio")
        address = absolute(_base(page, entry), enclosure["href"])
        if not address:
            return Rejected(name, f"{enclosure['href']!r}, which the feed gives for {name!r}, is no address.")
        return WebAudio(with_login_of(page.url, address), publication, well_formed(str(enclosure.get("length", ""))))
    except Exception as error:
        return Rejected(name, str(as_duet_error(error, name)))


def _base(page: FeedPage, entry: Any) -> str:
    """Return the base of an entry's addresses: `xml:base` where it is given, which feedparser notes with texts."""
    for name in ("title_detail", "summary_detail", "subtitle_detail"):
        if base := (entry.get(name) or {}).get("base"):
            return urljoin(page.base, str(base))
    return page.base


def _publication(page: FeedPage, entry: Any, tags: ItemTags) -> Publication:
    title = plain(entry.get("title"))
    last = published_file(page.base, entry.get("podcast_transcript"))
    return Publication(
        feed=page.url,
        show=plain(page.show.get("title")),
        title=title,
        guid=well_formed(str(entry.get("id") or "")),
        link=absolute(page.base, str(entry.get("link") or "")),
        published_at=_published_at(entry),
        season=_number(entry.get("itunes_season") or entry.get("podcast_season")),
        number=_number(entry.get("itunes_episode") or entry.get("podcast_episode")),
        names=names_in(title, _notes(entry)),
        people=_people(tags, page, entry),
        transcripts=tuple(tags.transcripts or ([last] if last else ())),
        chapters=published_file(page.base, entry.get("podcast_chapters")),
    )


def _published_at(entry: Any) -> str | None:
    published = date_of(entry.get("published"), entry.get("published_parsed"))
    if published or "updated" not in entry:
        return published
    return date_of(entry.get("updated"), entry.get("updated_parsed"))


def _people(tags: ItemTags, page: FeedPage, entry: Any) -> tuple[Person, ...]:
    """Return the people of an episode and of its show, then the authors of both, each name once."""
    authors = [plain((it.get("author_detail") or {}).get("name")) for it in (entry, page.show)]
    named = [Person(name=name, role="author") for name in authors if name and "@" not in name]
    found: dict[str, Person] = {}
    for person in [*tags.people, *page.tags.people, *named]:
        found.setdefault(person.name, person)
    return tuple(found.values())


def _notes(entry: Any) -> str:
    """Return the longest description of an episode in the feed, as HTML."""
    contents = [str(content.get("value", "")) for content in entry.get("content", [])]
    return well_formed(max([*contents, str(entry.get("summary") or "")], key=len)[:LONGEST_NOTES])


def _number(text: Any) -> int | None:
    return int(text) if isinstance(text, str) and re.fullmatch(r"\s*\d{1,9}\s*", text, re.ASCII) else None
