"""Publication of a result's files in an episode's folder, the manifest last."""

import hashlib
import time

from pipeline.results.corrections.files import with_corrections
from pipeline.results.formats import render_all
from pipeline.results.manifest import (
    changed_files,
    clear_work,
    keep_replaced,
    read_manifest,
    read_product,
    replaces,
    work_folder,
    write_manifest,
)
from pipeline.results.voices import VoiceMemory, voices_of
from pipeline.storage import Storage
from pipeline.types import Diarization, EpisodeResult, JobSpec
from pipeline.types.time_format import iso


def write_results(result: EpisodeResult, storage: Storage) -> EpisodeResult:
    """Write every format of a job that ends now, except the manifest, and return the result with checksums and end."""
    started = time.monotonic()
    files = write_files(result, storage)
    merge_s = round(time.monotonic() - started, 3)
    figures = result.figures.model_copy(update={"merge_s": merge_s})
    return result.model_copy(update={"files": files, "figures": figures, "ended_at": iso(time.time())})


def write_files(result: EpisodeResult, storage: Storage) -> dict[str, str]:
    """Write every format of the result except the manifest, and return the SHA-256 of each file by its name."""
    files = {}
    for name, data in render_all(result).items():
        storage.put(name, data)
        files[name] = hashlib.sha256(data).hexdigest()
    return files


def publish(result: EpisodeResult, spec: JobSpec, storage: Storage) -> EpisodeResult:
    """Publish a result if it may replace the public one, else store it in its work folder; the manifest is last.

    The caller must prevent concurrent publication into the same folder.
    """
    public = read_manifest(storage)
    is_public = replaces(result, public)
    if is_public:
        keep_replaced(public, result, storage)
        result = write_results(with_corrections(result, storage), storage)
        write_manifest(result, storage)
        _remember_voices(result, spec, storage)
    else:
        if public:
            _restore(public, storage)
        write_manifest(result, storage, work_folder(spec))
    clear_work(result, storage, is_public)
    return result


def _remember_voices(result: EpisodeResult, spec: JobSpec, storage: Storage) -> None:
    """Remember the voices of a public result's speakers, if the job asks for it."""
    if not spec.options.remember_voices or result.transcript is None or not result.transcript.speakers:
        return
    outcome = result.legs.get("speakers")
    if outcome and outcome.status == "ok":
        found = Diarization.from_json(read_product(spec, "speakers", storage))
        voices = voices_of(found, result.transcript)
        VoiceMemory(spec.episode, spec.uri).remember(result.transcript.speakers, voices)


def _restore(public: EpisodeResult, storage: Storage) -> None:
    """Restore the public files overwritten by a job that began before the public result existed."""
    changed = changed_files(public, storage)
    forms = render_all(public) if changed else {}
    for name in changed:
        if name in forms:
            storage.put(name, forms[name])
