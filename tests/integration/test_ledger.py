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
from pipeline.state.job_store import Ledger
from pipeline.types import FINAL_STATES, Episode, JobSpec, JobState, LegOutcome, Options
from pipeline.types.records import RANKS, JobRecord
from tests.services import free_ports, start_valkey

JOB = "0123456789abcdef-01234567"
THREADS = 50
PATIENCE_S = 10.0
"""Longer than anything here takes; only a test that fails waits for it."""

CALLS: dict[str, Callable[[Ledger, JobSpec], object]] = {
    "begin": lambda ledger, spec: ledger.begin(spec),
    "advance": lambda ledger, spec: ledger.advance(spec, JobState.RUNNING),
    "note": lambda ledger, spec: ledger.note(spec, sent_at=1.0),
    "get": lambda ledger, spec: ledger.get(spec.job),
    "get_many": lambda ledger, spec: ledger.get_many([spec.job]),
    "jobs": lambda ledger, spec: ledger.jobs(),
    "wait": lambda ledger, spec: ledger.wait(spec.job, JobState.COMPLETED, timeout_s=PATIENCE_S),
}


@pytest.fixture
def use_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def use(url: str) -> None:
        monkeypatch.setenv("DUET_BROKER_URL", url)
        settings.cache_clear()

    yield use
    settings.cache_clear()


@pytest.fixture
def ledger(valkey: str, use_broker: Callable[[str], None]) -> Ledger:
    use_broker(valkey)
    ledger = Ledger()
    ledger.redis.flushdb()
    return ledger


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


def begun(ledger: Ledger, job: str = JOB, attempt: int = 1) -> JobSpec:
    spec = make_spec(job, attempt)
    assert ledger.begin(spec)
    return spec


def known(ledger: Ledger, job: str = JOB) -> JobRecord:
    record = ledger.get(job)
    assert record
    return record


def until(check: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def await_waiting(ledger: Ledger) -> None:
    until(lambda: ledger.redis.pubsub_numsub(f"duet:job:{JOB}")[0][1])


def test_a_job_that_was_begun_is_known(ledger: Ledger) -> None:
    before = time.time()
    spec = begun(ledger)

    record = known(ledger)
    assert record.spec == spec
    assert record.state is JobState.SUBMITTED
    assert before - 0.01 <= record.submitted_at <= time.time() + 0.01
    assert record.sent_at is record.transcribed_at is record.ended_at is record.audio_s is None


def test_a_job_that_nobody_began_is_unknown(ledger: Ledger) -> None:
    assert ledger.get(JOB) is None
    assert not ledger.advance(make_spec(), JobState.RUNNING)
    assert not ledger.note(make_spec(), sent_at=1.0)
    assert ledger.get(JOB) is None


@pytest.mark.parametrize("end", sorted(FINAL_STATES))
def test_a_job_goes_its_way_to_the_end(ledger: Ledger, end: JobState) -> None:
    spec = begun(ledger)

    for state in (JobState.RUNNING, JobState.TRANSCRIBED, end):
        assert ledger.advance(spec, state)
        assert known(ledger).state is state


def test_a_state_may_be_left_out(ledger: Ledger) -> None:
    spec = begun(ledger)

    assert ledger.advance(spec, JobState.FAILED, reason="It is no audio.", ended_at=12.5)
    assert (known(ledger).state, known(ledger).reason, known(ledger).ended_at) == ("failed", "It is no audio.", 12.5)


@pytest.mark.parametrize("reached", JobState)
@pytest.mark.parametrize("wanted", JobState)
def test_states_move_only_forwards(ledger: Ledger, reached: JobState, wanted: JobState) -> None:
    spec = begun(ledger)
    ledger.advance(spec, reached)

    moved = ledger.advance(spec, wanted)

    assert moved is (RANKS[wanted] > RANKS[reached])
    assert known(ledger).state is (wanted if moved else reached)


def test_a_state_reached_twice_keeps_its_first_time(ledger: Ledger) -> None:
    spec = begun(ledger)
    ledger.advance(spec, JobState.TRANSCRIBED, transcribed_at=10.0)

    assert not ledger.advance(spec, JobState.TRANSCRIBED, transcribed_at=99.0)

    assert known(ledger).transcribed_at == 10.0


def test_an_ended_job_is_written_to_no_more(ledger: Ledger) -> None:
    spec = begun(ledger)
    ledger.advance(spec, JobState.CANCELLED, reason="It was cancelled.")

    assert not ledger.advance(spec, JobState.COMPLETED, reason="")
    assert not ledger.note(spec, sent_at=1.0)
    assert not ledger.note_leg(spec, "whisper", done_s=1.0)

    assert known(ledger).reason == "It was cancelled."
    assert known(ledger).sent_at is None
    assert known(ledger).legs["whisper"].done_s == 0.0


def test_a_stale_attempt_is_ignored(ledger: Ledger) -> None:
    old = begun(ledger)
    ledger.advance(old, JobState.RUNNING)
    new = begun(ledger, attempt=2)

    assert not ledger.advance(old, JobState.COMPLETED)
    assert not ledger.note(old, sent_at=1.0)
    assert not ledger.note_leg(old, "voxtral", done_s=5.0)

    assert known(ledger).spec == new
    assert known(ledger).state is JobState.SUBMITTED
    assert known(ledger).sent_at is None


def test_a_new_attempt_begins_with_nothing_of_the_old(ledger: Ledger) -> None:
    old = begun(ledger)
    ledger.note_leg(old, "whisper", done_s=5.0, total_s=9.0)
    ledger.advance(old, JobState.FAILED, reason="It was no audio.", ended_at=12.0)

    begun(ledger, attempt=2)

    record = known(ledger)
    assert (record.reason, record.ended_at, record.audio_s) == ("", None, None)


@pytest.mark.parametrize("attempt", [1, 3, 7])
def test_only_the_next_attempt_can_begin(ledger: Ledger, attempt: int) -> None:
    begun(ledger)

    assert not ledger.begin(make_spec(attempt=attempt))
    assert known(ledger).spec.attempt == 1


def test_of_many_who_begin_at_once_one_wins(ledger: Ledger, pool: ThreadPoolExecutor) -> None:
    for attempt in (1, 2):
        spec, start = make_spec(attempt=attempt), Barrier(THREADS)

        def begin(spec: JobSpec = spec, start: Barrier = start) -> bool:
            own = Ledger()
            own.redis.ping()  # connected already, so that all of them ask at once
            start.wait(PATIENCE_S)
            return own.begin(spec)

        tries = [pool.submit(begin) for _ in range(THREADS)]

        assert sum(it.result(PATIENCE_S) for it in tries) == 1


def test_of_many_who_end_a_job_at_once_one_wins(ledger: Ledger, pool: ThreadPoolExecutor) -> None:
    spec, start, ends = begun(ledger), Barrier(THREADS), sorted(FINAL_STATES)

    def end(number: int) -> JobState | None:
        state = ends[number % len(ends)]
        start.wait(PATIENCE_S)
        return state if ledger.advance(spec, state, reason=state.value) else None

    won = [state for state in pool.map(end, range(THREADS), timeout=PATIENCE_S) if state]

    assert len(won) == 1
    assert (known(ledger).state, known(ledger).reason) == (won[0], won[0].value)


def test_what_a_leg_reports_is_known(ledger: Ledger) -> None:
    spec = begun(ledger)
    outcome = LegOutcome(leg="whisper", status="ok", audio_s=61.0, model="base")

    assert ledger.note_leg(spec, "whisper", started_at=5.0, done_s=30.0, total_s=60.0)
    assert ledger.note_leg(spec, "voxtral", done_s=10.0)
    assert known(ledger).audio_s == 60.0
    assert ledger.note_leg(spec, "whisper", outcome=outcome.model_dump_json())

    legs = known(ledger).legs
    assert (legs["whisper"].started_at, legs["whisper"].done_s, legs["whisper"].outcome) == (5.0, 30.0, outcome)
    assert (legs["voxtral"].done_s, legs["voxtral"].outcome) == (10.0, None)
    assert known(ledger).audio_s == 61.0


def test_many_are_answered_in_the_order_they_were_asked(ledger: Ledger) -> None:
    first, second = named("a"), named("b")
    for job in (first, second):
        begun(ledger, job)

    records = ledger.get_many([second, "unknown", first])

    assert [it.spec.job if it else None for it in records] == [second, None, first]
    assert ledger.get_many([]) == []


def test_jobs_are_listed_oldest_first(ledger: Ledger) -> None:
    a, b, c = map(named, "abc")
    for job in (c, a, b):
        begun(ledger, job)

    assert ledger.jobs() == [c, a, b]

    begun(ledger, c, attempt=2)
    assert ledger.jobs() == [a, b, c]


def named(digit: str) -> str:
    return f"{digit * 16}-{digit * 8}"


@pytest.mark.parametrize("state", [JobState.TRANSCRIBED, JobState.PARTIAL])
def test_a_wait_for_what_has_happened_is_over_at_once(ledger: Ledger, state: JobState) -> None:
    spec = begun(ledger)
    ledger.advance(spec, state)

    assert ledger.wait(JOB, JobState.TRANSCRIBED, timeout_s=0).state is state


def test_a_wait_is_over_when_the_state_is_published(
    ledger: Ledger, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECHECK_S", 3 * PATIENCE_S)  # only the publication can end the wait in time
    spec = begun(ledger)
    waiting = pool.submit(Ledger().wait, JOB, JobState.TRANSCRIBED, 2 * PATIENCE_S)
    await_waiting(ledger)

    ledger.advance(spec, JobState.RUNNING)
    assert not waiting.done()
    ledger.advance(spec, JobState.TRANSCRIBED)

    assert waiting.result(PATIENCE_S).state is JobState.TRANSCRIBED


def test_a_wait_survives_a_publication_that_is_lost(
    ledger: Ledger, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECHECK_S", 0.05)
    begun(ledger)
    waiting = pool.submit(Ledger().wait, JOB, JobState.COMPLETED, PATIENCE_S)
    await_waiting(ledger)

    ledger.redis.hset(f"duet:job:{JOB}", mapping={"state": "completed", "rank": 3})  # and nothing is published

    assert waiting.result(PATIENCE_S).state is JobState.COMPLETED


def test_one_may_wait_for_a_job_that_is_begun_later(ledger: Ledger, pool: ThreadPoolExecutor) -> None:
    waiting = pool.submit(Ledger().wait, JOB, JobState.SUBMITTED, PATIENCE_S)
    await_waiting(ledger)

    begun(ledger)

    assert waiting.result(PATIENCE_S).state is JobState.SUBMITTED


@pytest.mark.parametrize("timeout_s", [0, 0.05])
def test_a_wait_that_takes_too_long_says_where_the_job_is(ledger: Ledger, timeout_s: float) -> None:
    ledger.advance(begun(ledger), JobState.RUNNING)

    with pytest.raises(WaitTimeoutError, match=rf"Job {JOB} is running after {timeout_s:g} s, not yet completed\."):
        ledger.wait(JOB, JobState.COMPLETED, timeout_s)


def test_a_wait_for_a_job_that_nobody_knows_takes_no_longer(ledger: Ledger) -> None:
    with pytest.raises(WaitTimeoutError, match="is unknown after"):
        ledger.wait(JOB, JobState.COMPLETED, timeout_s=0.05)


@pytest.mark.parametrize("call", CALLS)
def test_a_broker_that_is_not_there(use_broker: Callable[[str], None], call: str) -> None:
    (port,) = free_ports(1)
    use_broker(f"redis://user:geheim@127.0.0.1:{port}/0")

    with pytest.raises(BrokerError, match=rf"redis://127\.0\.0\.1:{port}/0 does not answer") as caught:
        CALLS[call](Ledger(), make_spec())

    assert "geheim" not in str(caught.value)


def test_a_socket_that_is_not_there(use_broker: Callable[[str], None], tmp_path: Path) -> None:
    use_broker(f"redis+socket://{tmp_path}/v.sock")

    with pytest.raises(BrokerError, match="does not answer"):
        Ledger().get(JOB)


def test_a_broker_that_never_answers_is_given_up_in_the_time_set(
    use_broker: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUET_CLIENT_TIMEOUT_S", "0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use_broker(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        started = time.monotonic()

        with pytest.raises(BrokerError, match="does not answer"):
            Ledger().get(JOB)

    assert time.monotonic() - started < Settings.model_fields["client_timeout_s"].default


def test_a_broker_that_dies_while_someone_waits(
    use_broker: Callable[[str], None], pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    with ExitStack() as broker:
        use_broker(broker.enter_context(start_valkey(tmp_path)))
        ledger = Ledger()
        begun(ledger)
        waiting = pool.submit(Ledger().wait, JOB, JobState.COMPLETED, 2 * PATIENCE_S)
        await_waiting(ledger)

    with pytest.raises(BrokerError, match="does not answer"):
        waiting.result(PATIENCE_S)
