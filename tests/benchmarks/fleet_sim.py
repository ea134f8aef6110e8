"""A day of a fleet of GPU hosts, event by event: episodes arrive, hosts start, work, and are taken away.

Each host has one slot for each leg. A leg that loses its host goes on at the front of its queue with what it has
not heard yet, and `lost_s` of what it has. A host costs from the moment it is asked for.
"""

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipeline.scaling.decision import Backlog, ClusterState, Demand, Limits, decide
from pipeline.types import MODEL_LEGS, Leg

LOOK_S = 30.0
"""As often as the clock looks (beat/schedule.py)."""


@dataclass(frozen=True)
class World:
    """What holds for every policy."""

    speeds: dict[Leg, float]
    start_s: float
    interruptions_per_hour: float
    """Of one host."""
    lost_s: float
    """Seconds of audio that are heard again after an interruption."""


@dataclass(eq=False)
class Job:
    """One episode."""

    arrived_at: float
    audio_s: float
    left_s: dict[Leg, float] = field(default_factory=dict)
    done_at: float = 0.0


@dataclass(eq=False)
class Host:
    """One machine."""

    asked_at: float
    is_up: bool = False
    ended_at: float | None = None
    work: dict[Leg, tuple[Job, float]] = field(default_factory=dict)
    """What each leg is at, and since when."""


@dataclass(frozen=True)
class Day:
    """What became of a day."""

    jobs: Sequence[Job]
    host_s: float
    most_hosts: int
    interruptions: int
    again_s: float
    """Seconds of audio that were heard twice."""
    drained_at: float


class Fleet:
    """Plays one day; `limits` None keeps `hosts` hosts throughout, else the decision function has its way."""

    def __init__(
        self, world: World, jobs: Sequence[tuple[float, float]], hosts: int, limits: Limits | None, seed: int
    ) -> None:
        self._world, self._limits = world, limits
        self._chance = random.Random(seed)
        self._now = 0.0
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._jobs = [Job(at, audio_s, dict.fromkeys(MODEL_LEGS, audio_s)) for at, audio_s in jobs]
        self._open: dict[Job, None] = {}  # in the order in which they came
        self._coming = len(self._jobs)
        self._queues: dict[Leg, deque[Job]] = {leg: deque() for leg in MODEL_LEGS}
        self._hosts: dict[Host, None] = {}  # in the order they were asked for
        self._idle: dict[Leg, dict[Host, None]] = {leg: {} for leg in MODEL_LEGS}
        self._history: tuple[Demand, ...] = ()
        self._host_s = self._again_s = 0.0
        self._most_hosts = self._interruptions = 0
        for job in self._jobs:
            self._at(job.arrived_at, lambda job=job: self._arrive(job))  # type: ignore[misc]
        self._ask_for(hosts)
        if limits:
            self._at(LOOK_S, self._look)

    def play(self) -> Day:
        """Play until all is done."""
        while self._coming or self._open:
            self._now, _, happen = heapq.heappop(self._events)
            happen()
        for host in list(self._hosts):
            self._end(host)
        return Day(self._jobs, self._host_s, self._most_hosts, self._interruptions, self._again_s, self._now)

    def _at(self, at: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (at, next(self._order), happen))

    def _arrive(self, job: Job) -> None:
        self._coming -= 1
        self._open[job] = None
        for leg in MODEL_LEGS:
            self._queues[leg].append(job)
            self._give_work(leg)

    def _give_work(self, leg: Leg) -> None:
        while self._queues[leg] and self._idle[leg]:
            host, _ = self._idle[leg].popitem()
            job = self._queues[leg].popleft()
            host.work[leg] = (job, self._now)
            ends_at = self._now + job.left_s[leg] / self._world.speeds[leg]
            self._at(ends_at, lambda: self._done(host, leg, job))  # noqa: B023

    def _done(self, host: Host, leg: Leg, job: Job) -> None:
        if host.ended_at is not None or host.work.get(leg, (None,))[0] is not job:
            return
        del host.work[leg]
        job.left_s[leg] = 0.0
        if not any(job.left_s.values()):
            job.done_at = self._now
            del self._open[job]
        self._idle[leg][host] = None
        self._give_work(leg)

    def _ask_for(self, count: int) -> None:
        for _ in range(count - len(self._hosts)):
            host = Host(self._now)
            self._hosts[host] = None
            self._at(self._now + self._world.start_s, lambda host=host: self._up(host))  # type: ignore[misc]
        self._most_hosts = max(self._most_hosts, len(self._hosts))
        surplus = sorted(self._hosts, key=lambda host: len(host.work))[: max(0, len(self._hosts) - count)]
        for host in surplus:
            self._end(host)

    def _up(self, host: Host) -> None:
        if host.ended_at is not None:
            return
        host.is_up = True
        if self._world.interruptions_per_hour:
            stays_s = self._chance.expovariate(self._world.interruptions_per_hour / 3600)
            self._at(self._now + stays_s, lambda: self._interrupt(host))
        for leg in MODEL_LEGS:
            self._idle[leg][host] = None
            self._give_work(leg)

    def _interrupt(self, host: Host) -> None:
        if host.ended_at is None:
            self._interruptions += 1
            count = len(self._hosts)
            self._end(host)
            self._ask_for(count)

    def _end(self, host: Host) -> None:
        host.ended_at = self._now
        self._host_s += self._now - host.asked_at
        del self._hosts[host]
        for leg in MODEL_LEGS:
            self._idle[leg].pop(host, None)
        for leg, (job, began_at) in host.work.items():
            heard_s = min(job.left_s[leg], (self._now - began_at) * self._world.speeds[leg])
            again_s = min(heard_s, self._world.lost_s)
            self._again_s += again_s
            job.left_s[leg] -= heard_s - again_s
            self._queues[leg].appendleft(job)
            self._give_work(leg)

    def _look(self) -> None:
        assert self._limits
        situation = ClusterState(
            at=self._now,
            waiting=self._waiting(),
            speeds=self._world.speeds,
            hosts=len(self._hosts),
        )
        decision = decide(situation, self._limits, self._history)
        self._history = decision.history
        self._ask_for(decision.hosts)
        self._at(self._now + LOOK_S, self._look)

    def _waiting(self) -> list[Backlog]:
        """Return what each open job has still to be heard of, as the legs would report it."""
        heard_s = {
            (job, leg): (self._now - since) * self._world.speeds[leg]
            for host in self._hosts
            for leg, (job, since) in host.work.items()
        }
        return [
            Backlog(
                self._now - job.arrived_at,
                {leg: max(0.0, left_s - heard_s.get((job, leg), 0.0)) for leg, left_s in job.left_s.items()},
            )
            for job in self._open
        ]
