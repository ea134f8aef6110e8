"""Digests of model weights, written into results."""

import os
import uuid
from hashlib import file_digest, sha256
from pathlib import Path

from pipeline.settings import settings

SUFFIXES = (".safetensors", ".bin", ".pt")


def digest_of(weights: Path) -> str:
    """Return the SHA-256 of a file; for a folder, that of the digests and names of the weight files in it.

    Reading gigabytes takes a while, so digests are cached until a file's size or modification time changes.
    """
    if weights.is_file():
        return _of_file(weights)
    found = sorted(path for path in weights.iterdir() if path.suffix in SUFFIXES)
    listed = "".join(f"{_of_file(path)}  {path.name}\n" for path in found)
    return sha256(listed.encode()).hexdigest()


def _of_file(path: Path) -> str:
    known = path.stat()
    state = f"{path.absolute()} {known.st_size} {known.st_mtime_ns}"
    cached = settings().cache_dir / "digests" / sha256(state.encode()).hexdigest()
    if cached.is_file():
        return cached.read_text("ascii")
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        unfinished = cached.with_name(f"{cached.name}.{uuid.uuid4().hex[:8]}.{os.getpid()}")
        unfinished.write_text(digest, "ascii")
        unfinished.replace(cached)
    except OSError:
        pass  # without a cache the digest is computed again next time
    return digest
