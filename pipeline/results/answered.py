"""Answers to questions about a finished episode: their times, their place in storage."""

from pydantic import ValidationError

from pipeline.errors import StorageError
from pipeline.results.manifest import QUESTIONS, WORK, read_result
from pipeline.results.respelling import respell
from pipeline.results.timestamps import add_timestamps
from pipeline.storage import Storage
from pipeline.types import Analysis, CustomAnswer, JobSpec
from pipeline.types.question import AskedQuestion


def questions_folder(job: str) -> str:
    """Return the folder of the answered questions about a job, below its episode's folder."""
    return f"{WORK}{job}/{QUESTIONS}/"


def located(answer: CustomAnswer, spec: JobSpec, storage: Storage) -> CustomAnswer:
    """Return an answer with the times at which it is said, and with names spelt as in the transcript.

    Without a transcript it is returned as it is.
    """
    result = read_result(spec, storage)
    if result is None or result.transcript is None:
        return answer
    alone = Analysis(
        source="voxtral", model="", summary="", language=result.language or "", answers=(answer,), heard_s=0.0
    )
    return add_timestamps(respell(spec, alone, result.transcript), result.transcript).answers[0]


def save_answered(question: AskedQuestion, storage: Storage) -> None:
    """Store an answered question; it is kept as long as its episode's results."""
    storage.put(_name(question.job, question.id), question.to_json())


def read_answered(job: str, question: str, storage: Storage) -> AskedQuestion | None:
    """Return an answered question by its id, or None if it is missing or of another version of Duet."""
    try:
        return AskedQuestion.from_json(storage.get(_name(job, question)))
    except (StorageError, ValidationError):
        return None


def answered_ids(job: str, storage: Storage) -> list[str]:
    """Return the ids of the answered questions about a job."""
    folder = questions_folder(job)
    names = (name.removeprefix(folder) for name in storage.list(folder))
    return [name.removesuffix(".json") for name in names if "/" not in name]


def _name(job: str, question: str) -> str:
    return f"{questions_folder(job)}{question}.json"
