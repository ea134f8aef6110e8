"""What an earlier attempt or a redelivered leg has finished already, so that it is not done twice."""

import json
from typing import Any

from pydantic import ValidationError

from pipeline.errors import StorageError
from pipeline.merge import ANALYSIS, TRANSCRIPT, WORK, read_manifest
from pipeline.storage import Storage
from pipeline.types import JobSpec, Leg, LegOutcome

PRODUCTS: dict[Leg, str] = {"whisper": TRANSCRIPT, "voxtral": ANALYSIS}


class StoredCheckpoints:
    """Pieces of one leg's work under the episode's work folder; their keys say what they depend on.

    What is there is listed once: an engine asks for every piece, and most are not there.
    """

    def __init__(self, storage: Storage, spec: JobSpec, leg: Leg) -> None:
        self._storage = storage
        self._folder = f"{_work(spec)}{leg}/"
        self._known = set(storage.list(self._folder))

    def load(self, key: str) -> dict[str, Any] | None:
        """Return what was saved under a key, or None."""
        if self._name(key) not in self._known:
            return None
        loaded: dict[str, Any] = json.loads(self._storage.get(self._name(key)))
        return loaded

    def save(self, key: str, value: dict[str, Any]) -> None:
        """Keep a value that JSON can hold."""
        self._storage.put(self._name(key), json.dumps(value).encode())

    def _name(self, key: str) -> str:
        return f"{self._folder}{key}.json"


def save_outcome(storage: Storage, spec: JobSpec, outcome: LegOutcome) -> None:
    """Remember that a leg of this job ended well."""
    if outcome.status == "ok":
        storage.put(_outcome_name(spec, outcome.leg), outcome.to_json())


def finished_outcome(storage: Storage, spec: JobSpec, leg: Leg) -> LegOutcome | None:
    """Return the outcome of a leg that has ended well and whose product is there; else None."""
    outcome = _saved_outcome(storage, spec, leg)
    if outcome is None and not spec.fresh:
        manifest = read_manifest(storage)
        outcome = manifest.legs[leg] if manifest and manifest.job == spec.job else None
    if outcome is None or outcome.status != "ok" or not storage.exists(PRODUCTS[leg]):
        return None
    return outcome.model_copy(update={"reused": True})


def _saved_outcome(storage: Storage, spec: JobSpec, leg: Leg) -> LegOutcome | None:
    try:
        return LegOutcome.from_json(storage.get(_outcome_name(spec, leg)))
    except (StorageError, ValidationError):
        return None  # nothing usable there: the leg is done from its start


def _outcome_name(spec: JobSpec, leg: Leg) -> str:
    return f"{_work(spec)}{leg}.json"


def _work(spec: JobSpec) -> str:
    """Return the folder of an attempt's work; attempts that start afresh have one of their own each."""
    return f"{WORK}{spec.job}.{spec.attempt}/" if spec.fresh else f"{WORK}{spec.job}/"
