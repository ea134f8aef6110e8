"""The chord of a job: the legs in parallel, then the merge, or the rescue if a leg is killed.

Tasks are referred to by their dotted names, so a client needs none of the workers' packages.
"""

from collections.abc import Iterable, Sequence
from itertools import islice

from celery import Celery, chord, signature
from celery.canvas import Signature

from pipeline.messaging.app import PRIORITIES, client_app
from pipeline.state.redis import broker_url
from pipeline.types import LEGS, JobSpec, LegOutcome
from pipeline.types.pools import POOL_OF
from pipeline.types.question import QuestionSpec

STEPS = {
    "whisper": ("tasks.transcribe", POOL_OF["whisper"]),
    "voxtral": ("tasks.analyze", POOL_OF["voxtral"]),
    "speakers": ("tasks.diarize", POOL_OF["speakers"]),
    "merge": ("tasks.merge", "cpu"),
    "rescue": ("tasks.rescue", "cpu"),
    "opinion": ("tasks.reconsider", "voxtral"),
    "conclude": ("tasks.conclude", "cpu"),
    "question": ("tasks.answer", "voxtral"),
}
"""Step of a job, as in its task ids -> its task and queue."""
CHORDS_AT_ONCE = 100


def step_of(task: str) -> str:
    """Return the step of a task name."""
    return next(step for step, (name, _) in STEPS.items() if name == task)


def send(spec: JobSpec) -> None:
    """Publish the chord of a job: the legs as header, the merge as callback and the rescue as errback.

    Raises:
        kombu.exceptions.OperationalError, redis.RedisError: the broker does not answer.
    """
    app = client_app(broker_url())
    header = [_task(app, spec, leg).set(retry=False) for leg in LEGS]
    chord(header, _callback(app, spec), app=app, task_id=_group(spec)).apply_async(task_id=spec.task_id("merge"))


def send_many(specs: Iterable[JobSpec]) -> None:
    """Publish the chords of many jobs, each equivalent to `send`.

    Celery's own `chord` copies every signature and publishes message by message. This function writes the same
    messages and result backend keys for a page of jobs at a time, in a quarter of the time (docs/batches.md).

    Raises:
        kombu.exceptions.OperationalError, redis.RedisError: the broker does not answer. It may have accepted
            some of the messages; a job that is published twice is processed once.
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
    """Publish one leg of a job again, outside of its chord; the sweeper publishes the merge."""
    _apply(_task(client_app(broker_url()), spec, leg))


def send_merge(spec: JobSpec, outcomes: Sequence[LegOutcome]) -> None:
    """Publish the merge of a job with the outcomes of its legs."""
    merge = _task(client_app(broker_url()), spec, "merge", immutable=False)
    _apply(merge.clone(args=([outcome.to_message() for outcome in outcomes],)))


def send_rescue(spec: JobSpec) -> None:
    """Publish the rescue of a job with a leg that could not return."""
    _apply(_task(client_app(broker_url()), spec, "rescue"))


def send_opinion(spec: JobSpec) -> None:
    """Publish the second opinion of a job, with the conclusion as both callback and errback.

    Its priority is one step higher than the job's, so that nearly finished jobs end first.
    """
    app = client_app(broker_url())
    sooner = spec.model_copy(update={"priority": max(PRIORITIES[0], spec.priority - 1)})
    opinion, conclude = (_task(app, sooner, step) for step in ("opinion", "conclude"))
    opinion.link(conclude)
    opinion.link_error(conclude)
    _apply(opinion)


def send_conclusion(spec: JobSpec) -> None:
    """Publish the conclusion of a job, which ends it after the second opinion."""
    _apply(_task(client_app(broker_url()), spec, "conclude"))


def send_question(question: QuestionSpec) -> None:
    """Publish a question about a job that has ended, before all other work of the slow leg: somebody waits for it."""
    name, queue = STEPS["question"]
    spec = question.job
    task = signature(name, args=(question.to_message(),), app=client_app(broker_url()), immutable=True)
    _apply(
        task.set(
            queue=queue,
            task_id=question.task_id,
            priority=PRIORITIES[0],
            argsrepr=spec.episode.source,
            kwargsrepr=repr({"job": spec.job, "question": question.text}),
        )
    )


def _apply(task: Signature) -> None:
    task.apply_async(retry=False)


def _task(app: Celery, spec: JobSpec, step: str, *, immutable: bool = True) -> Signature:
    name, queue = STEPS[step]
    if step in LEGS and not spec.options.runs(step):
        queue = "cpu"  # it only reports that it was not requested, so it need not wait for a model
    task = signature(name, args=(spec.to_message(),), app=app, immutable=immutable)
    return task.set(
        queue=queue,
        task_id=spec.task_id(step),
        priority=PRIORITIES[-1] if step == "speakers" else spec.priority,  # no transcript waits for it
        # Flower displays and searches these; deriving them from the message costs more than publishing it.
        argsrepr=spec.episode.source,
        kwargsrepr=repr({"job": spec.job}),
    )


def _callback(app: Celery, spec: JobSpec) -> Signature:
    """Return the merge signature, mutable because the chord prepends the outcomes of the legs to its arguments."""
    return _task(app, spec, "merge", immutable=False).on_error(_task(app, spec, "rescue"))


def _group(spec: JobSpec) -> str:
    return spec.task_id("legs")


def _set_chord_sizes(app: Celery, specs: Sequence[JobSpec]) -> None:
    """Set the sizes of many chords in one round trip; equivalent to the Redis backend's `set_chord_size`."""
    backend = app.backend
    with backend.client.pipeline(transaction=False) as pipe:
        for spec in specs:
            pipe.delete(backend.get_key_for_group(_group(spec), ".c"))
            pipe.set(backend.get_key_for_group(_group(spec), ".s"), len(LEGS), ex=backend.chord_expires or None)
        pipe.execute()
