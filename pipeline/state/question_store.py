"""The question store: a Redis hash with the questions about a job, removed with the job."""

from collections.abc import Iterator
from typing import Any

from pipeline.state.job_store import JOB_PREFIX, JobStore, questions_key
from pipeline.state.redis import readable_errors
from pipeline.types.question import AskedQuestion

# KEYS: job, its questions. ARGV: id, the question, whether it has ended ('1').
_PUT = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
if ARGV[3] == '1' then redis.call('PUBLISH', KEYS[1], 'question') end
return 1
"""


class QuestionStore:
    """Reads and writes the questions about jobs."""

    def __init__(self, job_store: JobStore) -> None:
        self._job_store = job_store
        self.redis: Any = job_store.redis
        self._put = self.redis.register_script(_PUT)

    def put(self, question: AskedQuestion) -> bool:
        """Write a question, and wake those who wait for its end. Return False if its job does not exist any more."""
        keys = [f"{JOB_PREFIX}{question.job}", questions_key(question.job)]
        with readable_errors():
            return bool(self._put(keys, [question.id, question.model_dump_json(), int(question.is_final)]))

    def get(self, job: str, question: str) -> AskedQuestion | None:
        """Return a question by its id, or None."""
        with readable_errors():
            text = self.redis.hget(questions_key(job), question)
        return AskedQuestion.from_json(text) if text else None

    def of_job(self, job: str) -> list[AskedQuestion]:
        """Return all questions about a job, in the order in which they were asked."""
        with readable_errors():
            found = [AskedQuestion.from_json(text) for text in self.redis.hvals(questions_key(job))]
        return sorted(found, key=lambda it: it.asked_at)

    def changes(self, job: str, question: str) -> Iterator[AskedQuestion | None]:
        """Yield a question now, and again when it has ended or after `RECHECK_S`, without end."""
        for _ in self._job_store.changes(job):
            yield self.get(job, question)
