"""The Podcasting 2.0 tags of a feed that occur more than once in an item, of which feedparser returns only the last.

Source: https://podcasting2.org/docs/podcast-namespace/1.0
"""

import html
import re
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import urljoin
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from pipeline.sources.feed_text import plain
from pipeline.types import Person, PublishedFile
from pipeline.types.text import well_formed

_NAMESPACE = "{https://podcastindex.org/namespace/1.0}"
TRANSCRIPT = f"{_NAMESPACE}transcript"
PERSON = f"{_NAMESPACE}person"
ALTERNATE = f"{_NAMESPACE}alternateEnclosure"
SOURCE = f"{_NAMESPACE}source"
LIVE = f"{_NAMESPACE}liveItem"
ITEMS = frozenset({"item", "{http://purl.org/rss/1.0/}item", "{http://www.w3.org/2005/Atom}entry"})
_REFERENCE = re.compile(r"&(?:(#\d{1,8}|#x[\da-fA-F]{1,8}|[A-Za-z]\w{1,31});)?", re.ASCII)
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass
class ItemTags:
    """The tags of one item."""

    transcripts: list[PublishedFile] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    alternates: list[dict[str, str]] = field(default_factory=list)
    """Each source of its alternative enclosures, with `href` and `type`."""


@dataclass
class PodcastTags:
    """The tags of a feed's items, in the feed's order since a guid may be missing or there twice, and its people."""

    items: list[ItemTags] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)

    def of(self, position: int, count: int) -> ItemTags:
        """Return the tags of the item at a position; none if the feed was read as another number of items."""
        return self.items[position] if len(self.items) == count else ItemTags()


def read_tags(text: str, base: str = "") -> PodcastTags:
    """Return the tags of a feed; none if its XML is malformed, which feedparser accepts.

    Bare ampersands, entities of HTML and control characters are mended, since many feeds have them.
    """
    tags = PodcastTags()
    inside = 0
    try:
        for event, element in ElementTree.iterparse(BytesIO(_mended(text).encode()), events=("start", "end")):
            if element.tag in ITEMS or element.tag == LIVE:
                inside += 1 if event == "start" else -1
                if event == "end":
                    if element.tag != LIVE:
                        tags.items.append(_tags_of(element, base))
                    element.clear()
            elif element.tag == PERSON and event == "end" and not inside:
                tags.people += _people([element])
    except (ElementTree.ParseError, ValueError):
        return PodcastTags()
    return tags


def published_file(url: str, attributes: Any) -> PublishedFile | None:
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


def _tags_of(item: ElementTree.Element, base: str) -> ItemTags:
    files = [published_file(base, it.attrib) for it in item.iter(TRANSCRIPT)]
    alternates = [
        {"href": source.get("uri", ""), "type": source.get("contentType", it.get("type", ""))}
        for it in item.iter(ALTERNATE)
        for source in it.iter(SOURCE)
        if source.get("uri", "").lower().startswith(("http:", "https:", "/"))
    ]
    return ItemTags([it for it in files if it], _people(list(item.iter(PERSON))), alternates)


def _people(elements: list[ElementTree.Element]) -> list[Person]:
    """Return the people of some tags; a role that is not given is that of a host, as the namespace has it."""
    named = [(plain(it.text), it.get("role") or "host") for it in elements]
    return [Person(name=name, role=role.strip().lower()) for name, role in named if name]


def _mended(text: str) -> str:
    return _REFERENCE.sub(_mended_reference, _NOT_XML.sub("", text))


def _mended_reference(found: re.Match[str]) -> str:
    if found[1] in ("amp", "lt", "gt", "quot", "apos"):
        return found[0]
    character = html.unescape(found[0])
    return escape(character) if character != found[0] and not _NOT_XML.search(character) else "&amp;" + found[0][1:]
