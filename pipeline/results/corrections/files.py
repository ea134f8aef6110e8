"""The files of corrections: `corrections.json` of an episode, and `replacements.json` of a destination."""

import logging
import re

from pydantic import ValidationError

from pipeline.errors import StorageError
from pipeline.results.corrections.corrector import Corrected, corrected_anew
from pipeline.results.corrections.rules import rules_of
from pipeline.results.manifest import CORRECTIONS
from pipeline.storage import Storage, open_storage
from pipeline.storage.allowed_roots import is_inside_a_root
from pipeline.types import Context, EpisodeResult, JobSpec
from pipeline.types.corrections import Correction, Corrections, Rule, Rules
from pipeline.types.publication import MOST_TERMS

logger = logging.getLogger(__name__)
REPLACEMENTS = "replacements.json"
SERVED = re.compile(r"(hybrid|transcribe|analyze)(-[0-9a-f]{8})?")
"""Folders of `duet serve` at its destination, one for each set of options; they share its rules."""


def read_corrections(storage: Storage) -> tuple[Correction, ...]:
    """Return the corrections of the episode in a folder.

    Raises:
        StorageError: the file is damaged, or cannot be read.
    """
    if not storage.exists(CORRECTIONS):
        return ()
    try:
        return Corrections.from_json(storage.get(CORRECTIONS)).corrections
    except ValidationError:
        raise StorageError(f"{storage.uri}/{CORRECTIONS} is damaged; restore it, or remove it.") from None


def write_corrections(corrections: tuple[Correction, ...], storage: Storage) -> None:
    """Write the corrections of the episode in a folder; without any, remove the file."""
    if corrections:
        storage.put(CORRECTIONS, Corrections(corrections=corrections).to_json())
    else:
        storage.delete(CORRECTIONS)


def corrected_now(result: EpisodeResult, storage: Storage) -> Corrected | None:
    """Return a new result with the corrections of its episode and with what its show's rules change; None without any.

    Where they cannot be read, the log says so, and the result stays as it is.
    """
    try:
        before = read_corrections(storage)
        rules = rules_for(storage.uri, result.show)
    except StorageError as error:
        logger.error("%s Job %s has no corrections until then.", error, result.job)
        return None
    return corrected_anew(result, before, rules) if before or rules else None


def with_corrections(result: EpisodeResult, storage: Storage) -> EpisodeResult:
    """Return a new result as of `corrected_now`, and store the corrections with what became of each."""
    done = corrected_now(result, storage)
    if done is None:
        return result
    write_corrections(done.corrections, storage)
    return done.result


def read_rules(place: str) -> tuple[Rule, ...]:
    """Return the replacement rules of a destination, by its URI.

    Raises:
        StorageError: the file is damaged, or cannot be read.
    """
    storage = open_storage(place)
    if not storage.exists(REPLACEMENTS):
        return ()
    try:
        return Rules.from_json(storage.get(REPLACEMENTS)).rules
    except ValidationError:
        raise StorageError(f"{storage.uri}/{REPLACEMENTS} is damaged; restore it, or remove it.") from None


def rules_for(uri: str, show: str) -> list[Rule]:
    """Return the rules for an episode of a show, by the URI of its folder.

    Raises:
        StorageError: the file is damaged, or cannot be read.
    """
    return rules_of(read_rules(root_of(uri)), show)


def root_of(uri: str) -> str:
    """Return the destination of an episode by the URI of its folder: the folder around it, or the whole server's."""
    parent = uri.rstrip("/").rpartition("/")[0]
    outer, _, name = parent.rpartition("/")
    is_served = SERVED.fullmatch(name) and outer.strip("/:") not in ("s3", "file") and is_inside_a_root(outer)
    return outer if is_served else parent


def context_of(spec: JobSpec) -> Context:
    """Return the context of a job, with the spellings that the rules of its show give."""
    published = spec.episode.publication
    try:
        rules = rules_for(spec.uri, published.show if published else "")
    except StorageError as error:
        logger.error("%s Job %s is not told its spellings.", error, spec.job)
        rules = []
    return Context.of(spec, [rule.becomes for rule in rules if rule.becomes][:MOST_TERMS])
