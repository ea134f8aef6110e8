"""Checkpoints: stored results that an earlier attempt or delivery of a leg has finished."""

import json
from typing import Any

from pydantic import ValidationError

from pipeline.errors import StorageError
from pipeline.results.manifest import (
    is_untouched,
    original_product,
    outcome_name,
    product_name,
    read_manifest,
    work_folder,
)
from pipeline.storage import Storage
from pipeline.types import JobSpec, Leg, LegOutcome, SecondOpinion

OPINION = "opinion.json"


class StoredCheckpoints:
    """Pieces of work in a folder below the episode's; their keys encode the inputs they depend on.

    The folder is listed only once, because an engine looks up every piece and most do not exist.
    """

    def __init__(self, storage: Storage, folder: str) -> None:
        self._storage = storage
        self._folder = folder
        self._known = set(storage.list(self._folder))

    @property
    def count(self) -> int:
        """Number of checkpoints when this run began."""
        return len(self._known)

    def load(self, key: str) -> dict[str, Any] | None:
        """Return the checkpoint of a key, or None."""
        if self._name(key) not in self._known:
            return None
        loaded: dict[str, Any] = json.loads(self._storage.get(self._name(key)))
        return loaded

    def save(self, key: str, value: dict[str, Any]) -> None:
        """Store a JSON value under a key."""
        self._storage.put(self._name(key), json.dumps(value).encode())

    def _name(self, key: str) -> str:
        return f"{self._folder}{key}.json"


def save_outcome(storage: Storage, spec: JobSpec, outcome: LegOutcome) -> None:
    """Store the outcome of a leg if it succeeded."""
    if outcome.status == "ok":
        storage.put(outcome_name(work_folder(spec), outcome.leg), outcome.to_json())


def finished_outcome(storage: Storage, spec: JobSpec, leg: Leg) -> LegOutcome | None:
    """Return the outcome of a leg that has succeeded and whose product exists, else None."""
    outcome = _saved_outcome(storage, spec, leg) or (None if spec.fresh else _merged_outcome(storage, spec, leg))
    return outcome.model_copy(update={"reused": True}) if outcome else None


def save_opinion(storage: Storage, spec: JobSpec, opinion: SecondOpinion) -> None:
    """Store the second opinion for the merge."""
    storage.put(f"{work_folder(spec)}{OPINION}", opinion.to_json())


def saved_opinion(storage: Storage, spec: JobSpec) -> SecondOpinion | None:
    """Return the stored second opinion, or None if it is missing or invalid."""
    try:
        return SecondOpinion.from_json(storage.get(f"{work_folder(spec)}{OPINION}"))
    except (StorageError, ValidationError):
        return None


def _merged_outcome(storage: Storage, spec: JobSpec, leg: Leg) -> LegOutcome | None:
    """Copy a leg's product from the public manifest if the leg's options are the same, and return its outcome there.

    The product's digest must be the one in that manifest.
    """
    manifest = read_manifest(storage)
    if manifest is None or manifest.options.of_leg(leg) != spec.options.of_leg(leg):
        return None
    outcome = manifest.legs.get(leg)
    if outcome is None or outcome.status != "ok" or not is_untouched(leg, manifest, storage):
        return None
    storage.put(product_name(spec, leg), original_product(leg, manifest, storage))
    return outcome


def _saved_outcome(storage: Storage, spec: JobSpec, leg: Leg) -> LegOutcome | None:
    if not storage.exists(product_name(spec, leg)):
        return None
    try:
        return LegOutcome.from_json(storage.get(outcome_name(work_folder(spec), leg)))
    except (StorageError, ValidationError):
        return None  # missing or invalid: the leg starts from the beginning
