"""Questions about finished episodes, for Voxtral to answer from their audio."""

import time
from collections.abc import Iterator

import redis
from kombu.exceptions import OperationalError

from pipeline.client.episode_audio import copy_for_pools, is_there
from pipeline.errors import AudioError, JobAtWorkError, MessageError
from pipeline.messaging import chord
from pipeline.messaging.message_check import check_size
from pipeline.messaging.queues import task_ids
from pipeline.results.answered import answered_ids, read_answered
from pipeline.settings import settings
from pipeline.sources import find_one
from pipeline.sources.digest_cache import Digests
from pipeline.state.job_store import JobStore
from pipeline.state.question_store import QuestionStore
from pipeline.state.redis import unreachable
from pipeline.storage import open_storage
from pipeline.types import EpisodeResult, JobSpec
from pipeline.types.job import MOST_QUESTION
from pipeline.types.question import AskedQuestion, QuestionSpec, id_of
from pipeline.types.records import JobRecord

MOST_OPEN = 20
"""Largest number of unanswered questions about one job."""


class Questions:
    """The questions about one job that has ended."""

    def __init__(self, record: JobRecord, job_store: JobStore) -> None:
        self._record = record
        self._spec = record.spec
        self._store = QuestionStore(job_store)
        self._storage = open_storage(self._spec.uri)

    def ask(self, text: str, source: str | None = None) -> AskedQuestion:
        """Queue a question before all other work of the slow leg, and return it; one with an answer is returned as is.

        Args:
            text: the question; the same words are the same question.
            source: path or URI of the audio, for a job whose own copy of it is gone.

        Raises:
            AudioError: the audio is no longer at its address, or `source` is other audio.
            BrokerError: the broker does not answer.
            JobAtWorkError: the job has not ended.
            MessageError: the question is empty or too long, or too many wait for an answer.
            StorageError, TransientError: storage rejects the request, or cannot answer at the moment.
        """
        if not self._record.state.is_final:
            raise JobAtWorkError(
                f"Job {self._spec.job} of {self._spec.episode.source} is {self._record.state.value}; ask about it when "
                "it has ended, or with its submission (`questions`)."
            )
        question = QuestionSpec(job=self._spec, text=_checked(text))
        known = self.get(question.id)
        if known is not None and (known.state == "answered" or self._is_under_way(known, question)):
            return known
        if sum(not it.is_final for it in self._store.of_job(self._spec.job)) >= MOST_OPEN:
            raise MessageError(f"{MOST_OPEN} questions about job {self._spec.job} wait; ask when one has ended.")
        question = question.model_copy(update={"job": self._with_audio(source)})
        check_size(question.job)
        asked = AskedQuestion(id=question.id, job=self._spec.job, question=question.text, asked_at=time.time())
        self._store.put(asked)
        try:
            chord.send_question(question)
        except (OperationalError, redis.RedisError) as error:
            raise unreachable(error) from None
        return asked

    def get(self, question: str) -> AskedQuestion | None:
        """Return a question by its id, or None."""
        job = self._spec.job
        return self._store.get(job, question) or read_answered(job, question, self._storage)

    def all(self) -> list[AskedQuestion]:
        """Return all questions, in the order in which they were asked."""
        job = self._spec.job
        known = {it.id: it for it in self._store.of_job(job)}
        others = (read_answered(job, it, self._storage) for it in answered_ids(job, self._storage) if it not in known)
        return sorted([*known.values(), *filter(None, others)], key=lambda it: it.asked_at)

    def changes(self, question: str) -> Iterator[AskedQuestion | None]:
        """Yield a question now, and again when it has ended or two seconds later."""
        return self._store.changes(self._spec.job, question)

    def _is_under_way(self, known: AskedQuestion, question: QuestionSpec) -> bool:
        # A message can be lost with its broker; asking again is what sends it again.
        return not known.is_final and question.task_id in task_ids(self._store.redis)

    def _with_audio(self, source: str | None) -> JobSpec:
        """Return the job with the address of its audio, which is copied for the pools once more if it is gone."""
        spec = self._spec
        if source is None and is_there(spec.audio_uri):
            return spec
        if source is None and "://" in spec.episode.source:
            source = spec.episode.source
        if source is None:
            raise AudioError(
                f"The audio of {spec.episode.source} is no longer where the job had it; say where it is now "
                "(`duet ask --audio FILE`), or submit the episode again."
            )
        found = find_one(source)
        try:
            episode = found.read(Digests(settings().cache_dir / "digests.sqlite"))
            if episode.id != spec.episode.id:
                raise AudioError(f"{source} is not the audio of {spec.episode.source}: its bytes are others.")
            return spec.model_copy(update={"audio_uri": copy_for_pools(found, spec)})
        finally:
            found.forget()


def record_of(result: EpisodeResult, uri: str, job_store: JobStore) -> JobRecord:
    """Return the record of a result's job; a job that the job store does not know any more is recorded again.

    Args:
        result: the manifest of an episode.
        uri: URI of the episode's folder.
        job_store: the job store.
    """
    record = job_store.get(result.job)
    if record is None:
        spec = JobSpec(
            job=result.job,
            attempt=result.attempt,
            episode=result.episode,
            options=result.options,
            audio_uri="",
            uri=uri,
        )
        job_store.adopt(spec, result)
        record = job_store.get(result.job)
    assert record is not None
    return record


def question_id(text: str) -> str:
    """Return the id of a question.

    Raises:
        MessageError: the question is empty or too long.
    """
    return id_of(_checked(text))


def _checked(text: str) -> str:
    """Return the words of a question with single blanks."""
    words = " ".join(text.split())
    if not 1 <= len(words) <= MOST_QUESTION:
        raise MessageError(f"A question has 1 to {MOST_QUESTION} characters, and this has {len(words)}; reword it.")
    return words
