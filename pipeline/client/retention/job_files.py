"""Files of a job besides its results: uploads, work files in storage, copies on this machine."""

import re
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from pipeline.results.manifest import WORK
from pipeline.settings import settings
from pipeline.sources.digest_cache import Digests
from pipeline.sources.download import Download
from pipeline.storage import Storage, open_storage, path_of
from pipeline.storage.allowed_roots import check_destination
from pipeline.storage.copies import EARLIER, Copies
from pipeline.types import LEGS, JobSpec

UPLOADS = "uploads"
"""The folder beside results in which `duet serve` keeps what was sent to it, each file in a folder of its own."""
DOWNLOAD_KEPT_S = 7 * 24 * 3600.0
"""For so long a download that broke off waits for whoever goes on with it."""
THREADS = 8
_OWN_FOLDER = re.compile(r"[0-9a-f]{32}")


def upload_of(spec: JobSpec) -> Path | None:
    """Return the file that was uploaded for a job, if its audio is one; nobody else's file is taken for one."""
    parts = urlsplit(spec.audio_uri)
    path = path_of(spec.audio_uri)
    folder = path.parent.parent
    is_upload = parts.scheme == "file" and folder.name == UPLOADS and _OWN_FOLDER.fullmatch(path.parent.name)
    # The server's results lie beside its uploads, in a folder for each kind of order.
    return path if is_upload and folder.parent == path_of(spec.uri).parent.parent else None


def remove_upload(spec: JobSpec) -> bool:
    """Remove the file that was uploaded for a job; False when there is none."""
    path = upload_of(spec)
    if path is None or not path.is_file():
        return False
    shutil.rmtree(path.parent, ignore_errors=True)
    return True


def work_files(storage: Storage, job: str) -> list[str]:
    """Return the names of all work files of a job, those of attempts that began afresh too.

    Raises:
        StorageError, TransientError: storage refuses, or does not answer now.
    """
    return [name for name in storage.list(f"{WORK}{job}") if PurePosixPath(name).parts[1].partition(".")[0] == job]


def clear_work(spec: JobSpec) -> int:
    """Remove the copy of the audio and the checkpoints of a job that has ended, and return how many files those were.

    What its legs wrote, and its result, stay.

    Raises:
        StorageError, TransientError: storage refuses, or does not answer now.
    """
    check_destination(spec.uri)
    storage = open_storage(spec.uri)
    return delete_all(storage, [name for name in work_files(storage, spec.job) if _is_of_no_use(name)])


def delete_all(storage: Storage, names: Iterable[str]) -> int:
    """Remove objects, several at once, and return how many those were."""
    with ThreadPoolExecutor(THREADS) as threads:
        return sum(1 for _ in threads.map(storage.delete, names))


def clear_copies(spec: JobSpec) -> int:
    """Remove this machine's copies of an episode's audio that nobody uses, and return how many those were.

    Raises:
        StorageError: the cache cannot be written.
    """
    source = spec.episode.source
    count = 0
    for uri in {spec.audio_uri, source}:
        if uri.startswith("s3://"):
            folder, _, name = uri.rpartition("/")
            count += open_storage(folder).forget_copies(name)
    if source.startswith(("http://", "https://")):
        download = Download(source)
        count += download.folder.is_dir()
        download.forget()
    Digests(settings().cache_dir / "digests.sqlite").forget(spec.episode.id)
    return count


def clear_cache(now: float) -> None:
    """Remove what this machine's cache holds of audio that nobody is likely to ask for again.

    Those are copies beyond the limit, and downloads that broke off and that nobody has gone on with.
    """
    cache = settings().cache_dir
    if (cache / "audio").is_dir() or (cache / EARLIER).is_dir():
        Copies(cache, settings().cache_limit_bytes).make_room()
    for folder in (cache / "downloads").glob("*"):
        with suppress(OSError):  # somebody has gone on with it, or removed it
            if now - max(it.stat().st_mtime for it in (folder, *folder.iterdir())) > DOWNLOAD_KEPT_S:
                shutil.rmtree(folder)


def _is_of_no_use(name: str) -> bool:
    """Whether a work file is audio, or a piece of a leg's work, which only another attempt could use."""
    parts = PurePosixPath(name).parts[2:]
    return parts[0].partition(".")[0] == "audio" or (len(parts) > 1 and parts[0] in LEGS)
