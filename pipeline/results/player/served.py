"""The addresses that a page has where a server stands behind it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Served:
    """Addresses on the page's own server; a page in a file has none."""

    api: str
    """URL of the job, below which corrections and names of speakers are changed."""
    home: str
    """URL of the list of all episodes."""
    files: Mapping[str, str] = field(default_factory=dict)
    """URL of each file to download, by its ending."""
