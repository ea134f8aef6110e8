"""The Podcasting 2.0 tags of a feed that occur more than once in an item, of which feedparser returns only the last.

Source: https://podcasting2.org/docs/podcast-namespace/1.0
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin
from xml.etree import ElementTree

from pipeline.types import Person, PublishedFile
from pipeline.types.text import well_formed

_NAMESPACE = "{https://podcastindex.org/namespace/1.0}"
TRANSCRIPT = f"{_NAMESPACE}transcript"
PERSON = f"{_NAMESPACE}person"
ITEMS = frozenset({"item", f"{_NAMESPACE}liveItem"})


@dataclass
class PodcastTags:
    """The transcripts and people of a feed's items, by their guid, and the people of the show."""

    transcripts: dict[str, list[PublishedFile]] = field(default_factory=dict)
    people: dict[str, list[Person]] = field(default_factory=dict)
    show_people: list[Person] = field(default_factory=list)

    def transcripts_of(self, guid: str) -> list[PublishedFile]:
        """Return every `<podcast:transcript>` of an item."""
        return self.transcripts.get(guid, [])

    def people_of(self, guid: str) -> list[Person]:
        """Return every `<podcast:person>` of an item, then those of the show."""
        return [*self.people.get(guid, []), *self.show_people]


def read_tags(file: Path) -> PodcastTags:
    """Return the tags of a feed; none if its XML is malformed, which feedparser accepts."""
    tags = PodcastTags()
    is_inside = False
    try:
        for event, element in ElementTree.iterparse(file, events=("start", "end")):
            if element.tag in ITEMS:
                is_inside = event == "start"
                if event == "end":
                    _add_item(tags, element)
                    element.clear()
            elif element.tag == PERSON and event == "end" and not is_inside:
                tags.show_people += _people([element])
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


def _add_item(tags: PodcastTags, item: ElementTree.Element) -> None:
    guid = (item.findtext("guid") or "").strip()
    files = [published_file("", it.attrib) for it in item.iter(TRANSCRIPT)]
    tags.transcripts[guid] = [it for it in files if it]
    tags.people[guid] = _people(list(item.iter(PERSON)))


def _people(elements: list[ElementTree.Element]) -> list[Person]:
    """Return the people of some tags; a role that is not given is that of a host, as the namespace has it."""
    named = [(" ".join((it.text or "").split()), it.get("role") or "host") for it in elements]
    return [Person(name=name, role=role.strip().lower()) for name, role in named if name]
