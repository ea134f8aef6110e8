"""Checks of a job's messages, made by the client before publishing and by every task before any work."""

from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from pipeline.errors import MessageError
from pipeline.storage.allowed_roots import check_destination
from pipeline.types import JobSpec, Leg, LegOutcome
from pipeline.types.graphemes import clipped
from pipeline.types.job import LEGS
from pipeline.types.question import QuestionSpec
from pipeline.types.validation import describe_validation_error

MOST_SPEC_BYTES = 64_000
"""Size limit of a job's JSON, which the broker stores about a dozen times per job."""
AnySpec = TypeVar("AnySpec", JobSpec, QuestionSpec)
_OUTCOMES = TypeAdapter(list[LegOutcome])


def admit(message: object) -> JobSpec:
    """Return the job of a message after checking its format, size and destination.

    Raises:
        MessageError: the message is not one of Duet's, or is too large.
        StorageError: the destination is outside of the allowed roots.
    """
    spec = _valid(JobSpec, message)
    check_size(spec)
    check_destination(spec.uri)
    return spec


def admit_question(message: object) -> QuestionSpec:
    """Return the question of a message after the checks of `admit` on its job.

    Raises:
        MessageError: the message is not one of Duet's, or is too large.
        StorageError: the destination is outside of the allowed roots.
    """
    question = _valid(QuestionSpec, message)
    check_size(question.job)
    check_destination(question.job.uri)
    return question


def check_size(spec: JobSpec) -> None:
    """Check that a job's JSON is not larger than `MOST_SPEC_BYTES`.

    Raises:
        MessageError: it is larger.
    """
    size_bytes = len(spec.model_dump_json().encode())
    if size_bytes > MOST_SPEC_BYTES:
        raise MessageError(
            f"What is asked for of {clipped(spec.episode.source, 200)} takes {size_bytes:,} bytes, and "
            f"{MOST_SPEC_BYTES:,} is the most; give fewer or shorter questions and vocabulary."
        )


def admit_outcomes(outcomes: object) -> dict[Leg, LegOutcome]:
    """Return the outcome of each leg; a chord of a version without speakers has none of that leg.

    Raises:
        MessageError: an outcome is malformed, or a leg has none.
    """
    try:
        legs = {outcome.leg: outcome for outcome in _OUTCOMES.validate_python(outcomes)}
    except ValidationError as error:
        raise _validation_failure(error) from None
    legs.setdefault("speakers", LegOutcome(leg="speakers", status="skipped", reason="It was not asked for."))
    if missing := set(LEGS) - legs.keys():
        raise MessageError(f"The message holds no outcome of {' and '.join(sorted(missing))}.")
    return legs


def _valid(kind: type[AnySpec], message: object) -> AnySpec:
    try:
        return kind.model_validate(message)
    except ValidationError as error:
        raise _validation_failure(error) from None


def _validation_failure(error: ValidationError) -> MessageError:
    return MessageError(
        f"The message is not one of this version of Duet: {describe_validation_error(error)}. "
        "Update what sent it, or this worker, so that both are of one version."
    )
