"""What an earlier attempt or a redelivered leg has finished already, so that it is not done twice."""

import hashlib
import json
from typing import Any

from pydantic import ValidationError

from pipeline.errors import StorageError
from pipeline.merge import ANALYSIS, TRANSCRIPT, WORK, read_manifest
from pipeline.storage import Storage
from pipeline.types import JobSpec, Leg, LegOutcome, SecondOpinion

OPINION = "opinion.json"
PRODUCTS: dict[Leg, str] = {"whisper": TRANSCRIPT, "voxtral": ANALYSIS}


class StoredCheckpoints:
    """Pieces of one leg's work under the episode's work folder; their keys say what they depend on.

    What is there is listed once: an engine asks for every piece, and most are not there.
    """

    def __init__(self, storage: Storage, spec: JobSpec, leg: Leg) -> None:
        self._storage = storage
        self._folder = f"{_work(spec)}{leg}/"
        self._known = set(storage.list(self._folder))

    @property
    def count(self) -> int:
        """How many pieces were there when this run began."""
        return len(self._known)

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
    outcome = _saved_outcome(storage, spec, leg) or (None if spec.fresh else _merged_outcome(storage, spec, leg))
    if outcome is None or outcome.status != "ok" or not storage.exists(PRODUCTS[leg]):
        return None
    return outcome.model_copy(update={"reused": True})


def save_opinion(storage: Storage, spec: JobSpec, opinion: SecondOpinion) -> None:
    """Keep how hearing the doubtful stretches once more ended, for the merge."""
    storage.put(f"{_work(spec)}{OPINION}", opinion.to_json())


def saved_opinion(storage: Storage, spec: JobSpec) -> SecondOpinion | None:
    """Return how that ended; None where it has not, or left nothing that can be read."""
    try:
        return SecondOpinion.from_json(storage.get(f"{_work(spec)}{OPINION}"))
    except (StorageError, ValidationError):
        return None


def _merged_outcome(storage: Storage, spec: JobSpec, leg: Leg) -> LegOutcome | None:
    """Return a leg's outcome in the manifest that is there, if that asked the same of this leg.

    The digest tells whether the leg's product is still that manifest's: a later job that was ended before its
    merge may have written its own.
    """
    manifest = read_manifest(storage)
    if manifest is None or manifest.options.of_leg(leg) != spec.options.of_leg(leg):
        return None
    product = PRODUCTS[leg]
    if product not in manifest.files or not storage.exists(product):
        return None
    is_untouched = hashlib.sha256(storage.get(product)).hexdigest() == manifest.files[product]
    return manifest.legs[leg] if is_untouched else None


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
