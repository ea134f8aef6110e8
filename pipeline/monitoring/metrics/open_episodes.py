"""Gauges of the open episodes: their number, longest wait per step and longest silence per leg."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client.core import GaugeMetricFamily

from pipeline.state.job_store import JobStore
from pipeline.types import FINAL_STATES, JobState
from pipeline.types.job import LEGS

STATES = tuple(state.value for state in JobState if state not in FINAL_STATES)
WAITS = (*LEGS, "opinion", "merge")
"""Steps that an episode may wait for."""
LEG_FIELDS = ("started_at", "seen_at", "ended_at")
FIELDS = ("state", "submitted_at", "opinion_asked_at", *(f"{leg}.{name}" for leg in LEGS for name in LEG_FIELDS))


def open_episodes(job_store: JobStore) -> Iterator[GaugeMetricFamily]:
    """Yield the gauges of open episodes."""
    now, found = time.time(), _read_totals(job_store)
    count = GaugeMetricFamily("duet_episodes", "Episodes that have not ended, by where they are.", labels=["state"])
    for state in STATES:
        count.add_metric([state], found.states[state])
    waits = GaugeMetricFamily(
        "duet_oldest_wait_seconds", "How long the episode has waited that waits longest for a step.", labels=["step"]
    )
    for step in WAITS:
        waits.add_metric([step], max(0.0, now - found.waiting_since.get(step, now)))
    silence = GaugeMetricFamily(
        "duet_longest_silence_seconds", "How long that leg has said nothing which is most silent.", labels=["leg"]
    )
    for leg in LEGS:
        silence.add_metric([leg], max(0.0, now - found.silent_since.get(leg, now)))
    yield from (count, waits, silence)


@dataclass
class _Totals:
    """Totals of open episodes; times are the oldest, in seconds since the epoch."""

    states: "Counter[str]" = field(default_factory=Counter)
    waiting_since: dict[str, float] = field(default_factory=dict)
    silent_since: dict[str, float] = field(default_factory=dict)

    def add(self, fields: dict[str, str | None]) -> None:
        """Count one episode by the fields of its hash."""
        state, submitted_at = fields["state"], fields["submitted_at"]
        if state not in STATES or submitted_at is None:
            return  # it has ended meanwhile
        self.states[state] += 1
        ended = [at for leg in LEGS if (at := fields[f"{leg}.ended_at"])]
        if asked_at := fields["opinion_asked_at"]:
            _keep_oldest(self.waiting_since, "opinion", asked_at)
        elif len(ended) == len(LEGS):
            _keep_oldest(self.waiting_since, "merge", max(ended, key=float))
        for leg in LEGS:
            started_at, seen_at = fields[f"{leg}.started_at"], fields[f"{leg}.seen_at"]
            if fields[f"{leg}.ended_at"]:
                continue
            if started_at:
                _keep_oldest(self.silent_since, leg, seen_at or started_at)
            else:
                _keep_oldest(self.waiting_since, leg, submitted_at)


def _keep_oldest(times: dict[str, float], name: str, at: str) -> None:
    times[name] = min(float(at), times.get(name, float(at)))


def _read_totals(job_store: JobStore) -> _Totals:
    found = _Totals()
    for fields in job_store.fields(job_store.open_jobs(), FIELDS):
        found.add(fields)
    return found
