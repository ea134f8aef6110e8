"""Celery application factory: settings, queues and task modules.

The reason for each setting: docs/design.md, "Settings that must not be left at their default".
"""

from functools import lru_cache

from celery import Celery
from kombu.entity import Queue

from pipeline.messaging.sqs import without_redis
from pipeline.settings import settings
from pipeline.state.lease import VISIBILITY_MARGIN_S
from pipeline.state.redis import keeps_state, state_url
from pipeline.types.redis_url import for_celery

QUEUES = {"whisper": "tasks.transcribe", "voxtral": "tasks.analyze", "cpu": "tasks.merge"}
"""Queue name -> its main task."""
PRIORITIES = list(range(10))
"""0 is served first."""
DEFAULT_PRIORITY = 5


def make_app(url: str | None, results: str | None = None) -> Celery:
    """Return a Celery application with all of Duet's settings. Without a URL it can be imported, but not used.

    Args:
        url: URL of the broker.
        results: URL of the result backend, which also counts chords; None: the broker's URL.
    """
    application = Celery(
        "pipeline",
        include=[
            "tasks.transcribe",
            "tasks.analyze",
            "tasks.diarize",
            "tasks.second_opinion",
            "tasks.answer",
            "tasks.merge",
            "tasks.webhooks",
            "tasks.base.task_logging",
            "workers.pool",
            "workers.runtime.heartbeat",
            "workers.webhooks.delivery",
            "workers.runtime.sqs_reserved",
            "beat.schedule",
        ],
        set_as_current=False,
        amqp="pipeline.messaging.safe_transport:CheckedAMQP",
    )
    backend = "pipeline.messaging.safe_transport:CheckedBackend"
    application.loader.override_backends = {"redis": backend, "rediss": backend}
    address, tls = for_celery(url) if url else (None, None)
    place, place_tls = for_celery(results) if results else (address, tls)
    visibility_timeout_s = settings().leg_time_limit_s + VISIBILITY_MARGIN_S
    application.conf.update(
        broker_url=address,
        broker_use_ssl=tls,
        result_backend=place,
        redis_backend_use_ssl=place_tls,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": visibility_timeout_s,
            "priority_steps": PRIORITIES,
            "queue_order_strategy": "priority",
            "socket_connect_timeout": settings().client_timeout_s,
        },
        result_backend_transport_options={"visibility_timeout": visibility_timeout_s},
        visibility_timeout=visibility_timeout_s,
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        task_queues=[Queue(name) for name in QUEUES],
        task_default_queue="cpu",
        task_create_missing_queues=False,
        task_default_priority=DEFAULT_PRIORITY,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_retry_on_worker_lost=True,
        task_time_limit=settings().leg_time_limit_s,
        task_track_started=True,
        task_send_sent_event=True,
        worker_send_task_events=True,
        worker_prefetch_multiplier=1,
        worker_pool_start_method="spawn",
        worker_proc_alive_timeout=600,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_deduplicate_successful_tasks=False,
        worker_hijack_root_logger=True,
        result_chord_expires=0,
        result_expires=7 * 24 * 3600,
    )
    if url and not keeps_state(url):
        without_redis(application)
    return application


@lru_cache(maxsize=1)
def client_app(url: str) -> Celery:
    """Return the Celery application of a client of the broker at a URL.

    Cached for one URL only: an application never closes its connections, and a client may outlive a broker. A
    restarted `duet up` has another address.
    """
    return make_app(url, None if keeps_state(url) else state_url())
