"""A question about a finished episode is answered, whatever happens to the process at work on it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import Job
from pipeline.client.questions import Questions
from pipeline.client.retention.removal import Remover
from pipeline.errors import AudioError, JobAtWorkError
from pipeline.results.answered import read_answered
from pipeline.state.job_store import JobStore
from pipeline.storage import open_storage
from pipeline.types.question import AskedQuestion
from tests.faults.fleet import ROOT, TIMEOUT_S, Fleet, runs, wait_until

pytestmark = pytest.mark.xdist_group("fleet")
WHICH = "Which window is it?"


def done(fleet: Fleet, stem: str) -> Job:
    job = fleet.submit(stem)
    job.result(timeout=TIMEOUT_S)
    return job


def questions(job: Job) -> Questions:
    job_store = JobStore()
    record = job_store.get(job.id)
    assert record is not None
    return Questions(record, job_store)


def ended(job: Job, asked: AskedQuestion) -> AskedQuestion:
    def found() -> AskedQuestion | None:
        return questions(job).get(asked.id)

    wait_until(lambda: (it := found()) and it.is_final, "the question has ended")
    known = found()
    assert known is not None
    return known


def heard(fleet: Fleet, stem: str) -> list[int]:
    """Return the windows that were listened to for questions about an episode, in order."""
    return [it["window"] for it in fleet.stage.journal() if (it["event"], it["stem"]) == ("question", stem)]


def test_an_answer_is_kept_beside_the_results_and_found_again(fleet: Fleet) -> None:
    job = done(fleet, "asked")

    answered = ended(job, questions(job).ask(WHICH))

    assert (answered.state, answered.model) == ("answered", "fast-analyst")
    assert answered.answer
    assert answered.answer.answer == "The second."
    assert heard(fleet, "asked") == [0, 1, 2]
    assert questions(job).ask(f"  {WHICH} ") == answered, "the same words are the same question"
    assert read_answered(job.id, answered.id, open_storage(job.uri)) == answered
    wait_until(lambda: not questions_left(job), "the checkpoints of the answer are gone")
    assert heard(fleet, "asked") == [0, 1, 2]


def questions_left(job: Job) -> list[str]:
    return [name for name in open_storage(job.uri).list(f".work/{job.id}/questions/") if name.count("/") > 3]


def test_a_question_is_answered_before_the_episodes_that_wait(fleet: Fleet) -> None:
    job = done(fleet, "ahead")
    hold = fleet.stage.hold("voxtral.at-work.0")
    at_work = fleet.submit("at-work")
    wait_until(lambda: runs(fleet.stage, "voxtral", "at-work"), "the slow pool is at work")
    waiting = fleet.submit("waits-behind")

    asked = questions(job).ask(WHICH)
    hold.unlink()
    ended(job, asked)

    for it in (at_work, waiting):
        it.result(timeout=TIMEOUT_S)
    begun = next(it["at"] for it in fleet.stage.journal() if (it["event"], it["stem"]) == ("question", "ahead"))
    assert begun < runs(fleet.stage, "voxtral", "waits-behind")[0][0]


def test_a_job_that_is_at_work_is_not_asked_about(fleet: Fleet) -> None:
    hold = fleet.stage.hold("voxtral.too-early.0")
    job = fleet.submit("too-early")
    job.transcript(timeout=TIMEOUT_S)

    with pytest.raises(JobAtWorkError, match="ask about it when it has ended"):
        questions(job).ask(WHICH)

    hold.unlink()
    job.result(timeout=TIMEOUT_S)


def test_where_there_is_no_voxtral_the_question_says_so_and_can_be_asked_again(fleet: Fleet) -> None:
    job = done(fleet, "off-then-on")
    off = fleet.stage.switch_off_voxtral()
    skipped = ended(job, questions(job).ask(WHICH))
    assert (skipped.state, skipped.reason) == ("skipped", "Voxtral was switched off by the test.")
    off.unlink()

    assert ended(job, questions(job).ask(WHICH)).state == "answered"


def test_a_lost_process_costs_nothing_that_was_heard(fleet: Fleet) -> None:
    job = done(fleet, "lost-at-it")
    fleet.stage.die("question.lost-at-it.1", "once")

    answered = ended(job, questions(job).ask(WHICH))

    assert answered.state == "answered"
    assert heard(fleet, "lost-at-it") == [0, 1, 1, 2]


def test_a_question_that_costs_every_process_is_given_up(fleet: Fleet) -> None:
    job = done(fleet, "costs-all")
    fleet.stage.die("question.costs-all.1", "always")

    failed = ended(job, questions(job).ask(WHICH))

    assert failed.state == "failed"
    assert failed.reason.startswith("The process at work was ended before it was done")
    assert heard(fleet, "costs-all") == [0, 1, 1, 1]


def test_a_failure_is_one_sentence(fleet: Fleet) -> None:
    job = done(fleet, "fails-at-it")
    fleet.stage.die("question.fails-at-it.0", "fail")

    failed = ended(job, questions(job).ask(WHICH))

    assert (failed.state, failed.reason) == ("failed", "The engine was told to fail.")


def test_a_question_that_failed_goes_on_when_it_is_asked_again(fleet: Fleet) -> None:
    job = done(fleet, "fails-half-way")
    failure = fleet.stage.die("question.fails-half-way.1", "fail")
    assert ended(job, questions(job).ask(WHICH)).state == "failed"
    failure.unlink(missing_ok=True)

    assert ended(job, questions(job).ask(WHICH)).state == "answered"
    assert heard(fleet, "fails-half-way") == [0, 1, 1, 2]


def test_an_answer_that_cannot_be_stored_fails_with_the_reason(fleet: Fleet) -> None:
    job = done(fleet, "not-stored")
    hold = fleet.stage.hold("question.not-stored.2")
    asked = questions(job).ask(WHICH)
    wait_until(lambda: 2 in heard(fleet, "not-stored"), "the question is at its last window")
    place = Path(job.uri.removeprefix("file://")) / ".work" / job.id / "questions" / f"{asked.id}.json"
    place.mkdir()
    hold.unlink()

    failed = ended(job, asked)

    assert failed.state == "failed"
    assert str(place) in failed.reason


def test_a_lost_message_is_sent_again_by_asking_again(fleet: Fleet) -> None:
    job = done(fleet, "message-lost")
    hold = fleet.stage.hold("voxtral.in-the-way.0")
    ahead = fleet.submit("in-the-way")
    wait_until(lambda: runs(fleet.stage, "voxtral", "in-the-way"), "the slow pool is at work")
    asked = questions(job).ask(WHICH)
    fleet.drop_messages("voxtral")

    assert questions(job).ask(WHICH).state == "waiting"
    hold.unlink()

    assert ended(job, asked).state == "answered"
    ahead.result(timeout=TIMEOUT_S)


def test_a_job_is_forgotten_while_a_question_about_it_waits(fleet: Fleet) -> None:
    job = done(fleet, "forget-me")
    hold = fleet.stage.hold("voxtral.before-it.0")
    ahead = fleet.submit("before-it")
    wait_until(lambda: runs(fleet.stage, "voxtral", "before-it"), "the slow pool is at work")
    questions(job).ask(WHICH)
    eraser = Remover(JobStore())
    eraser.erase(eraser.of_job(job.id))
    hold.unlink()
    ahead.result(timeout=TIMEOUT_S)
    wait_until(lambda: not any(job.id in it for it in fleet.messages()), "its message is gone")

    assert heard(fleet, "forget-me") == []
    assert [key for key in fleet.redis().keys("*") if job.id in key and fleet.redis().ttl(key) < 0] == []
    assert not open_storage(job.uri).list()


def test_a_job_is_not_forgotten_while_a_question_about_it_is_at_work(fleet: Fleet) -> None:
    job = done(fleet, "not-now")
    hold = fleet.stage.hold("question.not-now.0")
    asked = questions(job).ask(WHICH)
    wait_until(lambda: heard(fleet, "not-now"), "the question is at work")
    eraser = Remover(JobStore())

    with pytest.raises(JobAtWorkError):
        eraser.erase(eraser.of_job(job.id))

    hold.unlink()
    assert ended(job, asked).state == "answered"


def test_audio_that_is_gone_is_asked_for_and_must_be_the_same(fleet: Fleet) -> None:
    job = done(fleet, "moved")
    data = fleet.path("moved").read_bytes()
    fleet.path("moved").unlink()
    with pytest.raises(AudioError, match="say where it is now"):
        questions(job).ask(WHICH)
    elsewhere = fleet.path("moved-elsewhere")
    elsewhere.write_bytes(b"other audio")
    with pytest.raises(AudioError, match="is not the audio of"):
        questions(job).ask(WHICH, str(elsewhere))

    elsewhere.write_bytes(data)

    assert ended(job, questions(job).ask(WHICH, str(elsewhere))).state == "answered"


def test_the_command_prints_the_answer_and_then_knows_it_without_a_broker(fleet: Fleet) -> None:
    job = done(fleet, "by-command")
    folder = job.uri.removeprefix("file://")
    command = [sys.executable, "-m", "pipeline.cli", "ask", folder, WHICH]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(fleet.folder), **fleet.variables}

    first = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert (first.returncode, first.stdout) == (0, "The second.\n  “Window 1.”\n"), first.stderr

    unreachable = environment | {"DUET_BROKER_URL": "redis://127.0.0.1:1/0"}
    again = subprocess.run([*command, "--json"], cwd=ROOT, env=unreachable, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["answer"]["answer"] == "The second."
