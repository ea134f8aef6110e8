"""The chord of one job: two legs at once, then the merge; or, should a leg be killed, the rescue.

Tasks are named by their dotted names, so that a client needs none of the workers' packages.
"""

from collections.abc import Iterable, Sequence
from itertools import islice

from celery import Celery, chord, signature
from celery.canvas import Signature

from pipeline.messaging.app import PRIORITIES, client_app
from pipeline.state.redis import broker_url
from pipeline.types import LEGS, JobSpec, LegOutcome

STEPS = {
    "whisper": ("tasks.transcribe", "whisper"),
    "voxtral": ("tasks.analyze", "voxtral"),
    "merge": ("tasks.merge", "cpu"),
    "rescue": ("tasks.rescue", "cpu"),
    "opinion": ("tasks.reconsider", "voxtral"),
    "conclude": ("tasks.conclude", "cpu"),
}
"""The steps of a job, as its task ids name them: the task of each and its queue."""
CHORDS_AT_ONCE = 100


def step_of(task: str) -> str:
    """Return the step that a task of that name does."""
    return next(step for step, (name, _) in STEPS.items() if name == task)


def send(spec: JobSpec) -> None:
    """Publish the chord of a job: both legs at once, then the merge; the rescue where a leg cannot return.

    Raises:
        kombu.exceptions.OperationalError, redis.RedisError: the broker does not answer.
    """
    app = client_app(broker_url())
    header = [_task(app, spec, leg).set(retry=False) for leg in LEGS]
    chord(header, _callback(app, spec), app=app, task_id=_group(spec)).apply_async(task_id=spec.task_id("merge"))


def send_many(specs: Iterable[JobSpec]) -> None:
    """Publish the chords of many jobs, each equivalent to `send`.

    Celery's own `chord` copies every signature and publishes message by message; this writes the same messages and
    the same keys of the result backend, for a page of jobs at a time, in a quarter of the time (docs/batches.md).

    Raises:
        kombu.exceptions.OperationalError, redis.RedisError: the broker does not answer. It may have accepted
            some of the messages; a job that is sent twice is done once.
    """
    app = client_app(broker_url())
    waiting = iter(specs)
    while page := list(islice(waiting, CHORDS_AT_ONCE)):
        _set_chord_sizes(app, page)
        with app.producer_or_acquire() as producer, producer.batch():
            for spec in page:
                body = _callback(app, spec)
                body.freeze()
                for index, leg in enumerate(LEGS):
                    _task(app, spec, leg).apply_async(
                        chord=body, group_id=_group(spec), group_index=index, producer=producer, retry=False
                    )


def send_leg(spec: JobSpec, leg: str) -> None:
    """Put one leg of a job onto its queue again; it no longer counts for a chord, the sweeper sends the merge."""
    _apply(_task(client_app(broker_url()), spec, leg))


def send_merge(spec: JobSpec, outcomes: Sequence[LegOutcome]) -> None:
    """Put the merge of a job onto its queue whose legs have ended with these outcomes."""
    merge = _task(client_app(broker_url()), spec, "merge", immutable=False)
    _apply(merge.clone(args=([outcome.to_message() for outcome in outcomes],)))


def send_rescue(spec: JobSpec) -> None:
    """Put the rescue of a job onto its queue of which a leg could not return."""
    _apply(_task(client_app(broker_url()), spec, "rescue"))


def send_opinion(spec: JobSpec) -> None:
    """Put the second opinion of a job onto Voxtral's queue, and behind it what then ends the job.

    It goes before the first hearings of its kind: what is nearly done is done first.
    """
    app = client_app(broker_url())
    sooner = spec.model_copy(update={"priority": max(PRIORITIES[0], spec.priority - 1)})
    opinion, conclude = (_task(app, sooner, step) for step in ("opinion", "conclude"))
    opinion.link(conclude)
    opinion.link_error(conclude)
    _apply(opinion)


def send_conclusion(spec: JobSpec) -> None:
    """Put onto its queue what ends a job once Voxtral was asked for a second opinion."""
    _apply(_task(client_app(broker_url()), spec, "conclude"))


def _apply(task: Signature) -> None:
    task.apply_async(retry=False)


def _task(app: Celery, spec: JobSpec, step: str, *, immutable: bool = True) -> Signature:
    name, queue = STEPS[step]
    if step in LEGS and step not in spec.options.legs:
        queue = "cpu"  # it only says that it was not asked for, and need not wait behind what was
    task = signature(name, args=(spec.to_message(),), app=app, immutable=immutable)
    return task.set(
        queue=queue,
        task_id=spec.task_id(step),
        priority=spec.priority,
        # What Flower shows and finds it by; making that from the message costs more than sending it.
        argsrepr=spec.episode.source,
        kwargsrepr=repr({"job": spec.job}),
    )


def _callback(app: Celery, spec: JobSpec) -> Signature:
    """Return the merge, which takes the outcomes of the legs before its message and so is not immutable."""
    return _task(app, spec, "merge", immutable=False).on_error(_task(app, spec, "rescue"))


def _group(spec: JobSpec) -> str:
    return spec.task_id("legs")


def _set_chord_sizes(app: Celery, specs: Sequence[JobSpec]) -> None:
    """Do what the Redis backend's `set_chord_size` does, for many chords in one round trip."""
    backend = app.backend
    with backend.client.pipeline(transaction=False) as pipe:
        for spec in specs:
            pipe.delete(backend.get_key_for_group(_group(spec), ".c"))
            pipe.set(backend.get_key_for_group(_group(spec), ".s"), len(LEGS), ex=backend.chord_expires or None)
        pipe.execute()
