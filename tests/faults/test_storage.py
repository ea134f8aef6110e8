"""Storage on a bad day, with a real S3 server and a real full disk: what passes is waited for, the rest is said."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline import Job, JobState, submit
from pipeline.errors import StorageError, TransientError
from pipeline.settings import settings
from pipeline.state.job_store import JobStore
from pipeline.storage import open_storage
from pipeline.storage.file import FileStorage
from pipeline.types.pools import POOLS
from tests.faults.fleet import TIMEOUT_S, Fleet
from tests.faulty_s3 import FaultyS3, faulty_s3
from tests.services import S3Server, start_s3

pytestmark = pytest.mark.xdist_group("storage")
BOTO_TRIES = 5
SLOW_DOWN: dict[str, str | int] = {"trouble": "error", "status": 503, "code": "SlowDown"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with start_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def s3(server: S3Server) -> Iterator[FaultyS3]:
    with faulty_s3(server.endpoint_url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, server: S3Server, s3: FaultyS3) -> Iterator[Fleet]:
    """Workers whose storage is the real server, reached by the proxy."""
    own = {"DUET_S3_ENDPOINT_URL": s3.endpoint_url, "DUET_S3_TIMEOUT_S": "1", "DUET_RETRY_LIMIT": "2"}
    fleet = Fleet(tmp_path_factory.mktemp("storage"), **server.environment | own)
    try:
        fleet.start_broker()
        for pool in POOLS:
            fleet.start_worker(pool)
        fleet.wait_for_workers(*POOLS)
        yield fleet
    finally:
        fleet.stop()


@pytest.fixture
def night(running: Fleet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    with running.client():
        for name, value in running.variables.items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)
        yield running


def submitted(fleet: Fleet, server: S3Server, stem: str) -> Job:
    return submit(fleet.audio(stem), to=f"s3://{server.bucket}/nights")


def heard(fleet: Fleet) -> int:
    """Return on how many windows there was work so far."""
    return sum(line["event"] == "window" for line in fleet.stage.journal())


def ended(job: Job) -> tuple[JobState, str]:
    record = JobStore().wait(job.id, JobState.COMPLETED, TIMEOUT_S)
    return record.state, record.reason


@pytest.mark.parametrize(
    ("stem", "fault"),
    [
        ("busy", {"trouble": "error", "method": "PUT", "key": "transcript.json", "times": BOTO_TRIES + 1}),
        ("throttled", SLOW_DOWN | {"method": "PUT", "key": "result.json", "times": BOTO_TRIES + 1}),
        ("late", {"trouble": "hang", "method": "GET", "key": "audio.mp3", "times": 1}),
        ("cut", {"trouble": "cut", "method": "GET", "key": "audio.mp3", "times": 1}),
        ("damaged-down", {"trouble": "damage the answer", "method": "GET", "key": "transcript.json", "times": 1}),
        ("damaged-up", {"trouble": "damage the request", "method": "PUT", "key": "analysis.json", "times": 1}),
    ],
)  # fmt: skip
def test_what_passes_is_waited_for_and_no_work_is_done_twice(
    night: Fleet, server: S3Server, s3: FaultyS3, stem: str, fault: dict[str, str | int]
) -> None:
    # Given a server that has some trouble with one kind of request, and gets over it
    before = heard(night)
    with s3.fault(**fault) as met:  # type: ignore[arg-type]
        job = submitted(night, server, stem)

        # When the job has ended
        state, reason = ended(job)

    # Then the trouble was met, and nobody can tell from the result
    assert met.seen == fault["times"]
    assert (state, reason) == (JobState.COMPLETED, "")
    assert job.result(timeout=0).state is JobState.COMPLETED
    assert "Window 2." in job.transcript(timeout=0).text
    assert heard(night) - before == 9, "three windows for each leg"


def test_trouble_that_does_not_pass_ends_the_job_within_its_budget(
    night: Fleet, server: S3Server, s3: FaultyS3
) -> None:
    with s3.fault("error", method="PUT", key="transcript.json", status=500) as met:
        job = submitted(night, server, "broken")

        state, reason = ended(job)

    assert state is JobState.PARTIAL, "the other leg's work is kept"
    assert "S3 is not able to answer now" in reason
    assert "It was tried 3 times." in reason
    assert met.seen == 3 * BOTO_TRIES
    assert job.retry().result(timeout=TIMEOUT_S).state is JobState.COMPLETED


@pytest.mark.parametrize(
    ("code", "status", "sentence"),
    [
        ("AccessDenied", 403, "S3 refuses the credentials (AccessDenied); check AWS_ACCESS_KEY_ID"),
        ("ExpiredToken", 400, "S3 refuses the credentials (ExpiredToken)"),
        ("NoSuchBucket", 404, "there is no bucket 'podcasts'; create it or name another one."),
    ],
)
def test_what_stays_is_said_at_once_and_can_be_done_again_later(
    night: Fleet, server: S3Server, s3: FaultyS3, code: str, status: int, sentence: str
) -> None:
    # Given a bucket that refuses what the workers want to read and write there
    stem = f"away-{code.lower()}"
    with s3.fault("error", key=r"\.json", status=status, code=code):
        job = submitted(night, server, stem)

        # When the job has ended
        state, reason = ended(job)

    # Then that was without another try and with the reason; and when it is back, what is missing is done
    assert state is JobState.FAILED
    assert sentence in reason
    assert "tried" not in reason
    assert job.retry().result(timeout=TIMEOUT_S).state is JobState.COMPLETED


def test_a_checksum_that_does_not_fit_is_a_passing_trouble(night: Fleet, server: S3Server, s3: FaultyS3) -> None:
    storage = open_storage(f"s3://{server.bucket}/checksums")
    storage.put("ep.mp3", b"sound" * 1000)

    with s3.fault("damage the answer", method="GET"):
        for act in (storage.get, storage.local_path):
            with pytest.raises(TransientError, match="what arrived is not what was sent"):
                act("ep.mp3")
    with s3.fault("damage the request", method="PUT"), pytest.raises(TransientError, match="is not what was sent"):
        storage.put("ep.mp3", b"other" * 1000)

    assert storage.get("ep.mp3") == b"sound" * 1000, "what was damaged on its way has not taken its place"
    assert not list(settings().cache_dir.rglob("*.part"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "duet", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk (run as root)")
    with ExitStack() as cleanup:
        cleanup.callback(subprocess.run, ["umount", "--lazy", disk], check=True)
        yield disk


def test_a_full_disk_is_said_and_leaves_nothing_half_written(small_disk: Path) -> None:
    storage = FileStorage(small_disk / "ep")
    storage.put("result.json", b"old")

    with pytest.raises(StorageError, match=r"result\.json: No space left on device; free some space"):
        storage.put("result.json", bytes(1 << 20))

    assert storage.get("result.json") == b"old"
    assert storage.list() == ["result.json"]
    assert [it.name for it in (small_disk / "ep").iterdir()] == ["result.json"]


def test_a_job_on_a_full_disk_ends_with_the_reason_and_is_done_when_there_is_room(
    night: Fleet, small_disk: Path
) -> None:
    # Given a disk with next to no room
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(252 << 10))

    # When an episode's results are to go there
    job = submit(night.audio("full"), to=small_disk)
    state, reason = ended(job)

    # Then it has failed and says what to do, and that is enough
    assert state is JobState.FAILED
    assert "No space left on device; free some space or choose another folder." in reason
    ballast.unlink()
    assert job.retry().result(timeout=TIMEOUT_S).state is JobState.COMPLETED
