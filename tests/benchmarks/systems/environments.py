"""Virtual environments of the peers, and the weights in their formats; both are made once and kept in Duet's cache."""

import shutil
import subprocess
import sys
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


def weights_of(checkpoint: Path, kind: str | None) -> Path:
    """Return a checkpoint in a format, converted by the module of that name where it is not there yet.

    Args:
        checkpoint: openai-whisper's file.
        kind: a module in `weights`; None is the checkpoint itself.

    Raises:
        NotReady: the conversion failed.
    """
    if kind is None:
        return checkpoint
    with checkpoint.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()[:16]
    target = _folder() / "weights" / digest / kind
    if not target.is_dir():
        unfinished = target.with_name(f"{kind}.part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        module = f"tests.benchmarks.systems.weights.{kind}"
        _run([sys.executable, "-m", module, str(checkpoint), str(unfinished)])
        unfinished.rename(target)
    return target


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
