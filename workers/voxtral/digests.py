"""Whether files are, bit for bit, what a list of their digests beside them says."""

import re
from hashlib import file_digest, sha256
from pathlib import Path

from pipeline.errors import WeightsError
from pipeline.settings import settings

LIST = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")


def verify(folder: Path) -> None:
    """Check each file that the folder's SHA256SUMS lists and that is there, once; without a list do nothing.

    That a file was checked is kept in Duet's cache, until its size or its time of change is another.

    Raises:
        WeightsError: a file is not what the list says, or the list cannot be read.
    """
    if not (folder / LIST).is_file():
        return
    expected = read(folder / LIST)
    state = [str(folder.absolute())]
    for name, digest in expected.items():
        if (folder / name).is_file():
            known = (folder / name).stat()
            state.append(f"{name} {digest} {known.st_size} {known.st_mtime_ns}")
    done = settings().cache_dir / "verified" / sha256("\n".join(state).encode()).hexdigest()
    if done.is_file():
        return
    if damaged := differing(folder, expected):
        raise WeightsError(
            f"{folder / damaged[0]} is damaged (its SHA-256 is not the one in {LIST}); copy or download it again."
        )
    try:
        done.parent.mkdir(parents=True, exist_ok=True)
        done.touch()
    except OSError:
        pass  # then they are checked again next time, which only takes time


def differing(folder: Path, expected: dict[str, str]) -> list[str]:
    """Return the names of the files that are there and have another digest than expected."""
    found = []
    for name, digest in expected.items():
        if (folder / name).is_file():
            with (folder / name).open("rb") as file:
                if file_digest(file, "sha256").hexdigest() != digest:
                    found.append(name)
    return found


def read(path: Path) -> dict[str, str]:
    """Return the digests by file name from a list as `sha256sum` writes it; files in other folders are left out.

    Raises:
        WeightsError: this is no such list.
    """
    found: dict[str, str] = {}
    for line in path.read_text("utf-8", "replace").splitlines():
        match = _LINE.fullmatch(line)
        if match is None and line.strip():
            raise WeightsError(f"{path} is not a list as sha256sum writes it; write it anew or delete it.")
        if match is not None and "/" not in (name := match[2].removeprefix("./")):
            found[name] = match[1].lower()
    return found
