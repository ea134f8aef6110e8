"""Inboxes: watched folders and prefixes with files that are submitted once they have stopped growing.

The versions of submitted files are stored in Redis; the files themselves are never changed. If Redis loses its data,
all files are submitted again, and those with results are found to be done.
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
from pipeline.storage import S3, as_uri, bucket_and_key, is_local, join, open_storage, path_of

logger = logging.getLogger(__name__)
BESIDE = "-results"
"""Suffix of the default destination, a folder beside the inbox."""


@dataclass(frozen=True)
class SeenFile:
    """The version of a file at the last scan."""

    version: str
    """Size and modification time of a file, or ETag and size of an object."""
    since: float
    """First scan with this version, in seconds since the epoch."""
    taken: bool = False


class Inbox:
    """A watched folder or prefix."""

    def __init__(self, place: str, destination: str | None, job_store: JobStore) -> None:
        self.place = str(path_of(as_uri(place))) if is_local(as_uri(place)) else place
        self.destination = as_uri(destination or f"{self.place.rstrip('/')}{BESIDE}")
        self._job_store = job_store
        self._redis: Any = job_store.redis
        self._key = f"duet:inbox:{hashlib.sha256(as_uri(self.place).encode()).hexdigest()[:16]}"

    def scan(self, now: float, settle_s: float) -> int:
        """Submit the files that have not changed for `settle_s` seconds, and return their number.

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
        """Submit a file if it has not changed for long enough; return whether it was submitted."""
        name = _name(source)
        seen = self._load(name)
        version = _version(source)
        if version is None:
            return False  # it was deleted meanwhile
        if seen is None or seen.version != version:
            self._note(name, SeenFile(version, now))
        elif not seen.taken and now - seen.since >= settle_s and self._submit(source):
            self._note(name, replace(seen, taken=True))
            return True
        return False

    def forget_gone(self) -> int:
        """Remove the entries of files that are no longer in the inbox, and return their number.

        Raises:
            BrokerError: the broker does not answer.
            StorageError, TransientError: the bucket cannot be listed.
        """
        with readable_errors():
            # File names may be invalid UTF-8.
            kept = self._redis.execute_command("HKEYS", self._key, **{NEVER_DECODE: True})
            if gone := self._find_deleted([os.fsdecode(name) for name in kept]):
                self._redis.hdel(self._key, *map(os.fsencode, gone))
        return len(gone)

    def _find_deleted(self, names: Sequence[str]) -> list[str]:
        bucket, prefix = bucket_and_key(self.place)
        if bucket:
            there = set(open_storage(f"{S3}{bucket}").list(prefix)) if names else set()
            return [name for name in names if bucket_and_key(name)[1] not in there]
        if not Path(self.place).is_dir():
            return []  # an unmounted folder does not mean deleted files
        return [name for name in names if not Path(name).exists()]

    def _episodes(self) -> Iterator[LocalFile | BucketObject]:
        try:
            yield from (it for it in find(self.place) if isinstance(it, LocalFile | BucketObject))
        except AudioError:
            return  # the inbox is empty
        except DuetError as error:
            logger.warning("The inbox %s cannot be read: %s", self.place, error)

    def _submit(self, source: Source) -> bool:
        """Submit a file; return False if the next scan should try again."""
        try:
            submitter = Submitter(self._destination_of(source), job_store=self._job_store)
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

    def _destination_of(self, source: Source) -> str:
        """Return the destination of a file's results, with the same subfolders as in the inbox."""
        own = str(source.path) if isinstance(source, LocalFile) else source.name
        folders = own.removeprefix(self.place).split("/")[:-1]
        # A key may have parts that would lead out of a folder.
        return join(self.destination, *(it for it in folders if it not in ("", ".", "..")))

    def _load(self, name: bytes) -> SeenFile | None:
        found = self._redis.hget(self._key, name)
        return SeenFile(**json.loads(found)) if found else None

    def _note(self, name: bytes, seen: SeenFile) -> None:
        self._redis.hset(self._key, name, json.dumps(asdict(seen)))


def _name(source: LocalFile | BucketObject) -> bytes:
    """Return the name of a file in Redis, which may be invalid UTF-8."""
    return os.fsencode(source.path) if isinstance(source, LocalFile) else source.name.encode()


def _version(source: LocalFile | BucketObject) -> str | None:
    if isinstance(source, BucketObject):
        return f"{source.item.tag} {source.item.size_bytes}"
    try:
        found = source.path.stat()
    except OSError:
        return None
    return f"{found.st_size} {found.st_mtime_ns}"
