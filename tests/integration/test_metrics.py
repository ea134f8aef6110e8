"""What is measured, against a real Valkey, and read as Prometheus reads it."""

import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import errors
from pipeline.messaging import chord
from pipeline.messaging.app import QUEUES
from pipeline.settings import settings
from pipeline.state import metric_events
from pipeline.state.job_store import JobStore
from pipeline.state.metric_definitions import COUNTERS, HISTOGRAMS, REASONS, STEPS, UNEXPECTED, reason_of
from pipeline.state.worker_registry import Worker, WorkerRegistry
from pipeline.types import LEGS, Episode, JobSpec, JobState, LegOutcome, Options
from tests.duet import Duet
from tests.measured import Measured
from tests.services import free_ports

pytestmark = pytest.mark.xdist_group("metrics")
DOCKER = Path(__file__).parents[2] / "docker"
RULES = DOCKER / "prometheus" / "rules.yml"
DASHBOARD = DOCKER / "grafana" / "dashboards" / "duet.json"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="needs promtool on the PATH (Debian: apt-get install prometheus)"
)
TIMEOUT_S = 60.0


@pytest.fixture
def job_store(valkey: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobStore]:
    monkeypatch.setenv("DUET_BROKER_URL", valkey)
    settings.cache_clear()
    job_store = JobStore()
    job_store.redis.flushall()
    yield job_store
    settings.cache_clear()


def made(number: int = 0, priority: int = 5) -> JobSpec:
    episode = Episode(id=f"{number:016x}", source="ep.mp3", slug="ep", size_bytes=5)
    return JobSpec(
        job=f"{episode.id}-01234567",
        attempt=1,
        episode=episode,
        options=Options(),
        audio_uri="file:///ep.mp3",
        uri="file:///results/ep",
        priority=priority,
    )


def begun(job_store: JobStore, number: int = 0, priority: int = 5) -> JobSpec:
    spec = made(number, priority)
    assert job_store.begin(spec)
    return spec


def test_an_episode_that_ends_is_counted_once_however_often_its_end_is_told(job_store: JobStore) -> None:
    spec = begun(job_store)
    assert not job_store.begin(spec)

    for state in (JobState.COMPLETED, JobState.COMPLETED, JobState.CANCELLED):
        job_store.advance(spec, state, metric_events.episode_took(90.0), ended_at=time.time())

    now = Measured.now()
    assert now("duet_episodes_submitted_total") == 1
    assert now("duet_episodes_ended_total", state="completed") == 1
    assert now("duet_episodes_ended_total", state="cancelled") == 0
    assert now("duet_episode_seconds_count") == 1
    assert now("duet_episode_seconds_sum") == 90


def test_a_leg_that_tells_its_end_twice_is_counted_once(job_store: JobStore) -> None:
    spec = begun(job_store)
    ok = LegOutcome(leg="whisper", status="ok", audio_s=600.0, work_s=60.0)
    for outcome in (ok, ok.model_copy(update={"reused": True})):
        assert job_store.note_leg(spec, "whisper", metric_events.leg_began("whisper", 4.0), started_at=1.0)
        ended = metric_events.leg_ended(outcome)
        assert job_store.note_leg(spec, "whisper", ended, outcome=outcome.model_dump_json(), ended_at=2.0)

    now = Measured.now()
    assert now("duet_leg_outcomes_total", leg="whisper", status="ok") == 1
    assert now("duet_leg_outcomes_total", leg="whisper", status="reused") == 0
    assert now("duet_audio_seconds_total", leg="whisper") == 600
    assert now("duet_leg_wait_seconds_count", leg="whisper") == 1
    # Then each value is in its bucket and in all above
    assert now("duet_leg_real_time_factor_bucket", leg="whisper", le="0.05") == 0
    assert now("duet_leg_real_time_factor_bucket", leg="whisper", le="0.1") == 1
    assert now("duet_leg_real_time_factor_bucket", leg="whisper", le="+Inf") == 1
    assert now("duet_leg_work_seconds_bucket", leg="whisper", le="30.0") == 0
    assert now("duet_leg_work_seconds_bucket", leg="whisper", le="60.0") == 1
    assert now("duet_leg_work_seconds_sum", leg="whisper") == 60


def test_every_series_is_there_before_anything_has_happened(job_store: JobStore) -> None:
    now = Measured.now()
    for counter in COUNTERS:
        for values in counter.series():
            assert now(f"{counter.name}_total", **dict(zip(counter.labels, values, strict=True))) == 0
    assert {f"{it.name}_bucket" for it in HISTOGRAMS} <= now.names


def test_queues_are_counted_over_all_priorities(job_store: JobStore) -> None:
    chord.send_many(made(number, priority) for number, priority in enumerate((0, 2, 5, 5, 9)))

    now = Measured.now()

    assert {queue: now("duet_queue_messages", queue=queue) for queue in QUEUES} == {
        "whisper": 10,  # the speakers' legs wait there too
        "voxtral": 5,
        "cpu": 0,
    }


def test_what_is_kept_and_how_much_room_there_is(job_store: JobStore) -> None:
    job_store.redis.config_set("maxmemory", "900mb")
    try:
        begun(job_store)
        measured = Measured.now()
    finally:
        job_store.redis.config_set("maxmemory", "0")

    assert measured("duet_jobs_kept") == 1
    assert measured("duet_broker_memory_limit_bytes") == 900 * 2**20
    assert 0 < measured("duet_broker_memory_used_bytes") < 900 * 2**20


def test_what_waits_longest_and_what_is_most_silent(job_store: JobStore) -> None:
    # Given an episode of which one leg is silent and the other waits, one that waits for its merge, and one that ended
    now_s = time.time()
    silent, whole, gone = (begun(job_store, number) for number in range(3))
    job_store.redis.hset(f"duet:job:{silent.job}", "submitted_at", now_s - 500)
    job_store.note_leg(silent, "whisper", started_at=now_s - 300, seen_at=now_s - 200)
    for leg in LEGS:
        job_store.note_leg(whole, leg, started_at=now_s - 300, seen_at=now_s - 290, ended_at=now_s - 100)
    job_store.advance(silent, JobState.RUNNING)
    job_store.advance(whole, JobState.TRANSCRIBED)
    job_store.advance(gone, JobState.FAILED)

    measured = Measured.now()

    assert measured("duet_oldest_wait_seconds", step="whisper") == 0
    assert measured("duet_oldest_wait_seconds", step="voxtral") == pytest.approx(500, abs=30)
    assert measured("duet_oldest_wait_seconds", step="merge") == pytest.approx(100, abs=30)
    assert measured("duet_longest_silence_seconds", leg="whisper") == pytest.approx(200, abs=30)
    assert measured("duet_longest_silence_seconds", leg="voxtral") == 0
    states = {state: measured("duet_episodes", state=state) for state in ("submitted", "running", "transcribed")}
    assert states == {"submitted": 0, "running": 1, "transcribed": 1}


def test_a_worker_that_is_lost_is_no_longer_there(job_store: JobStore) -> None:
    registry = WorkerRegistry(job_store.redis)
    for name in ("one", "two"):
        registry.heartbeat(Worker(f"whisper@{name}", "elsewhere", 1, "whisper"))
    job_store.redis.hset("duet:worker:whisper@two", "missed", 5)

    now = Measured.now()

    assert now("duet_workers", pool="whisper") == 1
    assert now("duet_workers", pool="cpu") == 0


def test_of_a_broker_that_is_away_only_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("DUET_BROKER_URL", f"redis://127.0.0.1:{port}/0")
    settings.cache_clear()
    try:
        now = Measured.now()
    finally:
        settings.cache_clear()
    assert now.names == {"duet_broker_up"}
    assert now("duet_broker_up") == 0


def test_reasons_are_classes_of_errors_and_never_sentences() -> None:
    assert reason_of(errors.AudioError("/secret/path is no audio")) == "audio"
    assert reason_of(errors.DeviceMemoryError("7.1 GiB")) == "device_memory"
    assert reason_of(ValueError("x")) == UNEXPECTED
    assert len(REASONS) < 40
    with pytest.raises(ValueError, match="no series"):
        metric_events.step_failed("merge", "a sentence")


def test_the_steps_that_are_counted_are_those_of_the_canvas() -> None:
    assert set(STEPS) == set(chord.STEPS)


@pytest.mark.parametrize("file", [RULES, DASHBOARD, DOCKER / "prometheus" / "rules_test.yml"], ids=lambda it: it.name)
def test_dashboard_and_rules_use_only_what_is_measured(job_store: JobStore, file: Path) -> None:
    # Given a clock that has sampled pools and a card
    job_store.redis.hset(
        "duet:telemetry:pools", "cpu", json.dumps({"pool": "cpu", "status": "ready", "at": time.time()})
    )
    card = {"id": "GPU-0", "name": "T4", "at": time.time(), "memory_used_bytes": 1, "memory_total_bytes": 2}
    job_store.redis.hset("duet:telemetry:devices", "GPU-0", json.dumps(card | {"utilisation": 0.5}))

    used = set(re.findall(r"\bduet_\w+", file.read_text()))

    assert used
    assert used <= Measured.now().names


@needs_promtool
def test_promtool_accepts_the_configuration_and_the_rules_fire_when_they_should() -> None:
    folder = DOCKER / "prometheus"
    checked(["check", "config", "--syntax-only", str(folder / "prometheus.yml")])
    checked(["check", "rules", str(RULES)])
    checked(["test", "rules", str(folder / "rules_test.yml")])


@needs_promtool
def test_promtool_reads_every_question_of_the_dashboard(tmp_path: Path) -> None:
    targets = [target for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]]
    expressions = [target["expr"].replace("$__rate_interval", "1m") for target in targets]
    rules = [{"record": f"panel:{index}", "expr": expr} for index, expr in enumerate(expressions)]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))

    checked(["check", "rules", str(tmp_path / "panels.yml")])


def checked(arguments: list[str]) -> None:
    assert PROMTOOL
    done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr


def test_duet_metrics_serves_them(duet: Duet, valkey: str) -> None:
    (port,) = free_ports(1)
    process = duet.start("metrics", "--port", str(port), DUET_BROKER_URL=valkey)
    try:
        page = fetched(f"http://127.0.0.1:{port}/metrics")
        second = duet("metrics", "--port", str(port), DUET_BROKER_URL=valkey)
    finally:
        process.terminate()
        out, err = process.communicate(timeout=TIMEOUT_S)

    assert Measured.of(page)("duet_broker_up") == 1
    assert process.returncode == 0, out + err
    assert second.code == 1
    assert f"127.0.0.1:{port}" in second.err.replace("\n", "")
    assert "Traceback" not in err + second.err


def fetched(url: str) -> str:
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            assert time.monotonic() < deadline, "duet metrics does not answer"
            time.sleep(0.1)
