"""Logs and traces of a real episode, whose fast leg is killed once, by real workers and a real receiver."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from pipeline import tracing
from pipeline.types.pools import POOLS
from tests.faults.fleet import TIMEOUT_S, Fleet, log_lines, wait_until
from tests.receiver import Receiver, receiver

pytestmark = pytest.mark.xdist_group("traces")


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiver() as to:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", to.url.removesuffix("/told"))
        tracing._provider.cache_clear()
        yield to
        tracing._provider().shutdown()
        tracing._provider.cache_clear()


@pytest.fixture
def fleet(collector: Receiver, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, DUET_VOXTRAL_KEY="a-secret-of-the-server")
    try:
        fleet.start_all()
        with fleet.client():
            yield fleet
    finally:
        fleet.stop()


def spans(collector: Receiver) -> list[Span]:
    """Return what was received, as OpenTelemetry's own messages read it."""
    found = [ExportTraceServiceRequest.FromString(body) for _, body in collector.received]
    return [
        it for one in found for resource in one.resource_spans for scope in resource.scope_spans for it in scope.spans
    ]


def test_one_trace_has_all_of_an_episode_and_each_line_says_whose_it_is(fleet: Fleet, collector: Receiver) -> None:
    # Given an episode whose fast leg is killed in its midst
    fleet.stage.die("whisper.traced.1", "once")
    job = fleet.submit("traced")
    job.result(timeout=TIMEOUT_S)
    tracing.flush()

    # Then its trace has the submission, all legs, the merge and the whole
    wait_until(lambda: tracing.ROOT in {it.name for it in spans(collector)}, "the whole has ended")
    wait_until(
        lambda: {"submit", "transcribe", "analyze", "diarize", "merge"} <= {it.name for it in spans(collector)},
        "and all of it",
    )
    trace_id, root_id = tracing.ids_of(job.id, 1)
    found = {it.name: it for it in spans(collector)}
    assert {int.from_bytes(it.trace_id, "big") for it in found.values()} == {trace_id}
    assert int.from_bytes(found[tracing.ROOT].span_id, "big") == root_id
    below = [it for it in found.values() if it.name != tracing.ROOT]
    assert {int.from_bytes(it.parent_span_id, "big") for it in below} == {root_id}
    assert all(it.start_time_unix_nano >= found[tracing.ROOT].start_time_unix_nano - 1e9 for it in below)
    told = {it.key: it.value for it in found["transcribe"].attributes}
    assert (told["duet.leg"].string_value, told["duet.status"].string_value) == ("whisper", "ok")

    # And the logs have a line for each beginning and end, with no word of what was said
    lines = {pool: [it for it in log_lines(fleet.processes[pool]) if it.get("job") == job.id] for pool in POOLS}
    of_leg = {name: [it for it in lines["whisper"] if it["leg"] == name] for name in ("whisper", "speakers")}
    assert [it["event"] for it in of_leg["speakers"]] == ["task_started", "task_finished"]
    assert [it["event"] for it in of_leg["whisper"]].count("task_started") == 2, "it was killed once"
    (ended,) = [it for it in of_leg["whisper"] if it["event"] == "task_finished"]
    assert (ended["episode"], ended["leg"], ended["attempt"], ended["status"]) == (
        job.spec.episode.id,
        "whisper",
        1,
        "ok",
    )
    assert [it["state"] for it in lines["cpu"] if it["event"] == "task_finished"] == ["completed"]
    for pool in POOLS:
        text = fleet.processes[pool].log.read_text()
        assert "Window " not in text, "what was said"
        assert "a-secret-of-the-server" not in text
