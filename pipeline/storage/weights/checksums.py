"""Verification of files against a checksum list (SHA256SUMS) in their folder."""

import re
from hashlib import file_digest, sha256
from pathlib import Path

from pipeline.errors import WeightsError
from pipeline.settings import settings

LIST = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")


def verify(folder: Path) -> None:
    """Verify the existing files that the folder's SHA256SUMS lists; without a list do nothing.

    The result is stored in Duet's cache until the size or modification time of a file changes.

    Raises:
        WeightsError: a file has another checksum, or the list is malformed.
    """
    if not (folder / LIST).is_file():
        return
    expected = read(folder / LIST)
    if _note(folder, expected).is_file():
        return
    if damaged := differing(folder, expected):
        raise WeightsError(
            f"{folder / damaged[0]} is damaged (its SHA-256 is not the one in {LIST}); copy or download it again."
        )
    note_verified(folder, expected)


def note_verified(folder: Path, expected: dict[str, str]) -> None:
    """Record in Duet's cache that a folder's files match their checksums."""
    note = _note(folder, expected)
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch()
    except OSError:
        pass  # the next start verifies the files again


def _note(folder: Path, expected: dict[str, str]) -> Path:
    state = [str(folder.absolute())]
    for name, digest in expected.items():
        if (folder / name).is_file():
            known = (folder / name).stat()
            state.append(f"{name} {digest} {known.st_size} {known.st_mtime_ns}")
    return settings().cache_dir / "verified" / sha256("\n".join(state).encode()).hexdigest()


def differing(folder: Path, expected: dict[str, str]) -> list[str]:
    """Return the names of the existing files with a digest other than the expected one."""
    found = []
    for name, digest in expected.items():
        if (folder / name).is_file() and sha256_of(folder / name) != digest:
            found.append(name)
    return found


def sha256_of(path: Path) -> str:
    """Return a file's digest in hex."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def read(path: Path) -> dict[str, str]:
    """Return the digests by file name from a list's path, as `parsed` does."""
    return parsed(path.read_text("utf-8", "replace"), str(path))


def written(digests: dict[str, str]) -> str:
    """Return a checksum list in `sha256sum`'s format."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def parsed(text: str, where: str) -> dict[str, str]:
    """Return the digests by file name from a list in `sha256sum`'s format, without files in other folders.

    Raises:
        WeightsError: a line has another format.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None and line.strip():
            raise WeightsError(f"{where} is not a list as sha256sum writes it; write it anew or delete it.")
        if match is not None and "/" not in (name := match[2].removeprefix("./")):
            found[name] = match[1].lower()
    return found
