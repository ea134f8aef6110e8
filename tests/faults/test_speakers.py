"""The leg that tells speakers apart shares the fast leg's pool, and makes way for it."""

import pytest

from pipeline import JobState, Options
from pipeline.client.naming import name_speakers
from pipeline.results.manifest import changed_files, read_manifest
from pipeline.state.job_store import JobStore
from pipeline.storage import open_storage
from tests.faults.fleet import TIMEOUT_S, Fleet, is_consistent, wait_until, windows

pytestmark = pytest.mark.xdist_group("fleet")


def test_a_transcript_that_waits_goes_first_and_the_speakers_go_on_where_they_were(fleet: Fleet) -> None:
    # Given an episode whose speakers are being told apart
    hold = fleet.stage.hold("speakers.chatter.1")
    chatter = fleet.submit("chatter")
    wait_until(lambda: windows(fleet.stage, "speakers", "chatter") == [0, 1], "its speakers are at the second window")

    # When another episode waits for the pool
    brief = fleet.submit("brief")
    hold.unlink()

    # Then its transcript is there before the speakers of the first one, which repeat at most the window at work
    brief.transcript(timeout=TIMEOUT_S)
    assert chatter.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    assert brief.result(timeout=TIMEOUT_S).state is JobState.COMPLETED
    order = [(it["leg"], it["stem"]) for it in fleet.stage.journal() if it["event"] == "end"]
    assert order.index(("whisper", "brief")) < len(order) - 1 - order[::-1].index(("speakers", "chatter"))
    assert windows(fleet.stage, "speakers", "chatter") in ([0, 1, 2], [0, 1, 1, 2])
    assert is_consistent(chatter)


def test_the_transcript_is_there_before_the_speakers_are(fleet: Fleet) -> None:
    # Given an episode whose speakers take long
    hold = fleet.stage.hold("speakers.patient.0")
    job = fleet.submit("patient")

    # Then its transcript does not wait for them
    assert job.transcript(timeout=TIMEOUT_S).text
    assert job.state is JobState.TRANSCRIBED
    hold.unlink()
    assert job.result(timeout=TIMEOUT_S).legs["speakers"].status == "ok"


def test_an_episode_whose_speakers_cannot_be_told_apart_has_all_else(fleet: Fleet) -> None:
    # Given a diarizer that fails
    flag = fleet.stage.die("speakers.muddle.1", "fail")

    # When an episode is processed
    job = fleet.submit("muddle")
    result = job.result(timeout=TIMEOUT_S)

    # Then it is partial for that reason, with its transcript and analysis
    assert result.state is JobState.PARTIAL
    assert result.missing == ("Speakers: The engine was told to fail.",)
    assert result.transcript
    assert result.analysis

    # And a retry completes it, without repeating the other legs
    flag.unlink()
    again = job.retry().result(timeout=TIMEOUT_S)
    assert again.state is JobState.COMPLETED
    assert windows(fleet.stage, "whisper", "muddle") == [0, 1, 2]


def test_speakers_that_are_switched_off_take_no_time(fleet: Fleet) -> None:
    # When an episode is submitted without speakers
    job = fleet.submit("mute", options=Options(speakers=False))
    result = job.result(timeout=TIMEOUT_S)

    # Then it is complete, and the diarizer has not seen it
    assert result.state is JobState.COMPLETED
    assert result.legs["speakers"].status == "skipped"
    assert windows(fleet.stage, "speakers", "mute") == []


@pytest.mark.parametrize("is_off", [False, True])
def test_a_name_from_the_user_stays_when_the_episode_is_processed_by_force(fleet: Fleet, is_off: bool) -> None:
    # Given an episode with a speaker who was named
    name = f"christened-{is_off}".lower()
    job = fleet.submit(name)
    job.result(timeout=TIMEOUT_S)
    name_speakers(job.uri, {"S2": "Tom Reed"}, JobStore(), job.spec)

    # When it is processed again, by voices or without a diarizer
    flag = fleet.stage.switch_off_speakers() if is_off else None
    again = fleet.submit(name, force=True)
    result = again.result(timeout=TIMEOUT_S)
    if flag:
        flag.unlink()

    # Then the name is there, and every file fits the manifest
    assert result.attempt == 2
    assert (result.legs["speakers"].status, result.state) == ("skipped" if is_off else "ok", JobState.COMPLETED)
    assert result.transcript
    assert [(it.id, it.name, it.name_source) for it in result.transcript.speakers] == [
        ("S1", None, None),
        ("S2", "Tom Reed", "user"),
    ]
    assert [it.speaker for it in result.transcript.spoken] == ["S1", "S2", "S1"]
    storage = open_storage(job.uri)
    public = read_manifest(storage)
    assert public
    assert changed_files(public, storage) == []
    assert b"Tom Reed" in storage.get("transcript.vtt")
