"""The chord of one job: two legs at once, then the merge; or, should a leg be killed, the rescue.

Tasks are named by their dotted names, so that a client needs none of the workers' packages.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from threading import Lock

from celery import Celery, signature
from celery.canvas import Signature
from celery.result import denied_join_result

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
_one_thread_at_a_time = Lock()
"""`denied_join_result` changes a variable of Celery's module, for every thread."""


def step_of(task: str) -> str:
    """Return the step that a task of that name does."""
    return next(step for step, (name, _) in STEPS.items() if name == task)


def send(spec: JobSpec) -> None:
    """Put a job's chord onto the queues.

    Raises:
        kombu.exceptions.OperationalError, redis.RedisError: the broker does not answer.
    """
    send_many([spec])


def send_many(specs: Iterable[JobSpec]) -> None:
    """Put the chords of several jobs onto the queues.

    The chords are those of `celery.chord`, without its copies of every signature and with the messages of many
    published together: less than half the time, which counts for 10,000 episodes (docs/batches.md).

    Raises:
        kombu.exceptions.OperationalError, redis.RedisError: the broker does not answer. It may have taken
            some of the messages; a job that is sent twice is done once.
    """
    app = client_app(broker_url())
    waiting = iter(specs)
    while page := list(islice(waiting, CHORDS_AT_ONCE)):
        _announce(app, page)
        # The job store tells a client how its job goes; Celery's own subscriptions would stay open until read.
        with (
            _one_thread_at_a_time,
            denied_join_result(),
            app.producer_or_acquire() as producer,
            producer.batch(),
        ):
            for spec in page:
                # Not immutable: the chord puts the outcomes of the legs before the message.
                body = _task(app, spec, "merge", immutable=False).on_error(_task(app, spec, "rescue"))
                body.freeze()
                for index, step in enumerate(LEGS):
                    leg = _task(app, spec, step)
                    leg.apply_async(
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
    sent = task.apply_async(retry=False)
    task.app.backend.result_consumer.cancel_for(sent.id)


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


def _group(spec: JobSpec) -> str:
    return spec.task_id("legs")


def _announce(app: Celery, specs: Sequence[JobSpec]) -> None:
    """Tell the result backend how many legs each merge waits for: its `set_chord_size`, of many at once."""
    backend = app.backend
    with backend.client.pipeline(transaction=False) as pipe:
        for spec in specs:
            pipe.delete(backend.get_key_for_group(_group(spec), ".c"))
            pipe.set(backend.get_key_for_group(_group(spec), ".s"), len(LEGS), ex=backend.chord_expires or None)
        pipe.execute()
