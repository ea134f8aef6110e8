"""The chord of one job: two legs at once, then the merge; or, should a leg be killed, the rescue.

Tasks are named by their dotted names, so that a client needs none of the workers' packages.
"""

from celery import Celery, chord, signature
from celery.canvas import Signature

from pipeline.broker import broker_url
from pipeline.celery import DEFAULT_PRIORITY, client_app
from pipeline.types import JobSpec


def episode_chord(app: Celery, spec: JobSpec, priority: int = DEFAULT_PRIORITY) -> Signature:
    """Return the chord of a job; its task ids are those of `JobSpec.task_id`."""
    message = spec.to_message()
    header = [
        _task(app, "tasks.transcribe", spec, "whisper", "whisper", priority, message),
        _task(app, "tasks.analyze", spec, "voxtral", "voxtral", priority, message),
    ]
    rescue = _task(app, "tasks.rescue", spec, "rescue", "cpu", priority, message)
    # Not immutable: the chord puts the outcomes of the legs before the message.
    merge = signature("tasks.merge", args=(message,), app=app)
    merge.set(queue="cpu", task_id=spec.task_id("merge"), priority=priority, shadow=f"merge {spec.episode.slug}")
    return chord(header, merge.on_error(rescue), app=app)


def send(spec: JobSpec, priority: int = DEFAULT_PRIORITY) -> None:
    """Put a job's chord onto the queues.

    Raises:
        kombu.exceptions.OperationalError: the broker does not answer.
    """
    app = client_app(broker_url())
    sent = episode_chord(app, spec, priority).apply_async(retry=False)
    # The ledger tells a client how its job goes; Celery's own subscriptions would stay open until read.
    for task_id in [sent.id, *(leg.id for leg in sent.parent.results)]:
        app.backend.result_consumer.cancel_for(task_id)


def _task(
    app: Celery, name: str, spec: JobSpec, leg: str, queue: str, priority: int, message: dict[str, object]
) -> Signature:
    task = signature(name, args=(message,), app=app, immutable=True)
    shown = f"{name.rpartition('.')[2]} {spec.episode.slug}"
    return task.set(queue=queue, task_id=spec.task_id(leg), priority=priority, shadow=shown)
