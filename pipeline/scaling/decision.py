"""The decision about the number of hosts: pure functions; the caller passes the time and the history."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.types import LEGS, Leg


@dataclass(frozen=True)
class Backlog:
    """Jobs of about the same age that have not ended."""

    age_s: float
    """Since they were submitted."""
    backlog_s: Mapping[Leg, float]
    """Seconds of their audio that each leg has still to hear."""
    jobs: int = 1


@dataclass(frozen=True)
class ClusterState:
    """The backlog and the hosts at one moment."""

    at: float
    """Seconds since the epoch, or since any other moment, as long as it is always the same one."""
    waiting: Sequence[Backlog]
    """Oldest first."""
    speeds: Mapping[Leg, float]
    """Seconds of audio that one host hears in a second, with both legs at work; a leg that nobody runs is absent."""
    hosts: int
    """Hosts that are there or on their way."""

    @property
    def jobs(self) -> int:
        """Number of open jobs."""
        return sum(it.jobs for it in self.waiting)

    @property
    def backlog_s(self) -> dict[Leg, float]:
        """Seconds of audio that each leg has still to hear."""
        return {leg: sum(it.backlog_s.get(leg, 0.0) for it in self.waiting) for leg in LEGS}


@dataclass(frozen=True)
class Limits:
    """The target and the bounds."""

    drain_target_s: float
    """In how many seconds from its submission a job is to be done."""
    start_s: float
    """Seconds from asking for a host until it works."""
    shrink_after_s: float
    """Seconds for which fewer hosts must have been enough before there are fewer."""
    min_hosts: int
    max_hosts: int
    price_per_hour: float | None = None
    """Of one host."""
    budget_per_hour: float | None = None
    """Most that all hosts may cost in an hour."""

    @property
    def ceiling(self) -> int:
        """The most hosts that are allowed and can be paid for."""
        if self.budget_per_hour is None or not self.price_per_hour:
            return self.max_hosts
        return min(self.max_hosts, int(self.budget_per_hour / self.price_per_hour + 1e-9))


@dataclass(frozen=True)
class Demand:
    """The number of hosts that one moment needed."""

    at: float
    hosts: int


@dataclass(frozen=True)
class Decision:
    """The number of hosts from now on, and the reason."""

    hosts: int
    reason: str
    history: tuple[Demand, ...]
    """What is to be remembered until the next decision."""


def decide(now: ClusterState, limits: Limits, history: Sequence[Demand] = ()) -> Decision:
    """Return the number of hosts.

    More are wanted as soon as those that are there would be late for some job; fewer only when fewer have
    been enough for `shrink_after_s` without a break, and then as many as the busiest moment of that time needed:
    a host that is taken away hands over what it does, and one that starts costs without working.
    """
    need = needed(now, limits)
    kept = (*(it for it in history if it.at > now.at - limits.shrink_after_s), Demand(now.at, need))
    calm = bool(history) and history[0].at <= now.at - limits.shrink_after_s
    steady = need if need >= now.hosts else min(now.hosts, max(it.hosts for it in kept)) if calm else now.hosts
    # A budget that was cut, or a ceiling, counts at once.
    hosts = max(limits.min_hosts, min(steady, limits.ceiling)) if limits.ceiling >= limits.min_hosts else limits.ceiling
    oldest = tuple(it for it in history if it.at <= now.at - limits.shrink_after_s)[-1:]
    return Decision(hosts, _reason(now, limits, need, hosts), (*oldest, *kept))


def needed(now: ClusterState, limits: Limits) -> int:
    """Return the number of hosts that complete each job within the target from its submission.

    Jobs are done in the order in which they came. So up to each job's deadline all work has to be done that is
    before it, and the tightest of these deadlines counts; no more hosts than there are jobs up to it can help.
    """
    if not now.speeds:  # one host finds out
        return min(now.jobs, max(1, now.hosts)) if any(now.backlog_s.values()) else 0
    most = jobs = 0
    before = dict.fromkeys(now.speeds, 0.0)
    for it in now.waiting:
        jobs += it.jobs
        before = {leg: heard_s + it.backlog_s.get(leg, 0.0) for leg, heard_s in before.items()}
        most = max(most, min(jobs, _hosts_for(_host_s(before, now.speeds), it.age_s, now.hosts, limits)))
    return most


def _hosts_for(work_s: float, age_s: float, hosts: int, limits: Limits) -> int:
    """Return the number of hosts for so much work until the deadline of a job of that age.

    Whoever has to start first has less time; for what is late, or cannot be had in time, a tenth of the target.
    """
    least_s = limits.drain_target_s / 10
    left_s = max(limits.drain_target_s - age_s, least_s)
    if work_s <= hosts * left_s:
        return math.ceil(work_s / left_s)
    return hosts + math.ceil((work_s - hosts * left_s) / max(left_s - limits.start_s, least_s))


def host_seconds(now: ClusterState) -> float:
    """Return the seconds that one host needs for the whole backlog."""
    return _host_s(now.backlog_s, now.speeds)


def _host_s(backlog_s: Mapping[Leg, float], speeds: Mapping[Leg, float]) -> float:
    """Return the seconds that one host needs; its legs run in parallel, so the longer one counts."""
    return max((backlog_s.get(leg, 0.0) / speed for leg, speed in speeds.items() if speed > 0), default=0.0)


def _reason(now: ClusterState, limits: Limits, need: int, hosts: int) -> str:
    work_s = host_seconds(now)
    said = f"{now.jobs} jobs, {work_s / 3600:.2f} hours of one host's work, {limits.drain_target_s:g} s to do each job"
    if sum(now.backlog_s.values()) > 0 and not now.speeds:
        said += "; no speed has been measured yet"
    if hosts < need:
        return f"{said}: {need} needed, and no more than {limits.ceiling} are allowed"
    if hosts > need and hosts == now.hosts:
        return f"{said}: {need} needed; fewer than {hosts} when that has lasted {limits.shrink_after_s:g} s"
    return f"{said}: {need} needed"
