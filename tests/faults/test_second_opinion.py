"""Voxtral is asked once more before a job ends; whatever happens to that, the job ends."""

import pytest

from pipeline import Job, JobState, Options
from pipeline.errors import CancelledError
from pipeline.messaging import chord
from pipeline.state.job_store import JobStore
from pipeline.types import LegOutcome
from tests.faults.fleet import TIMEOUT_S, Fleet, is_consistent, wait_until

pytestmark = pytest.mark.xdist_group("fleet")
SEGMENT = 1
"""The one that the fast transcriber is unsure of."""


def asked(fleet: Fleet, stem: str) -> int:
    """Return how often Voxtral was asked for a second opinion on an episode."""
    return sum(it["event"] == "opinion" and it["stem"] == stem for it in fleet.stage.journal())


def wait_until_asked(fleet: Fleet, stem: str) -> None:
    wait_until(lambda: asked(fleet, stem), "Voxtral is asked once more")


def test_a_job_completes_with_the_second_opinion(fleet: Fleet) -> None:
    result = fleet.submit("doubtful-well").result(timeout=TIMEOUT_S)

    assert result.state is JobState.COMPLETED
    assert result.transcript
    assert result.transcript.segments[SEGMENT].second_reading == "Window one."
    assert [it.agreement is None for it in result.transcript.segments] == [True, False, True]
    assert result.figures.second_opinion
    assert asked(fleet, "doubtful-well") == 1


@pytest.mark.parametrize(("stem", "options"), [("sure", Options()), ("doubtful-off", Options(second_opinion="off"))])
def test_a_job_without_doubts_or_without_the_wish_ends_at_once(fleet: Fleet, stem: str, options: Options) -> None:
    result = fleet.submit(stem, options=options).result(timeout=TIMEOUT_S)

    assert result.state is JobState.COMPLETED
    assert result.figures.second_opinion is None
    assert asked(fleet, stem) == 0


def test_a_process_that_is_lost_at_it_costs_the_opinion_and_not_the_job(fleet: Fleet) -> None:
    fleet.stage.die("opinion.doubtful-lost", "once")

    job = fleet.submit("doubtful-lost")
    result = job.result(timeout=TIMEOUT_S)

    assert result.state is JobState.PARTIAL
    assert result.reason.startswith("Second opinion: The process at work was ended before it was done")
    assert result.analysis
    assert "Window 2." in result.text
    assert asked(fleet, "doubtful-lost") == 1, "what costs a process once is not worth another"
    assert is_consistent(job)


def test_a_worker_that_is_lost_at_it_costs_the_opinion_and_not_the_job(fleet: Fleet) -> None:
    fleet.start_worker("voxtral", "voxtral-second")
    fleet.wait_for_workers("voxtral", "voxtral-second")
    fleet.stage.die("opinion.doubtful-worker", "worker")

    result = fleet.submit("doubtful-worker").result(timeout=TIMEOUT_S)

    assert result.state is JobState.PARTIAL
    assert "Second opinion" in result.reason


def test_a_job_is_cancelled_while_voxtral_is_asked(fleet: Fleet) -> None:
    held = fleet.stage.hold("opinion.doubtful-cancelled")
    job = fleet.submit("doubtful-cancelled")
    wait_until_asked(fleet, "doubtful-cancelled")

    assert job.state is JobState.TRANSCRIBED
    assert job.cancel()
    held.unlink()

    with pytest.raises(CancelledError):
        job.result(timeout=TIMEOUT_S)
    assert fleet.submit("sure-after-cancel").result(timeout=TIMEOUT_S).state is JobState.COMPLETED


def test_a_merge_that_comes_twice_waits_for_the_opinion_too(fleet: Fleet) -> None:
    held = fleet.stage.hold("opinion.doubtful-twice")
    job = fleet.submit("doubtful-twice")
    wait_until_asked(fleet, "doubtful-twice")

    chord.send_merge(job.spec, outcomes(job))
    other = fleet.submit("sure-beside", options=Options(second_opinion="off"))
    wait_until(lambda: job.spec.task_id("merge") not in fleet.messages(), "the second merge is done")
    assert job.state is JobState.TRANSCRIBED
    held.unlink()

    assert job.result(timeout=TIMEOUT_S).figures.second_opinion
    assert other.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert is_consistent(job)


def test_an_opinion_whose_message_is_lost_is_asked_for_again(fleet: Fleet) -> None:
    # Given a job of which only the job store knows that Voxtral is asked: its process died before it could send
    held = fleet.stage.hold("voxtral.doubtful-unsent.0")
    job = fleet.submit("doubtful-unsent")
    wait_until(lambda: job.state is JobState.TRANSCRIBED, "the fast leg ends")
    JobStore().note(job.spec, opinion_asked_at=1.0)

    # When the slow leg ends
    held.unlink()

    # Then the clock sends it
    result = job.result(timeout=TIMEOUT_S)
    assert result.figures.second_opinion
    assert asked(fleet, "doubtful-unsent") == 1
    assert "waits for opinion" in fleet.processes["cpu"].log.read_text()


def outcomes(job: Job) -> list[LegOutcome]:
    record = JobStore().get(job.id)
    assert record
    return [it.outcome for it in record.legs.values() if it.outcome]
