"""The decision about the number of hosts, in pure functions of the cluster's state and the history."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.types import LEGS, Leg
from pipeline.types.pools import POOL_OF


@dataclass(frozen=True)
class Backlog:
    """Jobs of about the same age that have not ended."""

    age_s: float
    """Seconds since their submission."""
    backlog_s: Mapping[Leg, float]
    """Seconds of audio left to each leg."""
    jobs: int = 1


@dataclass(frozen=True)
class ClusterState:
    """The backlog and the hosts at one moment."""

    at: float
    """Seconds since the epoch or any other fixed moment."""
    waiting: Sequence[Backlog]
    """Oldest first."""
    speeds: Mapping[Leg, float]
    """Seconds of audio that one host processes in a second, while both legs run; a leg without hosts is absent."""
    hosts: int
    """Hosts that run or start."""

    @property
    def jobs(self) -> int:
        """Number of open jobs."""
        return sum(it.jobs for it in self.waiting)

    @property
    def backlog_s(self) -> dict[Leg, float]:
        """Seconds of audio left to each leg, in total."""
        return {leg: sum(it.backlog_s.get(leg, 0.0) for it in self.waiting) for leg in LEGS}


@dataclass(frozen=True)
class Limits:
    """The target and the bounds."""

    drain_target_s: float
    """Target seconds from the submission of a job to its end."""
    start_s: float
    """Seconds from the request of a host until it processes messages."""
    shrink_after_s: float
    """Seconds for which fewer hosts must have been enough before the number is reduced."""
    min_hosts: int
    max_hosts: int
    price_per_hour: float | None = None
    """Price of one host."""
    budget_per_hour: float | None = None
    """Maximum cost of all hosts per hour."""

    @property
    def ceiling(self) -> int:
        """Maximum number of hosts within the limit and the budget."""
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
    """Demands to store for the next decision."""


def decide(now: ClusterState, limits: Limits, history: Sequence[Demand] = ()) -> Decision:
    """Return the number of hosts.

    It rises as soon as the present hosts would be late for some job. It falls only after fewer hosts have been enough
    for all of `shrink_after_s`, to the highest demand of that time: a host that stops must requeue its messages, and
    one that starts costs money before it processes any.
    """
    need = needed(now, limits)
    kept = (*(it for it in history if it.at > now.at - limits.shrink_after_s), Demand(now.at, need))
    calm = bool(history) and history[0].at <= now.at - limits.shrink_after_s
    steady = need if need >= now.hosts else min(now.hosts, max(it.hosts for it in kept)) if calm else now.hosts
    # A lower budget or ceiling applies at once.
    hosts = max(limits.min_hosts, min(steady, limits.ceiling)) if limits.ceiling >= limits.min_hosts else limits.ceiling
    oldest = tuple(it for it in history if it.at <= now.at - limits.shrink_after_s)[-1:]
    return Decision(hosts, _reason(now, limits, need, hosts), (*oldest, *kept))


def needed(now: ClusterState, limits: Limits) -> int:
    """Return the number of hosts that complete each job within the target from its submission.

    Jobs run in the order of submission, so all earlier work has to be done by a job's deadline. The result is the
    maximum over all deadlines, each limited to the number of jobs up to it, since more hosts would be idle.
    """
    if not now.speeds:  # one host measures the speed
        return min(now.jobs, max(1, now.hosts)) if any(now.backlog_s.values()) else 0
    most = jobs = 0
    before = dict.fromkeys(now.speeds, 0.0)
    for entry in now.waiting:
        jobs += entry.jobs
        before = {leg: audio_s + entry.backlog_s.get(leg, 0.0) for leg, audio_s in before.items()}
        most = max(most, min(jobs, _hosts_for(_host_s(before, now.speeds), entry.age_s, now.hosts, limits)))
    return most


def _hosts_for(work_s: float, age_s: float, hosts: int, limits: Limits) -> int:
    """Return the number of hosts that do the work, in seconds of one host, by the deadline of a job of this age.

    New hosts have less time, as they start first. The time left is at least a tenth of the target, for late jobs too.
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
    """Return the seconds that one host needs; its pools run in parallel, so the longer one counts."""
    pools_s: defaultdict[str, float] = defaultdict(float)
    for leg, speed in speeds.items():
        if speed > 0:
            pools_s[POOL_OF[leg]] += backlog_s.get(leg, 0.0) / speed
    return max(pools_s.values(), default=0.0)


def _reason(now: ClusterState, limits: Limits, need: int, hosts: int) -> str:
    work_s = host_seconds(now)
    hours = f"{work_s / 3600:.2f} h of work for one host, target {limits.drain_target_s / 3600:g} h"
    text = f"Queue: {now.jobs} jobs, {hours}"
    if sum(now.backlog_s.values()) > 0 and not now.speeds:
        text += "; no speed has been measured yet"
    if hosts < need:
        return f"{text}: {need} needed, and no more than {limits.ceiling} are allowed"
    if hosts > need and hosts == now.hosts:
        return f"{text}: {need} needed; fewer than {hosts} when that has lasted {limits.shrink_after_s:g} s"
    return f"{text}: {need} needed"
