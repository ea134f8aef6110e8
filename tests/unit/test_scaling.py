"""How many hosts there should be: by what waits, how fast it is done, and what may be spent."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SettingsError
from pipeline.scaling.backlog import BYTES_PER_S, bytes_per_s, speeds, waiting
from pipeline.scaling.decision import Backlog, ClusterState, Demand, Limits, decide, host_seconds, needed
from pipeline.scaling.drivers import driver
from pipeline.types import LEGS, Episode, JobSpec, Leg, LegOutcome, Options
from pipeline.types.records import JobRecord, LegRecord

LIMITS = Limits(drain_target_s=3600, start_s=0, shrink_after_s=600, min_hosts=0, max_hosts=1000)
SPEEDS: dict[Leg, float] = {"whisper": 10.0, "voxtral": 4.0}


def situation(
    whisper_h: float, voxtral_h: float, *, hosts: int = 0, jobs: int = 1000, at: float = 0.0, age_s: float = 0.0
) -> ClusterState:
    backlog: dict[Leg, float] = {"whisper": whisper_h * 3600, "voxtral": voxtral_h * 3600}
    return ClusterState(at=at, waiting=[Backlog(age_s, backlog, jobs)], speeds=SPEEDS, hosts=hosts)


def record(*, size_bytes: int = 16_000_000, options: Options | None = None, **legs: dict[str, object]) -> JobRecord:
    episode = Episode(id="0" * 16, source="ep.mp3", slug="ep", size_bytes=size_bytes)
    spec = JobSpec(
        job=f"{'0' * 16}-{'0' * 8}",
        attempt=1,
        episode=episode,
        options=options or Options(),
        audio_uri="file:///a",
        uri="file:///b",
    )
    own = {leg: {} for leg in LEGS} | legs
    return JobRecord.model_validate({"spec": spec, "state": "running", "submitted_at": 0.0, "legs": own})


def outcome(leg: Leg, audio_s: float, work_s: float, **fields: object) -> dict[str, object]:
    return {
        "outcome": LegOutcome.model_validate(
            {"leg": leg, "status": "ok", "audio_s": audio_s, "work_s": work_s} | fields
        )
    }


def test_the_legs_of_one_pool_run_one_after_the_other() -> None:
    # Given an hour for each of two legs that share a pool, and one for the leg that has its own
    each_s = {"whisper": 3600.0, "speakers": 3600.0, "voxtral": 3600.0}
    now = ClusterState(0.0, [Backlog(0.0, each_s)], {"whisper": 10.0, "speakers": 10.0, "voxtral": 6.0}, 1)

    # Then a host needs as long as for both of the shared pool, which is longer than for the other one
    assert host_seconds(now) == 720.0


def test_the_slower_leg_says_how_many_hosts_are_needed() -> None:
    assert needed(situation(100, 0), LIMITS) == 10
    assert needed(situation(100, 100), LIMITS) == 25
    assert needed(situation(0, 0.5), LIMITS) == 1
    assert needed(situation(0, 0), LIMITS) == 0


def test_a_host_that_has_to_start_counts_for_less() -> None:
    slow = replace(LIMITS, start_s=1800)
    assert needed(situation(0, 100, hosts=0), slow) == 50
    assert needed(situation(0, 100, hosts=25), slow) == 25, "those that are there have the whole hour"
    assert needed(situation(0, 100, hosts=20), slow) == 30


def test_what_has_waited_has_less_time_left() -> None:
    assert needed(situation(0, 100, age_s=1800), LIMITS) == 50
    assert needed(situation(0, 100, age_s=7200), LIMITS) == 250, "what is late is done in a tenth of the target"


def test_the_tightest_deadline_counts_and_what_comes_later_waits() -> None:
    hour: dict[Leg, float] = {"voxtral": 4 * 3600.0}  # an hour of one host's work
    old, new = Backlog(3000.0, hour, jobs=10), Backlog(0.0, hour, jobs=10)
    both = ClusterState(at=0.0, waiting=[old, new], speeds=SPEEDS, hosts=0)
    assert needed(both, LIMITS) == 6, "an hour in the ten minutes that are left"
    assert needed(replace(both, waiting=[new, new]), LIMITS) == 2


def test_more_hosts_than_jobs_find_nothing_to_do() -> None:
    assert needed(situation(100, 100, jobs=3), LIMITS) == 3


def test_one_host_finds_out_how_fast_it_is() -> None:
    unknown = replace(situation(100, 100), speeds={})
    decision = decide(unknown, LIMITS)
    assert decision.hosts == 1
    assert "no speed has been measured yet" in decision.reason


def test_a_leg_that_nobody_runs_needs_no_hosts() -> None:
    without = replace(situation(100, 100), speeds={"whisper": 10.0})
    assert needed(without, LIMITS) == 10


def test_more_are_wanted_at_once_and_fewer_only_when_fewer_have_been_enough() -> None:
    history: tuple[Demand, ...] = ()
    asked = []
    for at, hours in [(0, 100.0), (300, 10.0), (590, 40.0), (620, 0.0), (1000, 0.0), (1195, 0.0), (1800, 0.0)]:
        decision = decide(situation(0, hours, hosts=asked[-1] if asked else 0, at=at), LIMITS, history)
        history = decision.history
        asked.append(decision.hosts)
    assert asked == [25, 25, 25, 10, 10, 0, 0]


def test_a_ceiling_in_hosts_or_money_is_never_exceeded_and_said() -> None:
    few = replace(LIMITS, max_hosts=4)
    assert decide(situation(0, 100), few).hosts == 4
    poor = replace(LIMITS, price_per_hour=0.1, budget_per_hour=0.3)
    decision = decide(situation(0, 100), poor)
    assert decision.hosts == 3
    assert "25 needed, and no more than 3 are allowed" in decision.reason
    assert decide(situation(0, 100, hosts=10), poor).hosts == 3, "a budget that was cut counts at once"


@given(
    whisper=st.floats(0, 1e5),
    voxtral=st.floats(0, 1e5),
    hosts=st.integers(0, 2000),
    jobs=st.integers(0, 5000),
    least=st.integers(0, 10),
    most=st.integers(0, 1000),
    budget=st.none() | st.floats(0, 100),
)
def test_it_stays_within_its_limits(
    whisper: float, voxtral: float, hosts: int, jobs: int, least: int, most: int, budget: float | None
) -> None:
    limits = replace(LIMITS, min_hosts=least, max_hosts=most, price_per_hour=0.5, budget_per_hour=budget)
    decision = decide(situation(whisper, voxtral, hosts=hosts, jobs=jobs), limits)
    assert 0 <= decision.hosts <= limits.ceiling <= most
    assert decision.hosts >= min(least, limits.ceiling)
    assert budget is None or decision.hosts * 0.5 <= budget + 1e-6


@given(st.lists(st.floats(0, 500), min_size=2, max_size=60))
def test_its_memory_does_not_grow(hours: list[float]) -> None:
    history: tuple[Demand, ...] = ()
    for index, each in enumerate(hours):
        history = decide(situation(0, each, at=index * 30.0), LIMITS, history).history
    assert len(history) <= LIMITS.shrink_after_s / 30 + 2


def test_what_waits_is_counted_in_seconds_of_audio() -> None:
    heard = record(whisper=outcome("whisper", 1000, 100), voxtral={"total_s": 1000.0, "done_s": 400.0})
    heard.legs["speakers"] = LegRecord(done_s=1000.0)
    new = record(size_bytes=int(2000 * BYTES_PER_S))
    assert waiting([heard, new], BYTES_PER_S, now=60.0) == [
        Backlog(60.0, {"voxtral": 600.0, "speakers": 0.0}),
        Backlog(60.0, {"whisper": 2000.0, "voxtral": 2000.0, "speakers": 2000.0}),
    ]
    assert bytes_per_s([heard, new]) == BYTES_PER_S
    assert bytes_per_s([record(size_bytes=4000, whisper=outcome("whisper", 1000, 100))]) == 4.0


def test_a_leg_that_was_not_asked_for_is_not_waited_for() -> None:
    text_only = record(size_bytes=int(100 * BYTES_PER_S), options=Options(legs=("whisper",), speakers=False))
    assert waiting([text_only], BYTES_PER_S, now=0.0) == [Backlog(0.0, {"whisper": 100.0})]


def test_speeds_are_those_of_what_was_worked_on() -> None:
    records = [
        record(whisper=outcome("whisper", 1000, 100), voxtral=outcome("voxtral", 1000, 500)),
        record(whisper=outcome("whisper", 1000, 300), voxtral=outcome("voxtral", 0, 1, status="skipped")),
        record(whisper=outcome("whisper", 1000, 0.1, reused=True)),
    ]
    assert speeds(records) == {"whisper": 5.0, "voxtral": 2.0}
    assert speeds([]) == {}


@pytest.mark.parametrize("text", ["", "asg:", "kubernetes", "asg"])
def test_a_driver_that_there_is_not(text: str) -> None:
    with pytest.raises(SettingsError, match="`print` or `asg:`"):
        driver(text)
