"""The result folders of a destination, by the episode each belongs to."""

from functools import cached_property
from threading import Lock

from pipeline.storage import open_storage
from pipeline.types import Episode


class ResultFolders:
    """The folders of a destination by the episode each is of; listed once, when first asked for.

    An episode's folder is found by its digest at the end of the name, so an episode whose file has another
    name now, or a feed another title, is the same episode.
    """

    def __init__(self, destination: str) -> None:
        self.destination = destination
        self._lock = Lock()

    def folder_of(self, episode: Episode) -> str | None:
        """Return the name of an episode's folder, or None where it has none; its own name comes first."""
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
