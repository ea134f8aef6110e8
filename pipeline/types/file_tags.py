"""Tags of an audio file."""

from typing import Annotated

from pydantic import BeforeValidator

from pipeline.types.graphemes import clipped
from pipeline.types.model import Model
from pipeline.types.text import one_line, well_formed

MOST_TAG = 500
"""Characters of the longest tag; the rest is cut off."""


def _tidied(text: object) -> object:
    return clipped(one_line(well_formed(text)), MOST_TAG) if isinstance(text, str) else text


Tag = Annotated[str, BeforeValidator(_tidied)]


class FileTags(Model):
    """Tags of an audio file that describe the episode; empty where the file has none."""

    title: Tag = ""
    show: Tag = ""
    """The album, in which podcasts write the name of the show."""
