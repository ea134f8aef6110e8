"""Layout of an episode's folder: public files, the manifest (written last), and a work folder per job.

The public files are those of the newest job that ended with content. The legs of a job write into `.work/<job>/`
until then. A result replaced by another job's is moved there.
"""

import hashlib
from pathlib import PurePosixPath

from pydantic import ValidationError

from pipeline.errors import StorageError
from pipeline.storage import Storage
from pipeline.types import EpisodeResult, JobSpec, JobState, Leg

MANIFEST = "result.json"
TRANSCRIPT = "transcript.json"
ANALYSIS = "analysis.json"
SPEAKERS = "speakers.json"
CORRECTIONS = "corrections.json"
WORK = ".work/"
QUESTIONS = "questions"
"""Folder of the answered questions about a job, below its work folder."""
PRODUCTS: dict[Leg, str] = {"whisper": TRANSCRIPT, "voxtral": ANALYSIS, "speakers": SPEAKERS}


def work_folder(spec: JobSpec) -> str:
    """Return the work folder of an attempt; each attempt of a fresh job has its own."""
    return f"{WORK}{spec.job}.{spec.attempt}/" if spec.fresh else f"{WORK}{spec.job}/"


def product_name(spec: JobSpec, leg: Leg) -> str:
    """Return the name of a leg's product in this attempt."""
    return f"{work_folder(spec)}{PRODUCTS[leg]}"


def outcome_name(folder: str, leg: Leg) -> str:
    """Return the name of a leg's outcome in a work folder."""
    name = f"{leg}.json"
    return f"{folder}{leg}.outcome.json" if name == PRODUCTS[leg] else f"{folder}{name}"


def read_manifest(storage: Storage, name: str = MANIFEST) -> EpisodeResult | None:
    """Return the result in an episode's folder; None if it is missing or cannot be read."""
    try:
        return EpisodeResult.from_json(storage.get(name))
    except (StorageError, ValidationError):
        return None  # an outdated or damaged manifest counts as missing: the episode is processed again


def read_result(spec: JobSpec, storage: Storage) -> EpisodeResult | None:
    """Return a job's own result, public or in a work folder: that of this attempt, or else the newest, or None."""
    found = []
    for name in dict.fromkeys((MANIFEST, f"{work_folder(spec)}{MANIFEST}", f"{WORK}{spec.job}/{MANIFEST}")):
        result = read_manifest(storage, name)
        if result and result.job == spec.job:
            if result.attempt == spec.attempt:
                return result
            found.append(result)
    return max(found, key=lambda it: it.attempt, default=None)


def read_product(spec: JobSpec, leg: Leg, storage: Storage) -> bytes:
    """Return a leg's product of a job, from the public file or the job's own copy.

    Raises:
        StorageError: the product does not exist, or another job's result has replaced it.
    """
    for name in dict.fromkeys((product_name(spec, leg), f"{WORK}{spec.job}/{PRODUCTS[leg]}")):
        if storage.exists(name):
            return storage.get(name)
    manifest = read_manifest(storage)
    if manifest and manifest.job != spec.job:
        raise StorageError(taken(spec, manifest))
    return original_product(leg, manifest, storage) if manifest else storage.get(PRODUCTS[leg])


def original_product(leg: Leg, manifest: EpisodeResult, storage: Storage) -> bytes:
    """Return a leg's public product as the leg made it, without the corrections of readers.

    Raises:
        StorageError: the product does not exist.
    """
    original = manifest.before_corrections()
    if leg == "whisper" and original is not manifest and original.transcript:
        return original.transcript.as_heard().to_json()
    if leg == "voxtral" and original is not manifest and original.analysis:
        return original.analysis.to_json()
    return storage.get(PRODUCTS[leg])


def read_shown_transcript(spec: JobSpec, storage: Storage) -> bytes:
    """Return the transcript of a job in Whisper's format, with the corrections of readers.

    Raises:
        StorageError: the transcript does not exist, or another job's result has replaced it.
    """
    result = read_result(spec, storage) if storage.exists(CORRECTIONS) else None
    if result and result.attempt == spec.attempt and result.uncorrected and result.transcript:
        return result.transcript.as_heard().to_json()
    return read_product(spec, "whisper", storage)


def taken(spec: JobSpec, manifest: EpisodeResult) -> str:
    """Return the error sentence for a result that another job's has replaced."""
    return f"{spec.uri} holds the results of job {manifest.job} now, not those of {spec.job}; submit that again."


def replaces(result: EpisodeResult, public: EpisodeResult | None) -> bool:
    """Return whether a result becomes the public one; a failed result never replaces one with more content."""
    if public is None or result.state in (JobState.COMPLETED, JobState.PARTIAL):
        return True
    return public.state not in (JobState.COMPLETED, JobState.PARTIAL) and _content(result) >= _content(public)


def has_content(result: EpisodeResult | None) -> bool:
    """Return whether a result has a transcript or an analysis."""
    return result is not None and _content(result) > 0


def _content(result: EpisodeResult) -> int:
    return (result.transcript is not None) + (result.analysis is not None)


def keep_replaced(public: EpisodeResult | None, successor: EpisodeResult, storage: Storage) -> None:
    """Copy a public result and its products to its job's work folder before another job's replace them."""
    if public is None or public.job == successor.job or not has_content(public):
        return
    folder = f"{WORK}{public.job}/"
    for leg, product in PRODUCTS.items():
        outcome = public.legs.get(leg)
        if outcome and outcome.status == "ok" and _is_untouched(product, public, storage):
            storage.put(f"{folder}{product}", original_product(leg, public, storage))
            storage.put(outcome_name(folder, leg), outcome.to_json())
    storage.put(f"{folder}{MANIFEST}", public.to_json())


def write_manifest(result: EpisodeResult, storage: Storage, folder: str = "") -> None:
    """Write `result.json`, which must be the last file of a result."""
    storage.put(f"{folder}{MANIFEST}", result.to_json())


def clear_work(result: EpisodeResult, storage: Storage, is_public: bool) -> None:
    """Remove the unneeded work files of an ended job.

    Other jobs of the episode may be running, and missing parts of this job may be requested again.
    """
    if result.state is JobState.CANCELLED:
        return  # when submitted again, it resumes
    for name in storage.list(f"{WORK}{result.job}"):
        if not _is_needed_again(PurePosixPath(name).parts[2], result, is_public):
            storage.delete(name)


def _is_needed_again(part: str, result: EpisodeResult, is_public: bool) -> bool:
    """Return whether a work file is an answered question, the only copy of a product, or what a missing leg needs.

    That is its audio, and the checkpoints of a failed leg.
    """
    missing = {leg: it for leg, it in result.legs.items() if it.is_missing(result.options)}
    is_own = part in (MANIFEST, *PRODUCTS.values(), *(outcome_name("", leg) for leg in PRODUCTS))
    is_audio = part == "audio" or part.startswith("audio.")
    is_checkpoint = part in missing and missing[part].status == "failed"
    return part == QUESTIONS or (is_own and not is_public) or (bool(missing) and (is_audio or is_checkpoint))


def changed_files(public: EpisodeResult, storage: Storage) -> list[str]:
    """Return the public files that are missing or differ from the checksum in their manifest."""
    return [name for name in public.files if not _is_untouched(name, public, storage)]


def is_untouched(leg: Leg, manifest: EpisodeResult, storage: Storage) -> bool:
    """Return whether a leg's public product matches its checksum in the manifest."""
    return _is_untouched(PRODUCTS[leg], manifest, storage)


def _is_untouched(name: str, manifest: EpisodeResult, storage: Storage) -> bool:
    if name not in manifest.files or not storage.exists(name):
        return False
    return hashlib.sha256(storage.get(name)).hexdigest() == manifest.files[name]
