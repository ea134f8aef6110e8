"""The catalogue of all jobs: the few facts that the list is filtered by, read once for a job that has ended."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Literal

from pipeline.state.job_store import INDEX, OPEN, JobStore
from pipeline.state.redis import readable_errors
from pipeline.types import LEGS, JobState

Group = Literal["open", "done", "attention", "cancelled"]
"""The states as people look for them: `attention` is failed or partial."""
GROUPS: dict[str, Group] = {
    JobState.COMPLETED: "done",
    JobState.PARTIAL: "attention",
    JobState.FAILED: "attention",
    JobState.CANCELLED: "cancelled",
}
KEPT_S = 10.0
"""Seconds after which all is looked at again, for clients whose clocks differ."""
FIELDS = ("spec", "state", "ended_at", *(f"{leg}.outcome" for leg in LEGS))


@dataclass(frozen=True)
class Card:
    """The facts of one job that the list is filtered, ordered and summed up by."""

    job: str
    submitted_at: float
    group: Group
    title: str
    show: str
    file_name: str
    priority: int
    size_bytes: int
    legs: tuple[str, ...]
    """The legs that the job runs on a model."""
    audio_s: float
    """Length of the audio; 0 until a leg has told it."""
    ended_at: float

    @cached_property
    def text(self) -> str:
        """The text that a filter by words looks at, in lower case."""
        return f"{self.title}\n{self.show}\n{self.file_name}".lower()


@dataclass(frozen=True)
class JobFilter:
    """The jobs to list; an empty part lets all pass."""

    group: Group | None = None
    show: str = ""
    text: str = ""
    jobs: frozenset[str] | None = None
    """The jobs of a batch; None: of all."""

    @property
    def is_empty(self) -> bool:
        """Whether all jobs pass."""
        return self.group is None and not self.show and not self.text.strip() and self.jobs is None

    def passes(self, card: Card) -> bool:
        """Return whether a job is to be listed."""
        return (
            (self.group is None or card.group == self.group)
            and (not self.show or card.show == self.show)
            and (self.jobs is None or card.job in self.jobs)
            and all(word in card.text for word in self.text.lower().split())
        )


class JobCatalogue:
    """The cards of all jobs of a broker, in memory; only what has changed is read again."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._cards: dict[str, Card] = {}
        self._listed: list[Card] = []
        self._mark: tuple[object, ...] = ()
        self._read_at = float("-inf")

    def cards(self, job_store: JobStore) -> list[Card]:
        """Return the cards of all jobs, newest first; may block.

        Raises:
            BrokerError: the broker does not answer.
        """
        with self._lock:
            if (mark := _mark(job_store)) == self._mark and time.monotonic() - self._read_at < KEPT_S:
                return self._listed
            with readable_errors(), job_store.redis.pipeline(transaction=False) as pipe:
                pipe.zrange(INDEX, 0, -1, desc=True, withscores=True)
                pipe.smembers(OPEN)
                listed, is_open = pipe.execute()
            old = self._cards
            new = [job for job, at in listed if not _is_current(old.get(job), at, job in is_open)]
            read = dict(zip(new, _read(job_store, new, is_open), strict=True))
            found = [(job, read[job] if job in read else old[job]) for job, _ in listed]
            self._cards = {job: card for job, card in found if card}
            self._listed = list(self._cards.values())
            self._mark, self._read_at = mark, time.monotonic()
            return self._listed


def _mark(job_store: JobStore) -> tuple[object, ...]:
    """Return three figures of which one changes with every job that begins, ends or is removed."""
    with readable_errors(), job_store.redis.pipeline(transaction=False) as pipe:
        pipe.zcard(INDEX)
        pipe.scard(OPEN)
        pipe.zrange(INDEX, 0, 0, desc=True, withscores=True)
        count, open_count, newest = pipe.execute()
    return (count, open_count, *newest)


def _is_current(card: Card | None, submitted_at: float, is_open: bool) -> bool:
    return card is not None and card.submitted_at == submitted_at and (card.group == "open") == is_open


def _read(job_store: JobStore, jobs: list[str], is_open: set[str]) -> Iterable[Card | None]:
    scores = dict(zip(jobs, job_store.redis.zmscore(INDEX, jobs), strict=True)) if jobs else {}
    for job, fields in zip(jobs, job_store.fields(jobs, FIELDS), strict=True):
        yield _card(job, scores[job] or 0.0, fields, job in is_open) if fields["spec"] else None


def _card(job: str, submitted_at: float, fields: dict[str, str | None], is_open: bool) -> Card:
    # Not validated as whole records, of which a thousand take a tenth of a second.
    spec = json.loads(fields["spec"] or "{}")
    outcomes = [json.loads(text) for leg in LEGS if (text := fields[f"{leg}.outcome"])]
    tags = [it.get("tags") or {} for it in outcomes]
    published = spec["episode"].get("publication") or {}
    source = spec["episode"]["source"]
    file_name = source.rstrip("/").rpartition("/")[2] or source
    return Card(
        job=job,
        submitted_at=submitted_at,
        group="open" if is_open else GROUPS.get(fields["state"] or "", "attention"),
        title=published.get("title") or next((it["title"] for it in tags if it.get("title")), "") or file_name,
        show=published.get("show") or next((it["show"] for it in tags if it.get("show")), ""),
        file_name=file_name,
        priority=spec.get("priority", 5),
        size_bytes=spec["episode"]["size_bytes"],
        legs=tuple(spec["options"].get("legs") or ("whisper", "voxtral")),
        audio_s=max((it.get("audio_s") or 0.0 for it in outcomes), default=0.0),
        ended_at=float(fields["ended_at"] or submitted_at),
    )
