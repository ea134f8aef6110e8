"""Gauges of queues, workers, pools and the device."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily

from pipeline.messaging.app import QUEUES
from pipeline.messaging.queues import lists_of
from pipeline.state import telemetry
from pipeline.state.job_store import INDEX
from pipeline.state.pool_status import worker_states
from pipeline.state.worker_registry import WorkerRegistry, is_lost, unacked_key, worker_key
from pipeline.types.pools import POOLS, STATUSES


def queues(client: Any) -> Iterator[GaugeMetricFamily]:
    """Yield the lengths of the queues."""
    waiting = GaugeMetricFamily(
        "duet_queue_messages", "Messages that wait in a queue, those of all priorities.", labels=["queue"]
    )
    for queue in QUEUES:
        with client.pipeline(transaction=False) as pipe:
            for name in lists_of(queue):
                pipe.llen(name)
            waiting.add_metric([queue], sum(pipe.execute()))
    yield waiting


def kept(client: Any) -> Iterator[GaugeMetricFamily]:
    """Yield the number of jobs in Redis, its memory usage and its memory limit."""
    memory = client.info("memory")
    jobs = GaugeMetricFamily("duet_jobs_kept", "Jobs in Redis, those that have ended too.")
    jobs.add_metric([], client.zcard(INDEX))
    used = GaugeMetricFamily("duet_broker_memory_used_bytes", "Memory that Redis takes.")
    used.add_metric([], memory["used_memory"])
    limit = GaugeMetricFamily(
        "duet_broker_memory_limit_bytes", "Memory beyond which Redis refuses more; 0 where it has no limit."
    )
    limit.add_metric([], memory.get("maxmemory", 0))
    yield from (jobs, used, limit)


def workers(client: Any) -> Iterator[GaugeMetricFamily]:
    """Yield the numbers of workers and of their unacknowledged messages."""
    present = GaugeMetricFamily("duet_workers", "Workers that are there.", labels=["pool"])
    taken = GaugeMetricFamily(
        "duet_unacked_messages", "Messages that workers have taken and not finished.", labels=["pool"]
    )
    alive, unacked = _count_by_pool(client)
    for pool in POOLS:
        present.add_metric([pool], alive[pool])
        taken.add_metric([pool], unacked[pool])
    yield from (present, taken)


def _count_by_pool(client: Any) -> "tuple[Counter[str], Counter[str]]":
    """Return for each pool the number of workers and of their unacknowledged messages."""
    alive: Counter[str] = Counter()
    unacked: Counter[str] = Counter()
    for worker in WorkerRegistry(client).all():
        alive[worker.pool] += not is_lost(client.hget(worker_key(worker.id), "missed"))
        unacked[worker.pool] += client.hlen(unacked_key(worker.id))
    return alive, unacked


def pools() -> Iterator[GaugeMetricFamily]:
    """Yield the status of the pools and beat's last samples of their usage."""
    status = GaugeMetricFamily(
        "duet_pool_status", "Workers of a pool that say this of themselves.", labels=["pool", "status"]
    )
    counts = Counter((it.pool, it.status) for it in worker_states() if it.fields)
    for pool in POOLS:
        for name in STATUSES:
            status.add_metric([pool, name], counts[pool, name])
    yield status
    samples = telemetry.read().pools
    if samples:
        age = GaugeMetricFamily("duet_beat_sample_age_seconds", "Seconds since the clock's last sample of the pools.")
        age.add_metric([], max(0.0, time.time() - max(it.at for it in samples)))
        yield age
    busy = GaugeMetricFamily(
        "duet_pool_busy_ratio", "Share of the time between two samples that a pool was at work.", labels=["pool"]
    )
    share = GaugeMetricFamily("duet_pool_memory_share_bytes", "Memory that the plan gives to a pool.", labels=["pool"])
    peak = GaugeMetricFamily(
        "duet_pool_memory_peak_bytes", "Most memory that a pool's process has held.", labels=["pool"]
    )
    for sample in samples:
        busy.add_metric([sample.pool], sample.busy_share)
        share.add_metric([sample.pool], sample.share_bytes)
        peak.add_metric([sample.pool], sample.peak_bytes)
    yield from (busy, share, peak)


def devices() -> Iterator[GaugeMetricFamily]:
    """Yield beat's last samples of the usage of the GPUs."""
    labels = ["device", "name"]
    used = GaugeMetricFamily("duet_device_memory_used_bytes", "Memory of a card that is taken.", labels=labels)
    size = GaugeMetricFamily("duet_device_memory_size_bytes", "Memory that a card has.", labels=labels)
    utilisation = GaugeMetricFamily(
        "duet_device_utilisation_ratio", "Share of the last moments in which a kernel ran on a card.", labels=labels
    )
    for sample in telemetry.read().devices:
        used.add_metric([sample.id, sample.name], sample.memory_used_bytes)
        size.add_metric([sample.id, sample.name], sample.memory_total_bytes)
        utilisation.add_metric([sample.id, sample.name], sample.utilisation)
    yield from (used, size, utilisation)
