"""The chapters that a publisher provides with an episode, in the JSON of Podcasting 2.0.

https://github.com/Podcastindex-org/podcast-namespace: chapters/jsonChapters.md
"""

import logging
from codecs import BOM_UTF8
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from pipeline.errors import DuetError
from pipeline.sources.http_client import first_bytes
from pipeline.types import Chapter, Publication
from pipeline.types.graphemes import clipped
from pipeline.types.publication import MOST_TEXT
from pipeline.types.text import well_formed

logger = logging.getLogger(__name__)
LIMIT_BYTES = 1_000_000
MOST_CHAPTERS = 500


class _Entry(BaseModel):
    start_s: Annotated[float, Field(alias="startTime", ge=0, allow_inf_nan=False)]
    title: str | None = None
    is_listed: Annotated[bool, Field(alias="toc")] = True
    """False for an entry that only changes the picture."""


class _File(BaseModel):
    chapters: list[_Entry]


def published_chapters(publication: Publication | None) -> tuple[Chapter, ...]:
    """Return a publisher's chapters in order, from one request; none if there is no such file.

    A result does not depend on the publisher's server: the log says why there are none.
    """
    if publication is None or publication.chapters is None:
        return ()
    url = publication.chapters.url
    try:
        _, data = first_bytes(url, LIMIT_BYTES)
        entries = _File.model_validate_json(data.removeprefix(BOM_UTF8)).chapters
    except DuetError as error:
        logger.warning("%s The episode's chapters are made from its transcript.", error)
        return ()
    except ValidationError:
        logger.warning("%s holds no chapters in JSON. The episode's are made from its transcript.", url)
        return ()
    titled = [(it.start_s, _line(it.title or "")) for it in entries if it.is_listed]
    return tuple(Chapter(start_s=start_s, title=title) for start_s, title in sorted(titled) if title)[:MOST_CHAPTERS]


def _line(text: str) -> str:
    return clipped(" ".join(well_formed(text).split()), MOST_TEXT)
