"""The Python API against `duet up`, with a real S3 server and a real, tiny Voxtral."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from pipeline import JobState, Options, submit, submit_folder
from pipeline.errors import AudioError, BrokerError, CancelledError, JobFailedError, StorageError, WaitTimeoutError
from pipeline.settings import settings
from pipeline.storage import open_storage
from pipeline.types.schemas import schema
from tests.duet import Duet, excerpt
from tests.services import S3Server, start_s3
from tests.voxtral_checkpoint import build

pytestmark = pytest.mark.xdist_group("api")
JOB_TIMEOUT_S = 120.0


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with start_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, episodes: dict[str, Path]) -> Path:
    return excerpt(episodes["corner-shop"], 8.0, tmp_path_factory.mktemp("clips") / "My first clip.wav")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, cache: Path, s3: S3Server) -> Iterator[Duet]:
    """A stack that stays up, and this process set to find it."""
    folder = tmp_path_factory.mktemp("up")
    build(folder / "tiny-voxtral")
    variables = {
        "DUET_VOXTRAL": "on",
        "DUET_VOXTRAL_MODEL": str(folder / "tiny-voxtral"),
        "DUET_S3_ENDPOINT_URL": s3.endpoint_url,
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
    }
    duet = Duet(folder, cache, **variables)
    with duet.up():
        yield duet


def test_an_episode_goes_to_s3_and_comes_back_with_both_legs(up: Duet, s3: S3Server, clip: Path) -> None:
    job = submit(clip, to=f"s3://{s3.bucket}/shows")

    transcript = job.transcript(timeout=JOB_TIMEOUT_S)
    result = job.result(timeout=JOB_TIMEOUT_S)

    assert "Good morning" in transcript.text
    assert job.state is JobState.COMPLETED
    assert result.state is JobState.COMPLETED
    assert result.text == transcript.text
    assert result.legs["voxtral"].status == "ok"
    assert job.uri == f"s3://{s3.bucket}/shows/my-first-clip-{result.episode.id}"
    names = open_storage(job.uri).list()
    assert set(names) == {*result.files, "result.json"}, "the work files are gone"


def test_two_jobs_of_one_episode_do_not_clear_away_each_others_work(up: Duet, s3: S3Server, clip: Path) -> None:
    destination = f"s3://{s3.bucket}/twice"
    first = submit(clip, to=destination)
    second = submit(clip, to=destination, options=Options(language="en"))

    states = [job.result(timeout=JOB_TIMEOUT_S).legs["whisper"].status for job in (first, second)]

    assert first.uri == second.uri
    assert states == ["ok", "ok"]
    assert first.spec.audio_uri != second.spec.audio_uri


def test_submitting_the_same_thing_twice_gives_the_same_job(up: Duet, clip: Path, tmp_path: Path) -> None:
    first = submit(clip, to=tmp_path)
    second = submit(clip, to=tmp_path)
    first.result(timeout=JOB_TIMEOUT_S)
    third = submit(clip, to=tmp_path)

    assert first.id == second.id == third.id
    assert first.spec.attempt == second.spec.attempt == third.spec.attempt == 1


def test_force_makes_a_new_attempt_of_the_same_job(up: Duet, clip: Path, tmp_path: Path) -> None:
    first = submit(clip, to=tmp_path)
    first.result(timeout=JOB_TIMEOUT_S)

    again = submit(clip, to=tmp_path, force=True)
    result = again.result(timeout=JOB_TIMEOUT_S)

    assert again.id == first.id
    assert result.attempt == 2
    assert not result.legs["whisper"].reused


def test_results_that_were_deleted_are_made_again(up: Duet, clip: Path, tmp_path: Path) -> None:
    job = submit(clip, to=tmp_path)
    job.result(timeout=JOB_TIMEOUT_S)
    open_storage(job.uri).delete("result.json")

    result = submit(clip, to=tmp_path).result(timeout=JOB_TIMEOUT_S)

    assert result.state is JobState.COMPLETED
    assert result.attempt == 2


def test_other_options_are_another_job(up: Duet, clip: Path, tmp_path: Path) -> None:
    assert submit(clip, to=tmp_path).id != submit(clip, to=tmp_path, options=Options(language="en")).id


def test_a_cancelled_job_has_no_result(up: Duet, episodes: dict[str, Path], tmp_path: Path) -> None:
    job = submit(episodes["science-chat"], to=tmp_path)

    assert job.cancel()

    assert job.state is JobState.CANCELLED
    assert not job.cancel(), "it has ended already"
    with pytest.raises(CancelledError):
        job.result(timeout=JOB_TIMEOUT_S)


def test_a_job_that_was_cancelled_can_be_submitted_again(up: Duet, clip: Path, tmp_path: Path) -> None:
    submit(clip, to=tmp_path).cancel()

    result = submit(clip, to=tmp_path).result(timeout=JOB_TIMEOUT_S)

    assert result.state is JobState.COMPLETED


def test_waiting_ends_with_an_error_when_the_time_is_over(up: Duet, episodes: dict[str, Path], tmp_path: Path) -> None:
    job = submit(episodes["garden-hour"], to=tmp_path)

    with pytest.raises(WaitTimeoutError, match=r"not yet completed"):
        job.result(timeout=0.05)
    job.cancel()


def test_audio_that_cannot_be_decoded_fails_the_job_and_says_why(up: Duet, tmp_path: Path) -> None:
    (tmp_path / "notes.mp3").write_text("not audio")
    job = submit(tmp_path / "notes.mp3", to=tmp_path)

    result = job.result(timeout=JOB_TIMEOUT_S)

    assert result.state is JobState.FAILED
    with pytest.raises(JobFailedError, match=r"notes\.mp3 cannot be decoded as audio"):
        job.transcript(timeout=JOB_TIMEOUT_S)


def test_a_folder_is_a_batch_of_jobs(up: Duet, clip: Path, tmp_path: Path) -> None:
    batch = submit_folder(clip.parent, to=tmp_path)

    assert len(batch) == 1
    assert [job.result(timeout=JOB_TIMEOUT_S).state for job in batch] == [JobState.COMPLETED]
    assert batch.rejected == ()


def test_what_cannot_be_submitted_is_said_at_once(up: Duet, clip: Path, tmp_path: Path, s3: S3Server) -> None:
    with pytest.raises(AudioError, match=r"No such file or folder: .*nothing\.mp3"):
        submit(tmp_path / "nothing.mp3", to=tmp_path)
    with pytest.raises(AudioError, match="is a folder"):
        submit(tmp_path, to=tmp_path)
    with pytest.raises(StorageError, match="no bucket 'no-such-bucket'"):
        submit(clip, to="s3://no-such-bucket/x")


def test_without_a_broker_submitting_says_what_to_do(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUET_STATE_DIR", str(tmp_path))
    settings.cache_clear()
    try:
        with pytest.raises(BrokerError, match=r"set DUET_BROKER_URL.*or start one with `duet up`"):
            submit(clip, to=tmp_path)
    finally:
        settings.cache_clear()


def test_wrong_s3_credentials_are_said(up: Duet, s3: S3Server, clip: Path, tmp_path: Path) -> None:
    done = up("run", clip, "--to", f"s3://{s3.bucket}/x", "--json", AWS_SECRET_ACCESS_KEY="wrong")

    assert done.code == 1
    assert "S3 refuses the credentials" in done.rows[0]["reason"]
    assert "Traceback" not in done.err


def test_segments_come_in_order_and_are_those_of_the_transcript(
    up: Duet, episodes: dict[str, Path], tmp_path: Path
) -> None:
    job = submit(episodes["garden-hour"], to=tmp_path)

    segments = list(job.segments())

    assert segments == list(job.transcript(timeout=JOB_TIMEOUT_S).segments)
    assert len(segments) > 3


def test_what_voxtral_leaves_validates_against_the_schema_we_ship(up: Duet, clip: Path, tmp_path: Path) -> None:
    job = submit(clip, to=tmp_path)
    job.result(timeout=JOB_TIMEOUT_S)

    analysis = json.loads(open_storage(job.uri).get("analysis.json"))

    jsonschema.validate(analysis, schema("analysis"))
    assert analysis["source"] == "voxtral"
