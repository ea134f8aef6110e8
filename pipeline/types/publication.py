"""A feed's description of an episode."""

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from pipeline.errors import without_credentials, without_user
from pipeline.types.graphemes import clipped
from pipeline.types.model import Model


def _cut(most: int) -> Callable[[object], object]:
    """Return a validator that truncates a feed's texts; a user's own input is rejected instead."""

    def cut(text: object) -> object:
        if isinstance(text, str):
            return clipped(text, most)
        return text[:most] if isinstance(text, (tuple, list)) else text

    return cut


def _without_long(files: object) -> object:
    """Return the files without those whose URL is too long, since a truncated URL is useless."""
    if not isinstance(files, (tuple, list)):
        return files
    urls = [it.get("url") if isinstance(it, dict) else getattr(it, "url", "") for it in files]
    return [it for it, url in zip(files, urls, strict=True) if len(str(url)) <= MOST_URL][:MOST_FILES]


MOST_TEXT = 500
"""Characters of the longest text of a feed; each text is in the messages of all legs of every episode."""
MOST_URL = 2000
MOST_FILES = 20
MOST_TERMS = 200
MOST_TERM = 100
MOST_PEOPLE = 30
Text = Annotated[str, BeforeValidator(_cut(MOST_TEXT))]
ShortText = Annotated[str, BeforeValidator(_cut(MOST_TERM))]
ShownUrl = Annotated[str, AfterValidator(lambda url: without_credentials(url)[:MOST_URL])]
"""A URL for display, not for requests: without user, password and query."""


class PublishedFile(Model):
    """A file that a publisher provides with an episode."""

    url: ShownUrl
    media_type: Text = ""
    """Media type, such as `text/vtt` or `application/json+chapters`."""
    language: Text | None = None


class Person(Model):
    """Someone whom a feed names."""

    name: ShortText
    role: ShortText = ""
    """Such as `host` or `guest`, as the feed says."""


class Publication(Model):
    """A feed's description of an episode."""

    feed: ShownUrl
    """URL of the feed."""
    show: Text = ""
    title: Text = ""
    guid: Text = ""
    link: Annotated[str, AfterValidator(lambda url: without_user(url) if len(url) <= MOST_URL else "")] = ""
    """URL of the episode's page."""
    published_at: str | None = None
    """Time of publication in ISO 8601, in UTC."""
    season: int | None = None
    number: int | None = None
    """The episode's number within its season or show."""
    names: Annotated[tuple[Text, ...], BeforeValidator(_cut(MOST_TERMS))] = ()
    """Names in its title and notes; both models are told them, as `Options.vocabulary`."""
    people: Annotated[tuple[Person, ...], BeforeValidator(_cut(MOST_PEOPLE))] = ()
    """People whom the feed names (`<podcast:person>`, author), those of the episode before those of the show."""
    transcripts: Annotated[tuple[PublishedFile, ...], BeforeValidator(_without_long)] = ()
    """The publisher's transcripts (`<podcast:transcript>`)."""
    chapters: PublishedFile | None = None
    """The publisher's chapters (`<podcast:chapters>`)."""
