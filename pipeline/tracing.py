"""OpenTelemetry traces, where OTEL_EXPORTER_OTLP_ENDPOINT is set: one trace for each attempt of a job.

Its ids are derived from the job's and so are part of no message: a leg that is sent again hours later, on any machine,
adds to the same trace.
"""

import hashlib
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
FLUSH_MS = 1000
ROOT = "episode"


def is_on() -> bool:
    """Return whether traces are exported."""
    return any(os.environ.get(name) for name in ENDPOINTS)


def add_span(
    name: str,
    job: str,
    attempt: int,
    began_at: float,
    ended_at: float,
    attributes: Mapping[str, Any],
    error: str = "",
) -> None:
    """Add a finished span to the trace of a job's attempt. Does nothing if traces are not exported.

    Args:
        name: name of the span; `ROOT` is the root, and the others are its children.
        job: the job's id.
        attempt: its attempt.
        began_at, ended_at: seconds since the epoch.
        attributes: attributes of the span, without the prefix `duet.`.
        error: reason of the failure; empty on success.

    Raises:
        SettingsError: traces are to be exported and a package is missing.
    """
    if not is_on():
        return
    provider = _provider()
    from opentelemetry import trace
    from opentelemetry.context import Context

    trace_id, root_id = ids_of(job, attempt)
    context = Context()
    if name == ROOT:
        provider.id_generator.next_ids = (trace_id, root_id)  # type: ignore[attr-defined]
    else:
        parent = trace.SpanContext(trace_id, root_id, is_remote=True, trace_flags=trace.TraceFlags(1))
        context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
    span = provider.get_tracer("duet").start_span(name, context, start_time=_ns(began_at))
    span.set_attributes({f"duet.{key}": value for key, value in attributes.items()})
    if error:
        span.set_status(trace.StatusCode.ERROR, error)
    span.end(_ns(ended_at))


def flush() -> None:
    """Export the remaining spans; call it before the process ends."""
    if is_on():
        _provider().force_flush()


def ids_of(job: str, attempt: int) -> tuple[int, int]:
    """Return the ids of the trace (128 bits) and of its root span (64 bits)."""
    digest = hashlib.sha256(f"{job}.{attempt}".encode()).digest()
    return int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:24], "big")


def _ns(epoch_s: float) -> int:
    return int(epoch_s * 1e9)


@lru_cache(maxsize=1)
def _provider() -> "TracerProvider":
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    except ImportError as error:
        raise SettingsError(
            f"{' or '.join(ENDPOINTS)} is set and the package {error.name} is missing; install duet[otel], or unset it."
        ) from None

    class Ids(RandomIdGenerator):
        next_ids: tuple[int, int] | None = None
        """Trace id and span id of the next root span; all other ids are random."""

        def generate_trace_id(self) -> int:
            return self.next_ids[0] if self.next_ids else super().generate_trace_id()

        def generate_span_id(self) -> int:
            own, self.next_ids = self.next_ids, None
            return own[1] if own else super().generate_span_id()

    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "duet")})
    provider = TracerProvider(resource=resource, id_generator=Ids())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=FLUSH_MS))
    return provider
