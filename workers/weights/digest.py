"""By which digest a result names the weights that made it."""

import os
import uuid
from hashlib import file_digest, sha256
from pathlib import Path

from pipeline.settings import settings

SUFFIXES = (".safetensors", ".bin", ".pt")


def digest_of(weights: Path) -> str:
    """Return the SHA-256 of a file; for a folder, that of the digests of the weights in it by their names.

    Reading gigabytes takes a while, so it is done once and kept in Duet's cache, until a size or a time of
    change is another.
    """
    if weights.is_file():
        return _of_file(weights)
    found = sorted(path for path in weights.iterdir() if path.suffix in SUFFIXES)
    listed = "".join(f"{_of_file(path)}  {path.name}\n" for path in found)
    return sha256(listed.encode()).hexdigest()


def _of_file(path: Path) -> str:
    known = path.stat()
    state = f"{path.absolute()} {known.st_size} {known.st_mtime_ns}"
    kept = settings().cache_dir / "digests" / sha256(state.encode()).hexdigest()
    if kept.is_file():
        return kept.read_text("ascii")
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_name(f"{kept.name}.{uuid.uuid4().hex[:8]}.{os.getpid()}")
        unfinished.write_text(digest, "ascii")
        unfinished.replace(kept)
    except OSError:
        pass  # then it is computed again next time, which only takes time
    return digest
