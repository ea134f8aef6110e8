"""The periodic tasks of beat: maintenance that belongs to no single job.

`beat/schedule.py` has their intervals; the cpu pool runs them.
"""

import time

from celery.utils.log import get_task_logger

from beat.periodic import PeriodicTask
from pipeline.celery import app
from pipeline.client.inbox import Inbox
from pipeline.client.retention.ended_jobs import retire
from pipeline.client.retention.job_files import clear_cache
from pipeline.client.retention.remote_copies import clear_forgotten
from pipeline.errors import BrokerError, ScalingError, SettingsError
from pipeline.logs import as_duet_error
from pipeline.messaging.promotion import promote
from pipeline.messaging.requeue import requeue_lost
from pipeline.scaling.drivers import driver
from pipeline.scaling.scaler import Scaler
from pipeline.settings import settings
from pipeline.state import telemetry
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JobStore
from pipeline.state.redis import broker_url, connect, keeps_state
from pipeline.state.webhook_outbox import send_due
from pipeline.state.worker_registry import WorkerRegistry

logger = get_task_logger(__name__)


@app.task(base=PeriodicTask, name="beat.age")  # type: ignore[untyped-decorator]
def promote_waiting_messages() -> None:
    """Raise the priority of messages that have waited long; does nothing on a broker without priorities."""
    if not keeps_state(broker_url()):
        return
    with connect() as client:
        promote(client, time.time(), settings().priority_age_s)


@app.task(base=PeriodicTask, name="beat.batches")  # type: ignore[untyped-decorator]
def close_abandoned_batches() -> None:
    """Close every batch whose submitter was lost before it had submitted everything, so that its waiters end."""
    for batch in BatchStore(connect()).close_abandoned():
        logger.warning(
            "The client of batch %s ended before it submitted everything; submit it again for the rest.", batch
        )


# An hour, because the scan may read and upload hours of audio; no second scan starts meanwhile.
@app.task(base=PeriodicTask, name="beat.inbox", time_limit=3600)  # type: ignore[untyped-decorator]
def scan_inboxes() -> None:
    """Submit the files of every inbox (DUET_INBOX) that have stopped growing; an inbox that fails is logged."""
    if settings().inbox:
        job_store = JobStore()
        for place in settings().inbox:
            try:
                Inbox(place, settings().inbox_to, job_store).scan(time.time(), settings().inbox_settle_s)
            except BrokerError:
                raise
            except Exception as error:
                logger.warning("The inbox %s is scanned again later: %s", place, as_duet_error(error, place))


@app.task(base=PeriodicTask, name="beat.retire", time_limit=300)  # type: ignore[untyped-decorator]
def retire_ended_jobs() -> None:
    """Remove jobs that ended more than DUET_KEEP_JOBS_S seconds ago from Redis, with their batches and leftover files.

    Also clears this machine's cache; other machines clear theirs after a download.
    """
    client = connect()
    clear_cache(time.time())
    clear_forgotten(client)
    done = retire(JobStore(client), settings().keep_jobs_s, time.time())
    if done.jobs or done.batches or done.inbox_entries:
        logger.info("Retired: %d jobs, %d batches, %d inbox entries.", done.jobs, done.batches, done.inbox_entries)


@app.task(base=PeriodicTask, name="beat.roll_call")  # type: ignore[untyped-decorator]
def check_workers() -> None:
    """Run the liveness check of all workers once, and requeue the unacknowledged messages of lost ones."""
    registry = WorkerRegistry(connect())
    registry.tick()
    if restored := requeue_lost(broker_url(), registry):
        logger.warning("%d messages of lost workers are back in their queues.", restored)


@app.task(base=PeriodicTask, name="beat.scale", time_limit=60)  # type: ignore[untyped-decorator]
def scale_gpu_hosts() -> None:
    """Request the number of GPU hosts that DUET_DRAIN_TARGET_S requires from the autoscaling backend (DUET_SCALE)."""
    if settings().scale is None:
        return
    try:
        status, hosts = Scaler(JobStore(connect()), driver(settings().scale or "")).act()
    except (ScalingError, SettingsError) as error:
        logger.error("%s Hosts stay as they are; the next attempt is in half a minute.", error)
        return
    if hosts != status.cluster.hosts:
        logger.warning("%d GPU hosts, not %d: %s.", hosts, status.cluster.hosts, status.decision.reason)


@app.task(base=PeriodicTask, name="beat.telemetry")  # type: ignore[untyped-decorator]
def sample_telemetry() -> None:
    """Store a sample of the utilization of the device and the pools."""
    telemetry.sample()


@app.task(base=PeriodicTask, name="beat.webhooks")  # type: ignore[untyped-decorator]
def queue_due_webhooks() -> None:
    """Queue the webhooks that are due and not queued yet."""
    send_due(JobStore())
