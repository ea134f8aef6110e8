"""The metrics page in the text format of Prometheus."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline.errors import BrokerError
from pipeline.monitoring.metrics import gauges
from pipeline.monitoring.metrics.open_episodes import open_episodes
from pipeline.state.counters import KEY, Counter, Histogram
from pipeline.state.job_store import JobStore
from pipeline.state.metric_definitions import COUNTERS, HISTOGRAMS
from pipeline.state.redis import connect, readable_errors

CONTENT_TYPE = CONTENT_TYPE_LATEST


def exposition() -> bytes:
    """Return all metrics in Prometheus's text format; during a broker outage only `duet_broker_up`."""
    return generate_latest(registry())


def registry() -> CollectorRegistry:
    """Return a registry of Duet's metrics alone, which are read from the broker at each collection."""
    own = CollectorRegistry()
    own.register(_MetricsCollector())
    return own


class _MetricsCollector(Collector):
    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        try:
            found = list(_read_metrics())
        except BrokerError:
            found = []
        yield GaugeMetricFamily("duet_broker_up", "1 where the broker answers.", value=float(bool(found)))
        yield from found

    def describe(self) -> list[Metric]:
        """Return nothing: prometheus_client would otherwise collect once to learn the names."""
        return []


def _read_metrics() -> Iterator[Metric]:
    with readable_errors(), connect() as client:
        counts = client.hgetall(KEY)
        yield from (_counter(it, counts) for it in COUNTERS)
        yield from (_histogram(it, counts) for it in HISTOGRAMS)
        yield from open_episodes(JobStore(client))
        yield from gauges.queues(client)
        yield from gauges.kept(client)
        yield from gauges.workers(client)
        yield from gauges.pools()
        yield from gauges.devices()


def _counter(counter: Counter, counts: Any) -> Metric:
    family = CounterMetricFamily(counter.name, counter.help, labels=list(counter.labels))
    for values in counter.series():
        family.add_metric(list(values), float(counts.get(counter.field_of(values), 0.0)))
    return family


def _histogram(histogram: Histogram, counts: Any) -> Metric:
    family = HistogramMetricFamily(histogram.name, histogram.help, labels=list(histogram.labels))
    for values in histogram.series():
        each = (float(counts.get(histogram.bucket_field(values, bound), 0.0)) for bound in histogram.buckets)
        names = ["+Inf" if bound == float("inf") else str(float(bound)) for bound in histogram.buckets]
        total = float(counts.get(histogram.sum_field(values), 0.0))
        family.add_metric(list(values), buckets=list(zip(names, accumulate(each), strict=True)), sum_value=total)
    return family
