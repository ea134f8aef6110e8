"""Cache of the digests of audio, so that a folder of 10,000 files is not read twice."""

import logging
import sqlite3
from pathlib import Path
from threading import Lock

logger = logging.getLogger(__name__)


class Digests:
    """A map from a file's identity, such as its inode, size and time, to its episode.

    One SQLite file shared by threads and processes. If it cannot be written, a warning is logged, and all audio is
    read again each time.
    """

    def __init__(self, file: Path) -> None:
        self._lock = Lock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._database = _open(str(file))
        except (OSError, sqlite3.Error) as error:
            logger.warning("%s cannot be used (%s): audio is read again each time.", file, error)
            self._database = _open(":memory:")

    def get(self, key: str) -> tuple[str, int] | None:
        """Return the episode's id and size in bytes; None if the key is unknown."""
        with self._lock:
            found = self._database.execute("SELECT episode, size_bytes FROM digests WHERE key = ?", (key,)).fetchone()
        return (str(found[0]), int(found[1])) if found else None

    def put(self, key: str, episode: str, size_bytes: int) -> None:
        """Store an episode."""
        with self._lock:
            self._database.execute("INSERT OR REPLACE INTO digests VALUES (?, ?, ?)", (key, episode, size_bytes))

    def forget(self, episode: str) -> None:
        """Delete all entries of an episode."""
        with self._lock:
            self._database.execute("DELETE FROM digests WHERE episode = ?", (episode,))


def _open(file: str) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=30.0, isolation_level=None, check_same_thread=False)
    # Entries lost in a power cut only cost reading those files again.
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = OFF")
    database.execute(
        "CREATE TABLE IF NOT EXISTS digests (key TEXT PRIMARY KEY, episode TEXT NOT NULL, size_bytes INTEGER NOT NULL)"
    )
    return database
