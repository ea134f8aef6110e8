"""Job states in a real Valkey: only forwards, whoever is at work at the same time."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier

import pytest

from pipeline.errors import BrokerError, WaitTimeoutError
from pipeline.settings import Settings, settings
from pipeline.state import job_store as module
from pipeline.state.job_store import JobStore
from pipeline.types import FINAL_STATES, Episode, JobSpec, JobState, LegOutcome, Options
from pipeline.types.records import RANKS, JobRecord
from tests.services import free_ports, start_valkey

JOB = "0123456789abcdef-01234567"
THREADS = 50
PATIENCE_S = 10.0
"""Longer than anything here takes; only a test that fails waits for it."""

CALLS: dict[str, Callable[[JobStore, JobSpec], object]] = {
    "begin": lambda job_store, spec: job_store.begin(spec),
    "advance": lambda job_store, spec: job_store.advance(spec, JobState.RUNNING),
    "note": lambda job_store, spec: job_store.note(spec, sent_at=1.0),
    "get": lambda job_store, spec: job_store.get(spec.job),
    "get_many": lambda job_store, spec: list(job_store.get_many([spec.job])),
    "jobs": lambda job_store, spec: job_store.jobs(),
    "wait": lambda job_store, spec: job_store.wait(spec.job, JobState.COMPLETED, timeout_s=PATIENCE_S),
}


@pytest.fixture
def use_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def use(url: str) -> None:
        monkeypatch.setenv("DUET_BROKER_URL", url)
        settings.cache_clear()

    yield use
    settings.cache_clear()


@pytest.fixture
def job_store(valkey: str, use_broker: Callable[[str], None]) -> JobStore:
    use_broker(valkey)
    job_store = JobStore()
    job_store.redis.flushdb()
    return job_store


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(THREADS) as pool:
        yield pool


def make_spec(job: str = JOB, attempt: int = 1) -> JobSpec:
    episode = Episode(id=job[:16], source="ep.mp3", slug="ep", size_bytes=5)
    return JobSpec(
        job=job,
        attempt=attempt,
        episode=episode,
        options=Options(language="en", vocabulary=("Zürich",)),
        audio_uri="file:///audio/ep.mp3",
        uri="file:///results/ep",
    )


def begun(job_store: JobStore, job: str = JOB, attempt: int = 1) -> JobSpec:
    spec = make_spec(job, attempt)
    assert job_store.begin(spec)
    return spec


def known(job_store: JobStore, job: str = JOB) -> JobRecord:
    record = job_store.get(job)
    assert record
    return record


def until(check: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def await_waiting(job_store: JobStore) -> None:
    until(lambda: job_store.redis.pubsub_numsub(f"duet:job:{JOB}")[0][1])


def test_a_job_that_was_begun_is_known(job_store: JobStore) -> None:
    before = time.time()
    spec = begun(job_store)

    record = known(job_store)
    assert record.spec == spec
    assert record.state is JobState.SUBMITTED
    assert before - 0.01 <= record.submitted_at <= time.time() + 0.01
    assert record.sent_at is record.transcribed_at is record.ended_at is record.audio_s is None


def test_a_job_that_nobody_began_is_unknown(job_store: JobStore) -> None:
    assert job_store.get(JOB) is None
    assert not job_store.advance(make_spec(), JobState.RUNNING)
    assert not job_store.note(make_spec(), sent_at=1.0)
    assert job_store.get(JOB) is None


@pytest.mark.parametrize("end", sorted(FINAL_STATES))
def test_a_job_goes_its_way_to_the_end(job_store: JobStore, end: JobState) -> None:
    spec = begun(job_store)

    for state in (JobState.RUNNING, JobState.TRANSCRIBED, end):
        assert job_store.advance(spec, state)
        assert known(job_store).state is state


def test_a_state_may_be_left_out(job_store: JobStore) -> None:
    spec = begun(job_store)

    assert job_store.advance(spec, JobState.FAILED, reason="It is no audio.", ended_at=12.5)
    assert (known(job_store).state, known(job_store).reason, known(job_store).ended_at) == (
        "failed",
        "It is no audio.",
        12.5,
    )


@pytest.mark.parametrize("reached", JobState)
@pytest.mark.parametrize("wanted", JobState)
def test_states_move_only_forwards(job_store: JobStore, reached: JobState, wanted: JobState) -> None:
    spec = begun(job_store)
    job_store.advance(spec, reached)

    moved = job_store.advance(spec, wanted)

    assert moved is (RANKS[wanted] > RANKS[reached])
    assert known(job_store).state is (wanted if moved else reached)


def test_a_state_reached_twice_keeps_its_first_time(job_store: JobStore) -> None:
    spec = begun(job_store)
    job_store.advance(spec, JobState.TRANSCRIBED, transcribed_at=10.0)

    assert not job_store.advance(spec, JobState.TRANSCRIBED, transcribed_at=99.0)

    assert known(job_store).transcribed_at == 10.0


def test_an_ended_job_is_written_to_no_more(job_store: JobStore) -> None:
    spec = begun(job_store)
    job_store.advance(spec, JobState.CANCELLED, reason="It was cancelled.")

    assert not job_store.advance(spec, JobState.COMPLETED, reason="")
    assert not job_store.note(spec, sent_at=1.0)
    assert not job_store.note_leg(spec, "whisper", done_s=1.0)

    assert known(job_store).reason == "It was cancelled."
    assert known(job_store).sent_at is None
    assert known(job_store).legs["whisper"].done_s == 0.0


def test_a_stale_attempt_is_ignored(job_store: JobStore) -> None:
    old = begun(job_store)
    job_store.advance(old, JobState.RUNNING)
    new = begun(job_store, attempt=2)

    assert not job_store.advance(old, JobState.COMPLETED)
    assert not job_store.note(old, sent_at=1.0)
    assert not job_store.note_leg(old, "voxtral", done_s=5.0)

    assert known(job_store).spec == new
    assert known(job_store).state is JobState.SUBMITTED
    assert known(job_store).sent_at is None


def test_a_new_attempt_begins_with_nothing_of_the_old(job_store: JobStore) -> None:
    old = begun(job_store)
    job_store.note_leg(old, "whisper", done_s=5.0, total_s=9.0)
    job_store.advance(old, JobState.FAILED, reason="It was no audio.", ended_at=12.0)

    begun(job_store, attempt=2)

    record = known(job_store)
    assert (record.reason, record.ended_at, record.audio_s) == ("", None, None)


@pytest.mark.parametrize("attempt", [1, 3, 7])
def test_only_the_next_attempt_can_begin(job_store: JobStore, attempt: int) -> None:
    begun(job_store)

    assert not job_store.begin(make_spec(attempt=attempt))
    assert known(job_store).spec.attempt == 1


def test_of_many_who_begin_at_once_one_wins(job_store: JobStore, pool: ThreadPoolExecutor) -> None:
    for attempt in (1, 2):
        spec, start = make_spec(attempt=attempt), Barrier(THREADS)

        def begin(spec: JobSpec = spec, start: Barrier = start) -> bool:
            own = JobStore()
            own.redis.ping()  # connected already, so that all of them ask at once
            start.wait(PATIENCE_S)
            return own.begin(spec)

        tries = [pool.submit(begin) for _ in range(THREADS)]

        assert sum(it.result(PATIENCE_S) for it in tries) == 1


def test_of_many_who_end_a_job_at_once_one_wins(job_store: JobStore, pool: ThreadPoolExecutor) -> None:
    spec, start, ends = begun(job_store), Barrier(THREADS), sorted(FINAL_STATES)

    def end(number: int) -> JobState | None:
        state = ends[number % len(ends)]
        start.wait(PATIENCE_S)
        return state if job_store.advance(spec, state, reason=state.value) else None

    won = [state for state in pool.map(end, range(THREADS), timeout=PATIENCE_S) if state]

    assert len(won) == 1
    assert (known(job_store).state, known(job_store).reason) == (won[0], won[0].value)


def test_what_a_leg_reports_is_known(job_store: JobStore) -> None:
    spec = begun(job_store)
    outcome = LegOutcome(leg="whisper", status="ok", audio_s=61.0, model="base")

    assert job_store.note_leg(spec, "whisper", started_at=5.0, done_s=30.0, total_s=60.0)
    assert job_store.note_leg(spec, "voxtral", done_s=10.0)
    assert known(job_store).audio_s == 60.0
    assert job_store.note_leg(spec, "whisper", outcome=outcome.model_dump_json())

    legs = known(job_store).legs
    assert (legs["whisper"].started_at, legs["whisper"].done_s, legs["whisper"].outcome) == (5.0, 30.0, outcome)
    assert (legs["voxtral"].done_s, legs["voxtral"].outcome) == (10.0, None)
    assert known(job_store).audio_s == 61.0


def test_many_are_answered_in_the_order_they_were_asked(job_store: JobStore) -> None:
    first, second = named("a"), named("b")
    for job in (first, second):
        begun(job_store, job)

    records = list(job_store.get_many([second, "unknown", first]))

    assert [it.spec.job if it else None for it in records] == [second, None, first]
    assert list(job_store.get_many([])) == []


def test_more_than_a_page_of_jobs_is_read_in_order_and_no_page_before_it_is_needed(
    job_store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given five jobs, one of them unknown, and pages of two
    jobs = [named("a"), named("b"), "unknown", named("c"), named("d")]
    for job in jobs:
        if job != "unknown":
            begun(job_store, job)
    monkeypatch.setattr(module, "PAGE", 2)
    asked = iter(jobs)

    # When the first is read, then the third has not been asked for yet
    states = job_store.states(asked)
    first = next(states)
    assert next(asked) == "unknown"

    # And the rest comes in order
    assert [first, *states] == [JobState.SUBMITTED] * 4
    assert [it["attempt"] for it in job_store.fields(jobs, ["attempt"])] == ["1", "1", None, "1", "1"]
    assert [it is not None for it in job_store.get_many(jobs)] == [True, True, False, True, True]


def test_jobs_are_listed_oldest_first(job_store: JobStore) -> None:
    a, b, c = map(named, "abc")
    for job in (c, a, b):
        begun(job_store, job)

    assert job_store.jobs() == [c, a, b]

    begun(job_store, c, attempt=2)
    assert job_store.jobs() == [a, b, c]


def named(digit: str) -> str:
    return f"{digit * 16}-{digit * 8}"


@pytest.mark.parametrize("state", [JobState.TRANSCRIBED, JobState.PARTIAL])
def test_a_wait_for_what_has_happened_is_over_at_once(job_store: JobStore, state: JobState) -> None:
    spec = begun(job_store)
    job_store.advance(spec, state)

    assert job_store.wait(JOB, JobState.TRANSCRIBED, timeout_s=0).state is state


def test_a_wait_is_over_when_the_state_is_published(
    job_store: JobStore, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECHECK_S", 3 * PATIENCE_S)  # only the publication can end the wait in time
    spec = begun(job_store)
    waiting = pool.submit(JobStore().wait, JOB, JobState.TRANSCRIBED, 2 * PATIENCE_S)
    await_waiting(job_store)

    job_store.advance(spec, JobState.RUNNING)
    assert not waiting.done()
    job_store.advance(spec, JobState.TRANSCRIBED)

    assert waiting.result(PATIENCE_S).state is JobState.TRANSCRIBED


def test_a_wait_survives_a_publication_that_is_lost(
    job_store: JobStore, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECHECK_S", 0.05)
    begun(job_store)
    waiting = pool.submit(JobStore().wait, JOB, JobState.COMPLETED, PATIENCE_S)
    await_waiting(job_store)

    job_store.redis.hset(f"duet:job:{JOB}", mapping={"state": "completed", "rank": 3})  # and nothing is published

    assert waiting.result(PATIENCE_S).state is JobState.COMPLETED


def test_one_may_wait_for_a_job_that_is_begun_later(job_store: JobStore, pool: ThreadPoolExecutor) -> None:
    waiting = pool.submit(JobStore().wait, JOB, JobState.SUBMITTED, PATIENCE_S)
    await_waiting(job_store)

    begun(job_store)

    assert waiting.result(PATIENCE_S).state is JobState.SUBMITTED


@pytest.mark.parametrize("timeout_s", [0, 0.05])
def test_a_wait_that_takes_too_long_says_where_the_job_is(job_store: JobStore, timeout_s: float) -> None:
    job_store.advance(begun(job_store), JobState.RUNNING)

    with pytest.raises(WaitTimeoutError, match=rf"Job {JOB} is running after {timeout_s:g} s, not yet completed\."):
        job_store.wait(JOB, JobState.COMPLETED, timeout_s)


def test_a_wait_for_a_job_that_nobody_knows_takes_no_longer(job_store: JobStore) -> None:
    with pytest.raises(WaitTimeoutError, match="is unknown after"):
        job_store.wait(JOB, JobState.COMPLETED, timeout_s=0.05)


@pytest.mark.parametrize("call", CALLS)
def test_a_broker_that_is_not_there(use_broker: Callable[[str], None], call: str) -> None:
    (port,) = free_ports(1)
    use_broker(f"redis://user:geheim@127.0.0.1:{port}/0")

    with pytest.raises(BrokerError, match=rf"redis://127\.0\.0\.1:{port}/0 does not answer") as caught:
        CALLS[call](JobStore(), make_spec())

    assert "geheim" not in str(caught.value)


def test_a_socket_that_is_not_there(use_broker: Callable[[str], None], tmp_path: Path) -> None:
    use_broker(f"redis+socket://{tmp_path}/v.sock")

    with pytest.raises(BrokerError, match="does not answer"):
        JobStore().get(JOB)


def test_a_broker_that_never_answers_is_given_up_in_the_time_set(
    use_broker: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUET_CLIENT_TIMEOUT_S", "0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use_broker(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        started = time.monotonic()

        with pytest.raises(BrokerError, match="does not answer"):
            JobStore().get(JOB)

    assert time.monotonic() - started < Settings.model_fields["client_timeout_s"].default


def test_a_broker_that_dies_while_someone_waits(
    use_broker: Callable[[str], None], pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    with ExitStack() as broker:
        use_broker(broker.enter_context(start_valkey(tmp_path)))
        job_store = JobStore()
        begun(job_store)
        waiting = pool.submit(JobStore().wait, JOB, JobState.COMPLETED, 2 * PATIENCE_S)
        await_waiting(job_store)

    with pytest.raises(BrokerError, match="does not answer"):
        waiting.result(PATIENCE_S)
