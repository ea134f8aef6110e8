"""Dead letters: the jobs that ended failed or partial, with their reasons."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.client.job import Job
from pipeline.client.retry import missing_legs
from pipeline.results.shortfalls import short_shortfalls
from pipeline.state.job_store import JobStore
from pipeline.state.pool_status import ready_pools
from pipeline.types import JobState, Leg
from pipeline.types.pools import UNAVAILABLE
from pipeline.types.records import JobRecord
from pipeline.types.text import safe_line
from pipeline.types.time_format import iso

LEAST_DIGITS, LONGEST_ID = 8, 25
ENDS = (JobState.FAILED, JobState.PARTIAL)


@dataclass(frozen=True)
class DeadLetter:
    """A job that ended failed or partial."""

    record: JobRecord

    @property
    def id(self) -> str:
        """The job's id."""
        return self.record.spec.job

    @property
    def title(self) -> str:
        """The episode's title or the name of its file, on one line."""
        return safe_line(self.record.title)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons why it fell short, one a leg and without the file's name, so that jobs share them."""
        outcomes = {leg: it.outcome for leg, it in self.record.legs.items() if it.outcome}
        told = short_shortfalls(outcomes, self.record.spec.options) or (self.record.reason or "No reason is known.",)
        return tuple(safe_line(_in_common(it, self.record.spec.episode.file_name)) for it in told)

    @property
    def missing(self) -> tuple[Leg, ...]:
        """The legs that have not succeeded; empty if only the audio is flawed or the merge failed."""
        return missing_legs(self.record)

    @property
    def can_be_mended(self) -> bool:
        """Whether a retry can complete the job; flaws of the audio remain."""
        return self.record.state is JobState.FAILED or bool(self.missing)

    @property
    def waits_for_voxtral(self) -> bool:
        """Whether only the Voxtral leg is missing, because it was skipped."""
        outcome = self.record.legs["voxtral"].outcome
        return self.missing == ("voxtral",) and outcome is not None and outcome.status == "skipped"

    def to_json(self) -> dict[str, object]:
        """Return the line that `duet failed --json` prints."""
        spec, ended_at = self.record.spec, self.record.ended_at
        return {
            "job": spec.job,
            "attempt": spec.attempt,
            "source": spec.episode.source,
            "title": self.title,
            "status": self.record.state.value,
            "missing": list(self.missing),
            "ended_at": iso(ended_at) if ended_at else None,
            "uri": spec.uri,
            "reason": self.record.reason,
        }


def dead_letters(job_store: JobStore) -> Iterator[DeadLetter]:
    """Yield the jobs that ended failed or partial, oldest first.

    Raises:
        BrokerError: there is no broker, or it does not answer.
    """
    for record in job_store.get_many(job_store.jobs()):
        if record and record.state in ENDS:
            yield DeadLetter(record)


def _in_common(reason: str, name: str) -> str:
    """Return a reason without the name of the file that it is about."""
    if reason.startswith(name):
        return f"The file{reason[len(name) :]}"
    return reason.replace(name, "the file")


def by_reason(letters: Iterable[DeadLetter]) -> dict[tuple[str, ...], list[DeadLetter]]:
    """Return the jobs that fell short for the same reasons together, in the order of the first of each."""
    found: dict[tuple[str, ...], list[DeadLetter]] = {}
    for letter in letters:
        found.setdefault(letter.reasons, []).append(letter)
    return found


def unique_starts(jobs: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Return the shortest start of each job's id, of 8 digits at least, that no other known job has."""
    found: dict[str, str] = {}
    for digits in range(LEAST_DIGITS, LONGEST_ID + 1):
        starts = Counter(job[:digits] for job in known)
        found |= {job: job[:digits] for job in jobs if job not in found and starts[job[:digits]] <= 1}
    return {job: found.get(job, job) for job in jobs}


def with_outlines(job_store: JobStore) -> Iterator[JobRecord]:
    """Yield the jobs that completed with an outline in place of Voxtral's analysis, oldest first.

    Raises:
        BrokerError: there is no broker, or it does not answer.
    """
    for record in job_store.get_many(job_store.jobs()):
        if record and record.state is JobState.COMPLETED and record.has_outline:
            yield record


def failed_jobs(job_store: JobStore | None = None) -> list[Job]:
    """Return the jobs that ended failed or partial, oldest first; `Job.retry` runs their missing legs.

    Args:
        job_store: a job store to share between calls; by default each call opens its own.

    Raises:
        BrokerError: there is no broker, or it does not answer.
    """
    job_store = job_store or JobStore()
    return [Job(letter.record.spec, job_store) for letter in dead_letters(job_store)]


def why_voxtral_is_off() -> str:
    """Return the reason why Voxtral's pool is off; empty if it may run or has not reported its status."""
    state = ready_pools().get("voxtral", {})
    model = state.get("model", "") if state.get("status") != UNAVAILABLE else ""
    return model.removeprefix("off: ") if model.startswith("off: ") else ""
