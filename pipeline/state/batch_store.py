"""Batches in Redis: what was submitted together, so that a client that left can come back.

A batch holds references only, a few hundred bytes an episode; the states are those of the job store's jobs.
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

from pipeline.errors import BatchError
from pipeline.state.redis import connect, readable_errors
from pipeline.types.batch_record import BatchRecord, Entry
from pipeline.types.found import Rejected, Skipped
from pipeline.types.text import well_formed

INDEX = "duet:batches"
PAGE = 500
OWNER_TTL_S = 60
"""How long a client may be silent while it submits a batch, by the broker's own time; then it counts as lost."""
OWNER_RENEW_S = 15.0


class BatchStore:
    """Reads and writes batches."""

    def __init__(self, client: Any = None) -> None:
        self.redis: Any = client or connect()

    def create(self, places: Sequence[str], destination: str, options: dict[str, Any]) -> BatchRecord:
        """Open a batch and return it; its id begins with the time, so that ids sort.

        Its client is to say within `OWNER_TTL_S` that it is there (`renew`), and to go on saying so.
        """
        now = time.time()
        batch = f"{datetime.fromtimestamp(now):%y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        record = BatchRecord(batch, now, tuple(map(well_formed, places)), destination, options)
        fields = {
            "created_at": now,
            "places": json.dumps([well_formed(place) for place in places]),
            "destination": destination,
            "options": json.dumps(options),
        }
        with readable_errors(), self.redis.pipeline() as pipe:
            pipe.hset(_key(batch), mapping=fields)
            pipe.set(_owner_key(batch), _owner(), ex=OWNER_TTL_S)
            pipe.zadd(INDEX, {batch: now})
            pipe.execute()
        return record

    def get(self, batch: str) -> BatchRecord:
        """Return a batch by its id, by the start of it, or the newest one for `last`.

        Raises:
            BatchError: there is none, or several begin so.
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
        """Write down episodes."""
        self._append(batch, "jobs", entries)

    def reject(self, batch: str, rejected: Sequence[Rejected]) -> None:
        """Write down what could not be submitted."""
        self._append(batch, "rejected", rejected)

    def skip(self, batch: str, skipped: Sequence[Skipped]) -> None:
        """Write down what is no episode."""
        self._append(batch, "skipped", skipped)

    def close(self, batch: str, *, abandoned: bool = False) -> None:
        """Write down that no more will be submitted; `abandoned`: though there was more."""
        now = time.time()
        with readable_errors(), self.redis.pipeline() as pipe:
            pipe.hset(_key(batch), mapping={"closed_at": now} | ({"abandoned_at": now} if abandoned else {}))
            pipe.delete(_owner_key(batch))
            pipe.execute()

    def renew(self, batch: str) -> None:
        """Renew the client's ownership of a batch; one that was taken for lost meanwhile opens it again."""
        with readable_errors(), self.redis.pipeline() as pipe:
            pipe.set(_owner_key(batch), _owner(), ex=OWNER_TTL_S)
            pipe.hdel(_key(batch), "closed_at", "abandoned_at")
            pipe.execute()

    def close_abandoned(self) -> list[str]:
        """Close the batches whose client is gone, and return their ids."""
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
        """Write down that the batch is cancelled, so that a client that still submits it stops."""
        self._note(batch, "cancelled_at")

    def is_cancelled(self, batch: str) -> bool:
        """Whether somebody has cancelled the batch."""
        with readable_errors():
            return bool(self.redis.hexists(_key(batch), "cancelled_at"))

    def created_before(self, before: float) -> list[str]:
        """Return the ids of the batches that were opened by then, oldest first."""
        with readable_errors():
            return list(self.redis.zrangebyscore(INDEX, "-inf", before))

    def remove(self, batch: str) -> None:
        """Forget a batch; its jobs stay as they are."""
        with readable_errors(), self.redis.pipeline() as pipe:
            pipe.delete(_key(batch), *(f"{_key(batch)}:{of}" for of in ("jobs", "rejected", "skipped", "owner")))
            pipe.zrem(INDEX, batch)
            pipe.execute()

    def forget(self, jobs: Collection[str]) -> int:
        """Remove jobs from all closed batches, and return the number of removed entries.

        A batch that is still submitted is followed by the places of its entries, so they stay until it goes by its age.
        """
        struck = 0
        for batch in self.ids():
            key = f"{_key(batch)}:jobs"
            with readable_errors():
                if not any(self.redis.hmget(_key(batch), "closed_at", "cancelled_at")):
                    continue
                texts = [text for text in self.redis.lrange(key, 0, -1) if json.loads(text)["job"] in jobs]
                for text in texts:
                    self.redis.lrem(key, 1, text)
            struck += len(texts)
            if texts and not any(self.count(batch, of) for of in ("jobs", "rejected")):
                self.remove(batch)
        return struck

    def entries(self, batch: str, first: int = 0) -> Iterator[Entry]:
        """Yield the episodes from the one with that index on, page by page, those added meanwhile too."""
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
    """Return the submitting process, for people who look into Redis."""
    return f"{socket.gethostname()} {os.getpid()}"
