"""What an earlier attempt or a redelivered leg has finished already, so that it is not done twice."""

from pydantic import ValidationError

from pipeline.errors import StorageError
from pipeline.merge import ANALYSIS, TRANSCRIPT, WORK, read_manifest
from pipeline.storage import Storage
from pipeline.types import JobSpec, Leg, LegOutcome

PRODUCTS: dict[Leg, str] = {"whisper": TRANSCRIPT, "voxtral": ANALYSIS}


def save_outcome(storage: Storage, spec: JobSpec, outcome: LegOutcome) -> None:
    """Remember that a leg of this job ended well."""
    if outcome.status == "ok":
        storage.put(_name(spec, outcome.leg), outcome.to_json())


def finished_outcome(storage: Storage, spec: JobSpec, leg: Leg) -> LegOutcome | None:
    """Return the outcome of a leg that has ended well and whose product is there; else None."""
    outcome = _saved(storage, spec, leg)
    if outcome is None and not spec.fresh:
        manifest = read_manifest(storage)
        outcome = manifest.legs[leg] if manifest and manifest.job == spec.job else None
    if outcome is None or outcome.status != "ok" or not storage.exists(PRODUCTS[leg]):
        return None
    return outcome.model_copy(update={"reused": True})


def _saved(storage: Storage, spec: JobSpec, leg: Leg) -> LegOutcome | None:
    try:
        return LegOutcome.from_json(storage.get(_name(spec, leg)))
    except (StorageError, ValidationError):
        return None  # nothing usable there: the leg is done from its start


def _name(spec: JobSpec, leg: Leg) -> str:
    attempt = f".{spec.attempt}" if spec.fresh else ""
    return f"{WORK}{spec.job}{attempt}.{leg}.json"
