"""The simulated day keeps its books: what is heard, what is paid, and what an interruption costs."""

import random

import pytest

from pipeline.scaling.decision import Limits
from tests.benchmarks.fleet_sim import LOOK_S, Fleet, World
from tests.benchmarks.scale_sim import arrivals

CALM = World(speeds={"whisper": 10.0, "voxtral": 5.0}, start_s=100.0, interruptions_per_hour=0.0, lost_s=30.0)
STORMY = World(speeds={"whisper": 10.0, "voxtral": 5.0}, start_s=100.0, interruptions_per_hour=6.0, lost_s=30.0)
LIMITS = Limits(drain_target_s=1800, start_s=100, shrink_after_s=600, min_hosts=0, max_hosts=50, price_per_hour=1.0)


def test_one_host_does_one_after_the_other_and_costs_from_when_it_was_asked_for() -> None:
    day = Fleet(CALM, [(0.0, 1000.0), (0.0, 500.0)], hosts=1, limits=None, seed=1).play()
    assert [job.done_at for job in day.jobs] == [300.0, 400.0]
    assert day.host_s == day.drained_at == 400.0


def test_two_hosts_share_the_work() -> None:
    day = Fleet(CALM, [(0.0, 1000.0), (0.0, 1000.0)], hosts=2, limits=None, seed=1).play()
    assert [job.done_at for job in day.jobs] == [300.0, 300.0]
    assert day.host_s == 600.0


def test_interruptions_lose_no_episode_and_no_more_than_they_may() -> None:
    jobs = arrivals(50, 10, 40.0, random.Random(1))
    day = Fleet(STORMY, jobs, hosts=3, limits=None, seed=1).play()
    assert all(job.done_at > job.arrived_at for job in day.jobs)
    assert day.interruptions > 50
    assert 0 < day.again_s <= day.interruptions * 2 * STORMY.lost_s


@pytest.mark.parametrize("budget", [None, 3.0])
def test_the_scaler_goes_from_nothing_to_what_is_needed_and_back(budget: float | None) -> None:
    limits = Limits(**{**LIMITS.__dict__, "budget_per_hour": budget})
    day = Fleet(CALM, [(0.0, 3600.0)] * 40 + [(86400.0, 60.0)], hosts=0, limits=limits, seed=1).play()
    waits_s = sorted(job.done_at - job.arrived_at for job in day.jobs)
    assert day.most_hosts == 3 if budget else 17 <= day.most_hosts <= 20
    assert budget or waits_s[-1] <= LIMITS.drain_target_s + LOOK_S + 3600 / 5
    assert day.host_s < 40 * 3600 / 5 * 2, "there is nobody while there is nothing to do"
