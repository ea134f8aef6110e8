"""Files of a job besides its results: uploads, work files in storage and copies on this machine."""

import re
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from pipeline.results.manifest import QUESTIONS, WORK
from pipeline.settings import settings
from pipeline.sources.digest_cache import Digests
from pipeline.sources.download import Download
from pipeline.storage import Storage, open_object, open_storage, path_of
from pipeline.storage.allowed_roots import check_destination
from pipeline.storage.copies import EARLIER, Copies
from pipeline.storage.encodings import Encodings, remove_unused
from pipeline.types import LEGS, JobSpec

UPLOADS = "uploads"
"""Folder beside the results with the uploads of `duet serve`, each in its own folder."""
DOWNLOAD_KEPT_S = 7 * 24 * 3600.0
"""Seconds for which an interrupted download can be resumed."""
THREADS = 8
_OWN_FOLDER = re.compile(r"[0-9a-f]{32}")


def upload_of(spec: JobSpec) -> Path | None:
    """Return the path of a job's audio if it was uploaded to `duet serve`; never that of a user's own file."""
    parts = urlsplit(spec.audio_uri)
    path = path_of(spec.audio_uri)
    folder = path.parent.parent
    is_upload = parts.scheme == "file" and folder.name == UPLOADS and _OWN_FOLDER.fullmatch(path.parent.name)
    # The server's results are beside its uploads, in a folder per set of options.
    return path if is_upload and folder.parent == path_of(spec.uri).parent.parent else None


def remove_upload(spec: JobSpec) -> bool:
    """Remove the file that was uploaded for a job; return False if there is none."""
    path = upload_of(spec)
    if path is None or not path.is_file():
        return False
    shutil.rmtree(path.parent, ignore_errors=True)
    return True


def work_files(storage: Storage, job: str) -> list[str]:
    """Return the names of all work files of a job, including those of forced attempts.

    Raises:
        StorageError, TransientError: storage rejects the request, or cannot answer at the moment.
    """
    return [name for name in storage.list(f"{WORK}{job}") if PurePosixPath(name).parts[1].partition(".")[0] == job]


def clear_work(spec: JobSpec) -> int:
    """Remove the audio and the checkpoints of an ended job from its work files, and return their number.

    The products of its legs and its result stay.

    Raises:
        StorageError, TransientError: storage rejects the request, or cannot answer at the moment.
    """
    check_destination(spec.uri)
    storage = open_storage(spec.uri)
    return delete_all(storage, [name for name in work_files(storage, spec.job) if _is_disposable(name)])


def delete_all(storage: Storage, names: Iterable[str]) -> int:
    """Remove objects in parallel, and return their number."""
    with ThreadPoolExecutor(THREADS) as threads:
        return sum(1 for _ in threads.map(storage.delete, names))


def clear_copies(spec: JobSpec) -> int:
    """Remove this machine's unused copies and encodings of an episode's audio, and return their number.

    Raises:
        StorageError: the cache cannot be written.
    """
    source = spec.episode.source
    count = Encodings(spec.episode.id).forget()
    for uri in {spec.audio_uri, source}:
        if uri.startswith("s3://"):
            storage, name = open_object(uri)
            count += storage.forget_copies(name)
    if source.startswith(("http://", "https://")):
        download = Download(source)
        count += download.folder.is_dir()
        download.forget()
    Digests(settings().cache_dir / "digests.sqlite").forget(spec.episode.id)
    return count


def clear_cache(now: float) -> None:
    """Remove copies beyond the limit, old encodings and abandoned downloads from this machine's cache.

    A download is abandoned after DOWNLOAD_KEPT_S seconds without a change.
    """
    cache = settings().cache_dir
    if (cache / "audio").is_dir() or (cache / EARLIER).is_dir():
        Copies(cache, settings().cache_limit_bytes).make_room()
    remove_unused(now)
    for folder in (cache / "downloads").glob("*"):
        with suppress(OSError):  # another process has resumed or removed it
            if now - max(it.stat().st_mtime for it in (folder, *folder.iterdir())) > DOWNLOAD_KEPT_S:
                shutil.rmtree(folder)


def _is_disposable(name: str) -> bool:
    """Whether a work file is audio or a checkpoint, which only another attempt could use."""
    folder, *rest = PurePosixPath(name).parts[2:]
    is_checkpoint = (bool(rest) and folder in LEGS) or (len(rest) > 1 and folder == QUESTIONS)
    return folder.partition(".")[0] == "audio" or is_checkpoint
