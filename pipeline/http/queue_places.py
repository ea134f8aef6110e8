"""The places of waiting jobs in the queue, and about how long each waits, from the measured speed of the pools."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock

from pipeline.http.job_catalogue import Card
from pipeline.scaling.backlog import bytes_per_s, recent_records, speeds
from pipeline.state.job_store import JobStore
from pipeline.state.pool_status import worker_states
from pipeline.types import MODEL_LEGS, ModelLeg
from pipeline.types.pools import POOL_OF

KEPT_S = 2.0
SPEED_KEPT_S = 30.0


@dataclass(frozen=True)
class QueuePlace:
    """The place of a job in the queue of the first leg that it waits for."""

    leg: ModelLeg
    position: int
    """1 is served next."""
    audio_s: float
    """About the length of the audio before it, that of running jobs included."""
    starts_in_s: float | None
    """About the seconds until it begins; None until a job has ended, so that a speed is known."""


@dataclass(frozen=True)
class QueueState:
    """The queue at a moment."""

    places: dict[str, QueuePlace]
    audio_s: float
    """About the length of all audio that is not done."""
    done_in_s: float | None
    at_work: int


class QueueEstimate:
    """The places of all waiting jobs, worked out at most every `KEPT_S`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._state = QueueState({}, 0.0, None, 0)
        self._at = self._measured_at = float("-inf")
        self._speeds: dict[ModelLeg, float] = {}
        self._bytes_per_s = 0.0

    def state(self, job_store: JobStore, cards: Sequence[Card]) -> QueueState:
        """Return the queue as it is, or was a moment ago; may block.

        Raises:
            BrokerError: the broker does not answer.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._measured_at > SPEED_KEPT_S:
                self._measure(job_store)
                self._measured_at = now
            if now - self._at > KEPT_S:
                self._state = self._look(job_store, [it for it in cards if it.group == "open"])
                self._at = time.monotonic()
            return self._state

    def _measure(self, job_store: JobStore) -> None:
        records = recent_records(job_store)
        self._bytes_per_s = bytes_per_s(records)
        workers = [it.pool for it in worker_states()]
        found = speeds(records)
        self._speeds = {leg: found[leg] * max(1, workers.count(POOL_OF[leg])) for leg in MODEL_LEGS if leg in found}

    def _look(self, job_store: JobStore, cards: Sequence[Card]) -> QueueState:
        names = [f"{leg}.{field}" for leg in MODEL_LEGS for field in ("started_at", "done_s", "outcome")]
        fields = list(job_store.fields([it.job for it in cards], names))
        found = list(zip(cards, fields, strict=True))
        places: dict[str, QueuePlace] = {}
        for leg in reversed(MODEL_LEGS):  # the transcript comes first, and its place counts
            places |= self._places(leg, found)
        lengths = {leg: sum(self._left_s(leg, *it) for it in found) for leg in MODEL_LEGS}
        times = [lengths[leg] / self._speeds[leg] for leg in MODEL_LEGS if leg in self._speeds]
        return QueueState(places, max(lengths.values()), max(times, default=None), sum(map(_is_at_work, fields)))

    def _places(self, leg: ModelLeg, found: Iterable[tuple[Card, dict[str, str | None]]]) -> dict[str, QueuePlace]:
        open_ones = [(card, own) for card, own in found if leg in card.legs and not own[f"{leg}.outcome"]]
        waiting = [(card, own) for card, own in open_ones if not own[f"{leg}.started_at"]]
        before_s = sum(self._left_s(leg, card, own) for card, own in open_ones if own[f"{leg}.started_at"])
        places = {}
        for position, (card, own) in enumerate(sorted(waiting, key=lambda it: (it[0].priority, it[0].submitted_at)), 1):
            speed = self._speeds.get(leg)
            places[card.job] = QueuePlace(leg, position, before_s, before_s / speed if speed else None)
            before_s += self._left_s(leg, card, own)
        return places

    def _left_s(self, leg: ModelLeg, card: Card, own: dict[str, str | None]) -> float:
        if leg not in card.legs or own[f"{leg}.outcome"]:
            return 0.0
        length_s = card.audio_s or card.size_bytes / self._bytes_per_s
        return max(0.0, length_s - float(own[f"{leg}.done_s"] or 0.0))


def _is_at_work(own: dict[str, str | None]) -> bool:
    return any(own[f"{leg}.started_at"] and not own[f"{leg}.outcome"] for leg in MODEL_LEGS)
