"""The result folders of a destination, by episode."""

from functools import cached_property
from threading import Lock

from pipeline.storage import open_storage
from pipeline.types import Episode


class ResultFolders:
    """Looks up the folder of an episode; lists the destination once, on first use.

    A folder is identified by the digest at the end of its name, so an episode is the same after its file or its title
    in the feed was renamed.
    """

    def __init__(self, destination: str) -> None:
        self.destination = destination
        self._lock = Lock()

    def folder_of(self, episode: Episode) -> str | None:
        """Return the name of an episode's folder, preferably with its present name, or None if it has none."""
        with self._lock:
            folders = self._folders.get(episode.id, [])
        own = f"{episode.slug}-{episode.id}"
        return own if own in folders else folders[0] if folders else None

    @cached_property
    def _folders(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in open_storage(self.destination).folders():
            found.setdefault(name.rpartition("-")[2], []).append(name)
        return found
