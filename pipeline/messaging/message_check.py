"""Checks of a job's messages, made by the client that sends them and by every task before any work."""

from pydantic import TypeAdapter, ValidationError

from pipeline.errors import MessageError
from pipeline.storage.allowed_roots import check_destination
from pipeline.types import JobSpec, Leg, LegOutcome
from pipeline.types.validation import describe_validation_error

MOST_SPEC_BYTES = 64_000
"""Of a job's JSON; each job puts it into the broker about a dozen times."""
_OUTCOMES = TypeAdapter(list[LegOutcome])


def admit(message: object) -> JobSpec:
    """Return the job that a message describes, if its results may go where it says.

    Raises:
        MessageError: it is not one of Duet's messages.
        StorageError: its results would go to a place that jobs may not write.
    """
    try:
        spec = JobSpec.model_validate(message)
    except ValidationError as error:
        raise _unfit(error) from None
    check_size(spec)
    check_destination(spec.uri)
    return spec


def check_size(spec: JobSpec) -> None:
    """See that what describes a job is no more than a description; it goes through the broker several times.

    Raises:
        MessageError: it is more.
    """
    size_bytes = len(spec.model_dump_json().encode())
    if size_bytes > MOST_SPEC_BYTES:
        raise MessageError(
            f"What is asked for of {spec.episode.source[:200]} takes {size_bytes:,} bytes, and "
            f"{MOST_SPEC_BYTES:,} is the most; give fewer or shorter questions and vocabulary."
        )


def admit_outcomes(outcomes: object) -> dict[Leg, LegOutcome]:
    """Return the outcomes of both legs.

    Raises:
        MessageError: these are not the outcomes of both legs.
    """
    try:
        legs = {it.leg: it for it in _OUTCOMES.validate_python(outcomes)}
    except ValidationError as error:
        raise _unfit(error) from None
    if missing := {"whisper", "voxtral"} - legs.keys():
        raise MessageError(f"The message holds no outcome of {' and '.join(sorted(missing))}.")
    return legs


def _unfit(error: ValidationError) -> MessageError:
    return MessageError(
        f"The message is not one of this version of Duet: {describe_validation_error(error)}. "
        "Update what sent it, or this worker, so that both are of one version."
    )
