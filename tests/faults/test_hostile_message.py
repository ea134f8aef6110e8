"""Messages from an old or hostile producer: each is refused with a reason, and the pool goes on."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import redis

from pipeline import JobState
from pipeline.messaging.app import client_app
from pipeline.messaging.chord import send
from pipeline.settings import settings
from pipeline.state.job_store import JobStore
from pipeline.types import Episode, JobSpec, Options
from tests.faults.fleet import TIMEOUT_S
from tests.services import start_valkey
from tests.unit.test_envelope import CHANGES, envelope

pytestmark = pytest.mark.xdist_group("faults")
GARBAGE = ["not json", "", "[1, 2, 3]", "null", "{}", "\x00\xff", "[" * 100_000, '{"__type__": "datetime"}', "1e999"]
FAILED_LEGS = [{"leg": leg, "status": "failed", "reason": "x"} for leg in ("whisper", "voxtral")]


@dataclass(frozen=True)
class Worker:
    """A worker of all queues, allowed to touch one folder only, and the way to its broker."""

    process: "subprocess.Popen[bytes]"
    log: Path
    url: str
    root: Path

    def push(self, raw: str | bytes, queue: str = "cpu") -> None:
        with redis.Redis.from_url(self.url.replace("redis+socket", "unix")) as client:
            client.lpush(queue, raw)

    def waiting(self) -> int:
        with redis.Redis.from_url(self.url.replace("redis+socket", "unix")) as client:
            return int(client.llen("cpu") + client.hlen("unacked"))  # type: ignore[operator]

    def call(self, task: str, *arguments: object) -> Any:
        """Send a task, and wait for what it returns or raises."""
        queue = {"tasks.transcribe": "whisper", "tasks.analyze": "voxtral"}.get(task, "cpu")
        return client_app(self.url).send_task(task, args=arguments, queue=queue).get(TIMEOUT_S, propagate=False)

    def is_at_work(self) -> bool:
        """Whether it answers a task that is sent now."""
        return self.call("celery.backend_cleanup") is None and self.process.poll() is None


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    folder = tmp_path_factory.mktemp("hostile")
    root = folder / "allowed"
    root.mkdir()
    log = folder / "worker.log"
    with start_valkey(folder) as url, pytest.MonkeyPatch.context() as patch:
        variables = {"DUET_BROKER_URL": url, "DUET_STATE_DIR": str(folder), "DUET_ALLOWED_ROOTS": str(root)}
        for name, value in variables.items():
            patch.setenv(name, value)
        settings.cache_clear()
        command = [sys.executable, "-m", "celery", "-A", "pipeline", "worker", "-Q", "whisper,voxtral,cpu", "-c", "1"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--loglevel", "INFO", "--without-gossip", "--without-mingle"],
                env=os.environ | {"DUET_VOXTRAL": "off"},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield Worker(process, log, url, root)
        finally:
            settings.cache_clear()
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def job_named(name: str) -> str:
    return f"{sha256(name.encode()).hexdigest()[:16]}-01234567"


def make_spec(worker: Worker, job: str, **changes: object) -> JobSpec:
    spec = JobSpec(
        job=job,
        attempt=1,
        episode=Episode(id=job[:16], source="ep.mp3", slug="ep", size_bytes=5),
        options=Options(),
        audio_uri=(worker.root / "ep.mp3").as_uri(),
        uri=(worker.root / job).as_uri(),
    )
    return spec.model_copy(update=changes)


def end_of(spec: JobSpec) -> tuple[JobState, str]:
    record = JobStore().wait(spec.job, JobState.COMPLETED, TIMEOUT_S)
    return record.state, record.reason


def test_what_no_worker_can_unpack_is_dropped_and_the_worker_goes_on(worker: Worker) -> None:
    # Given everything but a message, and messages with each part damaged, one of them pickled
    hostile = list(GARBAGE)
    for change in CHANGES.values():
        message = envelope()
        change(message)
        hostile.append(json.dumps(message))
    for body in (pickle.dumps([[], {}, {}]), b'"hello"', b"[" * 100_000):
        hostile.append(json.dumps(envelope(body)))

    # When they lie in the queue
    for raw in hostile:
        worker.push(raw)

    # Then the same worker does what comes after them, has told of each, and none of them comes back
    assert worker.is_at_work()
    refused = worker.log.read_text().count("A message was refused and dropped.")
    assert refused == len(hostile)
    deadline = time.monotonic() + TIMEOUT_S
    while worker.waiting():
        assert time.monotonic() < deadline, "a refused message waits to be delivered again"
        time.sleep(0.02)


@pytest.mark.parametrize("task", ["os.system", "tasks.unknown", "celery.chain"])
def test_a_task_that_is_not_ours_is_refused(worker: Worker, task: str) -> None:
    worker.push(json.dumps(envelope() | {"headers": envelope()["headers"] | {"task": task}}))

    assert worker.is_at_work()


@pytest.mark.parametrize(
    "arguments", [[], [None], ["x"], [[], {}], [{}, {}, {}], [[{"leg": "whisper"}], {"job": "x"}], [{"uri": "s3://x"}]]
)
@pytest.mark.parametrize("task", ["tasks.transcribe", "tasks.analyze", "tasks.merge", "tasks.rescue"])
def test_arguments_that_are_none_are_refused_with_a_reason(worker: Worker, task: str, arguments: list[object]) -> None:
    answer = worker.call(task, *arguments)

    # Celery has a sentence of its own for too few or too many.
    reason = str(answer) if isinstance(answer, TypeError) else answer["reason"]
    assert "The message" in reason or "argument" in reason
    assert worker.is_at_work()


@pytest.mark.parametrize("field", ["colour", "options"])
def test_a_job_whose_message_is_of_another_version_ends_and_says_so(worker: Worker, field: str) -> None:
    # Given a job that a client of another version has begun
    spec = make_spec(worker, job_named(field))
    assert JobStore().begin(spec)

    # When its merge comes with a field that this version does not know
    message = spec.to_message() | {field: {"colour": "red"}}
    client_app(worker.url).send_task("tasks.merge", args=[FAILED_LEGS, message], queue="cpu")

    # Then the job does not hang
    assert end_of(spec)[0] is JobState.FAILED
    assert "The message is not one of this version of Duet" in end_of(spec)[1]


def test_a_job_whose_legs_say_what_nobody_understands_ends_and_says_so(worker: Worker) -> None:
    spec = make_spec(worker, job_named("legs"))
    assert JobStore().begin(spec)

    client_app(worker.url).send_task("tasks.merge", args=[[{"leg": "third"}], spec.to_message()], queue="cpu")

    assert end_of(spec)[0] is JobState.FAILED
    assert "leg: Input should be 'whisper', 'voxtral' or 'speakers'" in end_of(spec)[1]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"uri": "file:///etc/duet"}, "file:///etc/duet is outside of the places that jobs may write to"),
        ({"uri": "s3://bucket/x"}, "s3://bucket/x is outside"),
        ({"uri": "http://10.0.0.1/x"}, "is no place Duet can write to"),
    ],
)
def test_a_job_does_not_write_outside_of_the_allowed_roots(
    worker: Worker, changes: dict[str, object], sentence: str
) -> None:
    spec = make_spec(worker, job_named(sentence), **changes)
    assert JobStore().begin(spec)

    send(spec)

    state, reason = end_of(spec)
    assert state is JobState.FAILED
    assert sentence in reason


@pytest.mark.parametrize(
    ("audio_uri", "sentence"),
    [
        ("file:///etc/passwd", "file:///etc/passwd is outside of the places that jobs may read from"),
        ("s3://bucket/ep.mp3", "s3://bucket/ep.mp3 is outside"),
        ("http://169.254.169.254/latest/meta-data", "not a public address"),
        ("gopher://x", "is no place Duet can read audio from"),
    ],
)
def test_a_job_does_not_read_outside_of_the_allowed_roots(worker: Worker, audio_uri: str, sentence: str) -> None:
    spec = make_spec(worker, job_named(audio_uri), audio_uri=audio_uri)
    assert JobStore().begin(spec)

    send(spec)

    state, reason = end_of(spec)
    assert state is JobState.FAILED
    assert sentence in reason
    assert json.loads((worker.root / spec.job / "result.json").read_text())["reason"] == reason
