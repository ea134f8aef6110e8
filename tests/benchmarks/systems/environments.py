"""Virtual environments of the peers, and the weights in their formats; both are made once and kept in Duet's cache."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from hashlib import file_digest, sha256
from pathlib import Path

from pipeline.settings import settings

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
STAMP = "requirements.sha256"
WITHOUT = "# without "
"""Start of a line of requirements that names a folder of packages to remove after their installation."""


class NotReady(Exception):
    """A system that cannot run here, and the reason."""


def python_of(requirements: str | None) -> Path:
    """Return the interpreter of an environment with those requirements, made where it is not there yet.

    The requirements name every package, so nothing else is installed: no CUDA for a processor.

    Args:
        requirements: a file in this package; None is the environment of this process.

    Raises:
        NotReady: a package cannot be installed.
    """
    if requirements is None:
        return Path(sys.executable)
    pins = HERE / requirements
    folder = _folder() / "environments" / pins.stem
    digest = sha256(pins.read_bytes() + sys.version.encode()).hexdigest()
    python = folder / "bin" / "python"
    stamp = folder / STAMP
    if not stamp.is_file() or stamp.read_text() != digest:
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", str(pins)])
        packages = next((folder / "lib").glob("python*/site-packages"))
        for line in pins.read_text().splitlines():
            if line.startswith(WITHOUT):
                shutil.rmtree(packages / line.removeprefix(WITHOUT))
        stamp.write_text(digest)
    return python


def weights_of(checkpoint: Path, kinds: Sequence[str]) -> Path:
    """Return a checkpoint in a format, converted by the modules of those names where it is not there yet.

    A module with a file of requirements beside it runs in an environment of its own.

    Args:
        checkpoint: openai-whisper's file.
        kinds: modules in `weights`, each of which converts what the one before it wrote.

    Raises:
        NotReady: a conversion failed.
    """
    with checkpoint.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()[:16]
    source = checkpoint
    for kind in kinds:
        target = _folder() / "weights" / digest / kind
        if not target.is_dir():
            unfinished = target.with_name(f"{kind}.part")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            pins = f"weights/{kind}.txt"
            python = python_of(pins if (HERE / pins).is_file() else None)
            _run([str(python), "-m", f"tests.benchmarks.systems.weights.{kind}", str(source), str(unfinished)])
            unfinished.rename(target)
        source = target
    return source


def reason_of(log: str) -> str:
    """Return the last line that a program wrote, which names its error."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1] if lines else "it wrote nothing"


def _folder() -> Path:
    return settings().cache_dir / "peers"


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise NotReady(f"{Path(command[0]).name} {' '.join(command[1:4])} failed: {reason_of(done.stderr)}")
