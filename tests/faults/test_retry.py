"""Jobs that ended without all that was asked for: what is missing is done, and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import Job, JobState, failed_jobs
from pipeline.errors import AudioError
from pipeline.state.pool_status import worker_states
from pipeline.state.worker_registry import state_key
from tests.duet import TRACEBACK, Finished
from tests.faults.fleet import ROOT, TIMEOUT_S, Fleet, runs, windows

pytestmark = pytest.mark.xdist_group("fleet")


def duet(fleet: Fleet, *arguments: str) -> Finished:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *arguments],
        env=os.environ | fleet.variables | {"COLUMNS": "200"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert TRACEBACK not in done.stdout + done.stderr
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(("leg", "other"), [("voxtral", "whisper"), ("whisper", "voxtral")])
def test_only_the_leg_that_failed_is_run_again_and_from_its_checkpoint(fleet: Fleet, leg: str, other: str) -> None:
    # Given an episode of which one leg failed at its second window
    stem = f"half-{leg}"
    flag = fleet.stage.die(f"{leg}.{stem}.1", "fail")
    job = fleet.submit(stem)
    result = job.result(timeout=TIMEOUT_S)
    assert result.state is JobState.PARTIAL
    assert "The engine was told to fail." in result.reason
    flag.unlink()

    # When it is tried again
    again = job.retry()
    result = again.result(timeout=TIMEOUT_S)

    # Then it is complete, the other leg was not run, and of this one only what it had not done
    assert (again.id, again.spec.attempt) == (job.id, 2)
    assert result.state is JobState.COMPLETED
    assert result.legs[other].reused  # type: ignore[index]
    assert len(runs(fleet.stage, other, stem)) == 1
    assert windows(fleet.stage, leg, stem) == [0, 1, 1, 2]
    assert not list(fleet.results.glob(f"{stem}-*/.work")), "nothing is kept that nobody needs"


def test_an_episode_without_voxtral_gets_its_analysis_when_there_is_one(fleet: Fleet) -> None:
    # Given an episode that was transcribed while Voxtral was off
    off = fleet.stage.switch_off_voxtral()
    job = fleet.submit("skipped")
    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED, "it is no loss where there is no Voxtral"
    off.unlink()

    # When the episodes with an outline are tried again
    assert job.id not in [it.id for it in failed_jobs()]
    done = duet(fleet, "retry", "--outlines", "--json")

    # Then Voxtral has heard it, and Whisper has not again
    (row,) = (json.loads(line) for line in done.out.splitlines() if job.id in line)
    assert row["status"] == "completed", done
    assert job.result(timeout=TIMEOUT_S).legs["voxtral"].status == "ok"
    assert len(runs(fleet.stage, "whisper", "skipped")) == 1
    assert job.id not in duet(fleet, "failed", "--json").out


def test_episodes_with_an_outline_are_left_alone_while_voxtral_is_off(fleet: Fleet) -> None:
    off = fleet.stage.switch_off_voxtral()
    job = fleet.submit("still-off")
    job.result(timeout=TIMEOUT_S)
    states = [it for it in worker_states(fleet.url) if it.pool == "voxtral"]
    for it in states:
        fleet.redis().hset(state_key(it.worker), "model", "off: there is no CUDA device.")

    done = duet(fleet, "retry", "--outlines")

    for it in states:
        fleet.redis().hset(state_key(it.worker), "model", it.fields.get("model", ""))
    off.unlink()
    assert "there is no CUDA device." in done.err
    assert Job.of(job.id).spec.attempt == 1


def test_what_failed_is_listed_with_its_reason(fleet: Fleet) -> None:
    # Given an episode that failed
    fleet.stage.die("whisper.listed.0", "fail")
    fleet.stage.die("voxtral.listed.0", "fail")
    job = fleet.submit("listed")
    assert job.result(timeout=TIMEOUT_S).state is JobState.FAILED

    # When a person and a program ask
    table, lines = duet(fleet, "failed"), duet(fleet, "failed", "--json")

    # Then both are told which, why, and what to do; and the status says that something failed
    assert (table.code, lines.code) == (1, 1)
    for part in (job.id[:8], "listed.mp3", "failed", "The engine was told to fail.", "duet retry"):
        assert part in table.out
    (row,) = (json.loads(line) for line in lines.out.splitlines() if job.id in line)
    assert (row["status"], row["missing"], row["uri"]) == ("failed", ["whisper", "voxtral"], job.uri)

    # And when it fails again, so does the command
    again = duet(fleet, "retry", job.id[:12])
    assert again.code == 1
    assert "listed.mp3: failed" in again.out


def test_a_job_that_is_complete_or_under_way_is_left_as_it_is(fleet: Fleet) -> None:
    hold = fleet.stage.hold("whisper.under-way.1")
    job = fleet.submit("under-way")
    assert job.retry().spec.attempt == 1
    hold.unlink()

    assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert job.retry().spec.attempt == 1


def test_audio_that_has_gone_is_said_and_the_others_go_on(fleet: Fleet) -> None:
    # Given two episodes that failed, of which one's audio is deleted
    flags = [fleet.stage.die(f"voxtral.{stem}.0", "fail") for stem in ("gone", "there")]
    gone, there = (fleet.submit(stem) for stem in ("gone", "there"))
    for job in (gone, there):
        job.result(timeout=TIMEOUT_S)
    for flag in flags:
        flag.unlink()
    Path(gone.spec.episode.source).unlink()

    done = duet(fleet, "retry", gone.id, there.id)

    assert done.code == 1
    assert "gone.mp3 is no longer at" in done.err
    assert "there.mp3: completed" in done.out
    with pytest.raises(AudioError, match="put it back there, or submit the episode from where it is now"):
        gone.retry()


@pytest.mark.parametrize(
    ("arguments", "sentence"), [([], "give --failed or --outlines"), (["zzz"], "No job begins with 'zzz'")]
)
def test_what_is_to_be_tried_again_must_be_said(fleet: Fleet, arguments: list[str], sentence: str) -> None:
    done = duet(fleet, "retry", *arguments)

    assert done.code == 2
    assert sentence in done.err
