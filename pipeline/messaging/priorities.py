"""Priorities of jobs: single episodes before batches, short episodes before long ones."""

from pipeline.types import Episode

SINGLE = 2
"""Priority of an episode submitted by itself."""
SHORT, MEDIUM, LONG = 4, 5, 6
"""Priorities of the episodes of a batch."""
MEDIUM_FROM_BYTES = 15_000_000
"""About a quarter of an hour of MP3 at 128 kbit/s."""
LONG_FROM_BYTES = 60_000_000
"""About an hour."""


def priority_of(episode: Episode, asked: int | None = None) -> int:
    """Return the requested priority, or that of a batch's episode by its size, since its length is not known yet."""
    if asked is not None:
        return asked
    if episode.size_bytes < MEDIUM_FROM_BYTES:
        return SHORT
    return MEDIUM if episode.size_bytes < LONG_FROM_BYTES else LONG
