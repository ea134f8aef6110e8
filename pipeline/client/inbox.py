"""Folders and prefixes that are watched: what is put there is submitted once it has stopped growing.

What was taken is remembered in Redis by its version; the file itself is never touched. Should Redis forget, all
is submitted again, and what is done is found to be done.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from redis.client import NEVER_DECODE

from pipeline.client.submitter import Submitter
from pipeline.errors import AudioError, BrokerError, DuetError, UnexpectedError
from pipeline.logs import as_duet_error
from pipeline.sources import LocalFile, Source, find
from pipeline.sources.bucket import BucketObject
from pipeline.state.job_store import JobStore
from pipeline.state.redis import readable_errors
from pipeline.storage import as_uri, join, open_storage, path_of

logger = logging.getLogger(__name__)
BESIDE = "-results"
"""Without a destination, results go to a folder beside the inbox, of its name and this."""


@dataclass(frozen=True)
class SeenFile:
    """Size and time of a file at the last scan."""

    version: str
    """Its size and time of change, or its ETag."""
    since: float
    """When this version was first seen, in seconds since the epoch."""
    taken: bool = False


class Inbox:
    """One watched place."""

    def __init__(self, place: str, destination: str | None, job_store: JobStore) -> None:
        self.place = place.rstrip("/")
        self.destination = as_uri(destination) if destination else as_uri(f"{self.place}{BESIDE}")
        self._job_store = job_store
        self._redis: Any = job_store.redis
        self._key = f"duet:inbox:{hashlib.sha256(as_uri(self.place).encode()).hexdigest()[:16]}"

    def look(self, now: float, settle_s: float) -> int:
        """Submit what is there and has not changed for that many seconds, and return how many those were.

        Raises:
            BrokerError: the broker does not answer.
        """
        taken = 0
        for source in self._episodes():
            try:
                taken += self._look_at(source, now, settle_s)
            except BrokerError:
                raise
            except Exception as error:
                logger.warning("%s is tried again: %s", source.name, as_duet_error(error, source.name))
        return taken

    def _look_at(self, source: LocalFile | BucketObject, now: float, settle_s: float) -> bool:
        """Submit a file if it has not changed for long enough; return whether it was taken."""
        name = _name(source)
        seen = self._seen(name)
        version = _version(source)
        if version is None:
            return False  # it is gone again
        if seen is None or seen.version != version:
            self._note(name, SeenFile(version, now))
        elif not seen.taken and now - seen.since >= settle_s and self._submit(source):
            self._note(name, replace(seen, taken=True))
            return True
        return False

    def forget_gone(self) -> int:
        """Forget files that are not in the inbox any more, and return how many those were.

        Raises:
            BrokerError: the broker does not answer.
            StorageError, TransientError: the bucket does not say what it holds.
        """
        with readable_errors():
            # Names of files need not be UTF-8.
            kept = self._redis.execute_command("HKEYS", self._key, **{NEVER_DECODE: True})
            if gone := self._gone([os.fsdecode(name) for name in kept]):
                self._redis.hdel(self._key, *map(os.fsencode, gone))
        return len(gone)

    def _gone(self, names: Sequence[str]) -> list[str]:
        if self.place.startswith("s3://"):
            there = {join(self.place, name) for name in open_storage(self.place).list()} if names else set()
            return [name for name in names if name not in there]
        if not Path(self.place).expanduser().is_dir():
            return []  # a folder that is not mounted now is no empty one
        return [name for name in names if not Path(name).exists()]

    def _episodes(self) -> Iterator[LocalFile | BucketObject]:
        try:
            yield from (it for it in find(self.place) if isinstance(it, LocalFile | BucketObject))
        except AudioError:
            return  # nothing is there yet
        except DuetError as error:
            logger.warning("The inbox %s cannot be read: %s", self.place, error)

    def _submit(self, source: Source) -> bool:
        """Submit a file; False where that is worth another try at the next look."""
        try:
            submitter = Submitter(self._mirrored(source), job_store=self._job_store)
            submitter.enqueue([submitter.prepare(source)])
            logger.info("Took %s", source.name)
        except BrokerError:
            raise
        except (AudioError, UnexpectedError) as error:
            logger.warning("%s stays in the inbox: %s", source.name, error)
        except DuetError as error:
            logger.warning("%s is tried again: %s", source.name, error)
            return False
        return True

    def _mirrored(self, source: Source) -> str:
        """Return the destination of a file's results: the folder that mirrors its own."""
        if isinstance(source, LocalFile) and self.destination.startswith("file:"):
            folders = source.path.absolute().parent.relative_to(Path(self.place).expanduser().absolute())
            return as_uri(path_of(self.destination) / folders)
        own = source.name if "://" in source.name else str(Path(source.name).absolute())
        root = self.place if "://" in self.place else str(Path(self.place).expanduser().absolute())
        folder = own.removeprefix(root).strip("/").rpartition("/")[0]
        return join(self.destination, *folder.split("/")) if folder else self.destination

    def _seen(self, name: bytes) -> SeenFile | None:
        found = self._redis.hget(self._key, name)
        return SeenFile(**json.loads(found)) if found else None

    def _note(self, name: bytes, seen: SeenFile) -> None:
        self._redis.hset(self._key, name, json.dumps(asdict(seen)))


def _name(source: LocalFile | BucketObject) -> bytes:
    """Return the name by which a file is remembered; it need not be UTF-8."""
    return os.fsencode(source.path) if isinstance(source, LocalFile) else source.name.encode()


def _version(source: LocalFile | BucketObject) -> str | None:
    if isinstance(source, BucketObject):
        return f"{source.item.tag} {source.item.size_bytes}"
    try:
        found = source.path.stat()
    except OSError:
        return None
    return f"{found.st_size} {found.st_mtime_ns}"
