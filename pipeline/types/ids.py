"""Reproducible ids: an episode's from its bytes, a job's from the episode, the options and the destination."""

import hashlib
import json
from io import BufferedReader
from pathlib import Path

from slugify import slugify

from pipeline.types import Options

EPISODE_HEX_DIGITS = 16
OPTIONS_HEX_DIGITS = 8
NAMELESS = "episode"
"""Slug of a name without any letter or digit that has an ASCII form."""


def episode_id(audio: BufferedReader) -> str:
    """Return the first 16 hex digits of the SHA-256 of an open binary file."""
    return hashlib.file_digest(audio, "sha256").hexdigest()[:EPISODE_HEX_DIGITS]


def job_id(episode: str, options: Options, destination: str) -> str:
    """Return `<episode>-<8 hex digits of the options and the destination>`.

    The destination is part of it, so that the same episode with another destination is another job.
    """
    asked = json.dumps([options.identity(), destination.rstrip("/")], sort_keys=True)
    return f"{episode}-{hashlib.sha256(asked.encode()).hexdigest()[:OPTIONS_HEX_DIGITS]}"


def slug(name: str) -> str:
    """Return a file's stem as a name that is safe for a folder on any system and for an S3 key."""
    return slugify(Path(name).stem, max_length=60, word_boundary=True) or NAMELESS
