"""The batch store: batches in Redis, so that a client can reconnect to its batch.

A batch consists of references, a few hundred bytes an episode; the states of its jobs are in the job store.
"""

import json
import os
import secrets
import socket
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from pipeline.errors import BatchError, without_credentials
from pipeline.state.redis import connect, readable_errors
from pipeline.types.batch_record import BatchRecord, Entry
from pipeline.types.found import Rejected, Skipped
from pipeline.types.text import well_formed

INDEX = "duet:batches"
PAGE = 500
OWNER_TTL_S = 60
"""Seconds without renewal, by the broker's time, after which the submitter of a batch counts as lost."""
OWNER_RENEW_S = 15.0


class BatchStore:
    """Reads and writes batches."""

    def __init__(self, client: Any = None) -> None:
        self.redis: Any = client or connect()

    def create(self, places: Sequence[str], destination: str, options: dict[str, Any]) -> BatchRecord:
        """Open a batch and return it; its id begins with the time, so that ids sort.

        The submitter must call `renew` at least every `OWNER_TTL_S` seconds.
        """
        now = time.time()
        batch = self._claim_id(now)
        shown = tuple(well_formed(without_credentials(place)) for place in places)
        record = BatchRecord(batch, now, shown, destination, options)
        fields = {
            "places": json.dumps(shown),
            "destination": destination,
            "options": json.dumps(options),
        }
        with readable_errors(), self.redis.pipeline() as pipe:
            pipe.hset(_key(batch), mapping=fields)
            pipe.set(_owner_key(batch), _owner(), ex=OWNER_TTL_S)
            pipe.zadd(INDEX, {batch: now})
            pipe.execute()
        return record

    def _claim_id(self, now: float) -> str:
        """Return an id that no other batch has; of batches of the same second, each takes its own."""
        with readable_errors():
            while True:
                batch = f"{datetime.fromtimestamp(now):%y%m%d-%H%M%S}-{secrets.token_hex(2)}"
                if self.redis.hsetnx(_key(batch), "created_at", now):
                    return batch

    def get(self, batch: str) -> BatchRecord:
        """Return a batch by its id or a prefix of it, or the newest one for `last`.

        Raises:
            BatchError: no batch matches, or several do.
        """
        known = self.ids()
        if batch == "last" and known:
            batch = known[-1]
        matches = [it for it in known if it.startswith(batch)] if batch not in known else [batch]
        if not matches:
            raise BatchError(f"There is no batch {batch!r} on this broker; `duet status` lists them.")
        if len(matches) > 1:
            raise BatchError(f"Several batches begin with {batch!r}: {', '.join(matches[:3])}; give more of the id.")
        with readable_errors():
            fields = self.redis.hgetall(_key(matches[0]))
        return BatchRecord(
            id=matches[0],
            created_at=float(fields["created_at"]),
            places=tuple(json.loads(fields["places"])),
            destination=fields["destination"],
            options=json.loads(fields["options"]),
            closed_at=float(fields["closed_at"]) if "closed_at" in fields else None,
            cancelled_at=float(fields["cancelled_at"]) if "cancelled_at" in fields else None,
            abandoned_at=float(fields["abandoned_at"]) if "abandoned_at" in fields else None,
        )

    def ids(self) -> list[str]:
        """Return the ids of all batches, oldest first."""
        with readable_errors():
            return list(self.redis.zrange(INDEX, 0, -1))

    def add(self, batch: str, entries: Sequence[Entry]) -> None:
        """Add submitted episodes to a batch."""
        self._append(batch, "jobs", entries)

    def reject(self, batch: str, rejected: Sequence[Rejected]) -> None:
        """Add rejected sources to a batch."""
        self._append(batch, "rejected", rejected)

    def skip(self, batch: str, skipped: Sequence[Skipped]) -> None:
        """Add skipped sources to a batch."""
        self._append(batch, "skipped", skipped)

    def close(self, batch: str, *, abandoned: bool = False) -> None:
        """Close a batch to submission; `abandoned`: its submitter was lost before the end."""
        now = time.time()
        with readable_errors(), self.redis.pipeline() as pipe:
            pipe.hset(_key(batch), mapping={"closed_at": now} | ({"abandoned_at": now} if abandoned else {}))
            pipe.delete(_owner_key(batch))
            pipe.execute()

    def renew(self, batch: str) -> None:
        """Renew the submitter's ownership of a batch; reopens a batch that was closed as abandoned."""
        with readable_errors(), self.redis.pipeline() as pipe:
            pipe.set(_owner_key(batch), _owner(), ex=OWNER_TTL_S)
            pipe.hdel(_key(batch), "closed_at", "abandoned_at")
            pipe.execute()

    def close_abandoned(self) -> list[str]:
        """Close the batches whose submitter is lost, and return their ids."""
        closed = []
        ids = self.ids()
        for first in range(0, len(ids), PAGE):
            page = ids[first : first + PAGE]
            with readable_errors(), self.redis.pipeline(transaction=False) as pipe:
                for batch in page:
                    pipe.hmget(_key(batch), "created_at", "closed_at", "cancelled_at")
                    pipe.exists(_owner_key(batch))
                answers = pipe.execute()
            for batch, (created_at, *ended_at), has_owner in zip(page, answers[::2], answers[1::2], strict=True):
                if created_at and not any(ended_at) and not has_owner:
                    self.close(batch, abandoned=True)
                    closed.append(batch)
        return closed

    def cancel(self, batch: str) -> None:
        """Mark a batch as cancelled, so that its submitter stops."""
        self._note(batch, "cancelled_at")

    def is_cancelled(self, batch: str) -> bool:
        """Return whether a batch is cancelled."""
        with readable_errors():
            return bool(self.redis.hexists(_key(batch), "cancelled_at"))

    def created_before(self, before: float) -> list[str]:
        """Return the ids of the batches that were created by then, oldest first."""
        with readable_errors():
            return list(self.redis.zrangebyscore(INDEX, "-inf", before))

    def remove(self, batch: str) -> None:
        """Remove a batch; its jobs stay."""
        with readable_errors(), self.redis.pipeline() as pipe:
            pipe.delete(_key(batch), *(f"{_key(batch)}:{of}" for of in ("jobs", "rejected", "skipped", "owner")))
            pipe.zrem(INDEX, batch)
            pipe.execute()

    def forget(self, jobs: Collection[str]) -> int:
        """Remove jobs from all closed batches, and return the number of removed entries.

        Clients follow a batch under submission by the indices of its entries, so its entries stay until it expires.
        """
        removed = 0
        for batch in self.ids():
            key = f"{_key(batch)}:jobs"
            with readable_errors():
                if not any(self.redis.hmget(_key(batch), "closed_at", "cancelled_at")):
                    continue
                texts = [text for text in self.redis.lrange(key, 0, -1) if json.loads(text)["job"] in jobs]
                for text in texts:
                    self.redis.lrem(key, 1, text)
            removed += len(texts)
            if texts and not any(self.count(batch, of) for of in ("jobs", "rejected")):
                self.remove(batch)
        return removed

    def entries(self, batch: str, first: int = 0) -> Iterator[Entry]:
        """Yield the episodes starting at index `first`, page by page, including those added meanwhile."""
        return (Entry(**it) for it in self._pages(batch, "jobs", first))

    def rejected(self, batch: str, first: int = 0) -> Iterator[Rejected]:
        """Yield the sources that could not be submitted."""
        return (Rejected(**it) for it in self._pages(batch, "rejected", first))

    def skipped(self, batch: str, first: int = 0) -> Iterator[Skipped]:
        """Yield the sources that are no episodes."""
        return (Skipped(**it) for it in self._pages(batch, "skipped", first))

    def count(self, batch: str, of: Literal["jobs", "rejected", "skipped"]) -> int:
        """Return the current number of entries."""
        with readable_errors():
            return int(self.redis.llen(f"{_key(batch)}:{of}"))

    def _append(self, batch: str, of: str, values: Sequence[Entry | Rejected | Skipped]) -> None:
        if values:
            with readable_errors():
                self.redis.rpush(f"{_key(batch)}:{of}", *(json.dumps(asdict(value)) for value in values))

    def _note(self, batch: str, field: str) -> None:
        with readable_errors():
            self.redis.hset(_key(batch), field, time.time())

    def _pages(self, batch: str, of: str, first: int) -> Iterator[dict[str, Any]]:
        while True:
            with readable_errors():
                page = self.redis.lrange(f"{_key(batch)}:{of}", first, first + PAGE - 1)
            yield from map(json.loads, page)
            first += len(page)
            if len(page) < PAGE:
                return


def _key(batch: str) -> str:
    return f"duet:batch:{batch}"


def _owner_key(batch: str) -> str:
    return f"{_key(batch)}:owner"


def _owner() -> str:
    """Return host and pid of the submitter, for debugging in Redis."""
    return f"{socket.gethostname()} {os.getpid()}"
