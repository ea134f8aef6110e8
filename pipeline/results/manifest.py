"""An episode's folder: its public files, the manifest that is written last, and what each job keeps as its own.

The public files are those of the newest job that ended with something. What a job's legs write lies below
`.work/<job>/` until then; a result whose place another job takes is kept there.
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
WORK = ".work/"
PRODUCTS: dict[Leg, str] = {"whisper": TRANSCRIPT, "voxtral": ANALYSIS}


def work_folder(spec: JobSpec) -> str:
    """Return the folder of an attempt's work; attempts that start afresh have one of their own each."""
    return f"{WORK}{spec.job}.{spec.attempt}/" if spec.fresh else f"{WORK}{spec.job}/"


def product_name(spec: JobSpec, leg: Leg) -> str:
    """Return the name of a leg's product in this attempt."""
    return f"{work_folder(spec)}{PRODUCTS[leg]}"


def outcome_name(folder: str, leg: Leg) -> str:
    """Return the name of a leg's outcome in a work folder."""
    return f"{folder}{leg}.json"


def read_manifest(storage: Storage, name: str = MANIFEST) -> EpisodeResult | None:
    """Return the result that lies in an episode's folder; None where there is none that can be read."""
    try:
        return EpisodeResult.from_json(storage.get(name))
    except (StorageError, ValidationError):
        return None  # an older or damaged manifest is as good as none: the episode is done again


def read_result(spec: JobSpec, storage: Storage) -> EpisodeResult | None:
    """Return a job's own result, public or kept apart: of this attempt, or else of its newest; None without any."""
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
        StorageError: it is not there; another job may have taken its place.
    """
    for name in dict.fromkeys((product_name(spec, leg), f"{WORK}{spec.job}/{PRODUCTS[leg]}")):
        if storage.exists(name):
            return storage.get(name)
    manifest = read_manifest(storage)
    if manifest and manifest.job != spec.job:
        raise StorageError(taken(spec, manifest))
    return storage.get(PRODUCTS[leg])


def taken(spec: JobSpec, manifest: EpisodeResult) -> str:
    """Return the sentence for a result that is not there any more."""
    return f"{spec.uri} holds the results of job {manifest.job} now, not those of {spec.job}; submit that again."


def takes_the_place_of(result: EpisodeResult, public: EpisodeResult | None) -> bool:
    """Whether a result becomes the public one: what ended with nothing replaces nothing that has more."""
    if public is None or result.state in (JobState.COMPLETED, JobState.PARTIAL):
        return True
    return public.state not in (JobState.COMPLETED, JobState.PARTIAL) and _content(result) >= _content(public)


def has_content(result: EpisodeResult | None) -> bool:
    """Whether there is anything in a result: a transcript or an analysis."""
    return result is not None and _content(result) > 0


def _content(result: EpisodeResult) -> int:
    return (result.transcript is not None) + (result.analysis is not None)


def keep_apart(public: EpisodeResult | None, successor: EpisodeResult, storage: Storage) -> None:
    """Move a result and its products to its job's own folder before another job's take their place."""
    if public is None or public.job == successor.job or not has_content(public):
        return
    folder = f"{WORK}{public.job}/"
    for leg, product in PRODUCTS.items():
        outcome = public.legs.get(leg)
        if outcome and outcome.status == "ok" and _is_untouched(product, public, storage):
            storage.put(f"{folder}{product}", storage.get(product))
            storage.put(outcome_name(folder, leg), outcome.to_json())
    storage.put(f"{folder}{MANIFEST}", public.to_json())


def write_manifest(result: EpisodeResult, storage: Storage, folder: str = "") -> None:
    """Write `result.json`: all else is there already."""
    storage.put(f"{folder}{MANIFEST}", result.to_json())


def clear_work(result: EpisodeResult, storage: Storage, is_public: bool) -> None:
    """Remove the work files of an ended job that nobody needs any more.

    Another job of the episode may be at work, and what is missing of this one may be asked for again.
    """
    if result.state is JobState.CANCELLED:
        return  # submitted again, it goes on where it was
    for name in storage.list(f"{WORK}{result.job}"):
        if not _is_needed_again(PurePosixPath(name).parts[2], result, is_public):
            storage.delete(name)


def _is_needed_again(part: str, result: EpisodeResult, is_public: bool) -> bool:
    """Whether a work file is all there is of a result, the audio of a missing leg, or a failed leg's checkpoint."""
    missing = {leg: it for leg, it in result.legs.items() if it.status != "ok" and leg in result.options.legs}
    is_own = part in (MANIFEST, *PRODUCTS.values(), *(outcome_name("", leg) for leg in PRODUCTS))
    is_audio = part == "audio" or part.startswith("audio.")
    is_checkpoint = part in missing and missing[part].status == "failed"
    return (is_own and not is_public) or (bool(missing) and (is_audio or is_checkpoint))


def changed_files(public: EpisodeResult, storage: Storage) -> list[str]:
    """Return the public files that are not, or no longer, what their manifest says."""
    return [name for name in public.files if not _is_untouched(name, public, storage)]


def is_untouched(leg: Leg, manifest: EpisodeResult, storage: Storage) -> bool:
    """Whether what a leg made is there as the manifest says."""
    return _is_untouched(PRODUCTS[leg], manifest, storage)


def _is_untouched(name: str, manifest: EpisodeResult, storage: Storage) -> bool:
    if name not in manifest.files or not storage.exists(name):
        return False
    return hashlib.sha256(storage.get(name)).hexdigest() == manifest.files[name]
