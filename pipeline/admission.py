"""What a job may ask for: the one check, made by the client that sends it and by every task before any work."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter, ValidationError

from pipeline.addresses import check_url
from pipeline.envelope import misfits
from pipeline.errors import AudioError, MessageError, StorageError
from pipeline.settings import settings
from pipeline.storage import path_of
from pipeline.types import JobSpec, Leg, LegOutcome

ELSEWHERE = "name one that is inside, or add this one to DUET_ALLOWED_ROOTS"
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
    """Return how both legs of a job ended.

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


def check_destination(uri: str) -> None:
    """See that results may go to a URI.

    Raises:
        StorageError: it is outside of every allowed root, or of no kind that Duet writes to.
    """
    if not _is_place(uri):
        raise StorageError(
            f"{uri!r} is no place Duet can write to; use a folder, file:///folder or s3://bucket/prefix."
        )
    if not _is_inside_a_root(uri):
        raise StorageError(f"{uri} is outside of the places that jobs may write to; {ELSEWHERE}.")


def check_source(uri: str) -> None:
    """See that audio may be read from a URI.

    Raises:
        AudioError: it is outside of every allowed root, or of no kind that Duet reads.
        AddressError: it is a web address that may not be reached.
        TransientError: whether that address may be reached cannot be said now.
    """
    if urlsplit(uri).scheme in ("http", "https"):
        check_url(uri)
    elif not _is_place(uri):
        raise AudioError(f"{uri!r} is no place Duet can read audio from; give a file or an s3:// object.")
    elif not _is_inside_a_root(uri):
        raise AudioError(f"{uri} is outside of the places that jobs may read from; {ELSEWHERE}.")


def _is_place(uri: str) -> bool:
    """Whether a URI names a folder or a file of this machine, or something in a bucket."""
    if uri.startswith("s3://"):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return bool(bucket) and not {".", ".."} & set(key.split("/")) and "\0" not in uri
    parts = urlsplit(uri)
    path = unquote(parts.path)
    is_local = parts.scheme == "file" and parts.netloc in ("", "localhost")
    return is_local and path.startswith("/") and "\0" not in path


def _is_inside_a_root(uri: str) -> bool:
    roots = settings().allowed_roots
    return not roots or any(_is_inside(uri, root) for root in roots)


def _is_inside(uri: str, root: str) -> bool:
    if uri.startswith("s3://") or root.startswith("s3://"):
        return f"{uri.rstrip('/')}/".startswith(f"{root.rstrip('/')}/")
    # A link, or `..`, that begins inside and leads outside is outside.
    return _path(uri).resolve().is_relative_to(_path(root).resolve())


def _path(place: str) -> Path:
    return path_of(place) if place.startswith("file:") else Path(place).expanduser()


def _unfit(error: ValidationError) -> MessageError:
    return MessageError(
        f"The message is not one of this version of Duet: {misfits(error)}. "
        "Update what sent it, or this worker, so that both are of one version."
    )
