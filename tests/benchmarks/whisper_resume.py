"""How much of the fast leg is done again after it is killed at a random moment.

    python -m tests.benchmarks.whisper_resume AUDIO --checkpoint base.pt --kills 5

A process transcribes the audio with its checkpoints in a folder and gets a SIGKILL; another goes on
with the same folder. Done again is what the first had worked on since its last checkpoint.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # a waiting thread must not take another's core


class Folder:
    """Checkpoints as files, written as the pools' are: whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.loaded = 0

    def load(self, key: str) -> dict[str, Any] | None:
        """See `Checkpoints.load`."""
        file = self.path / key
        if not file.exists():
            return None
        self.loaded += 1
        saved: dict[str, Any] = json.loads(file.read_text())
        return saved

    def save(self, key: str, value: dict[str, Any]) -> None:
        """See `Checkpoints.save`."""
        unfinished = self.path / f"{key}.part"
        unfinished.write_text(json.dumps(value))
        unfinished.replace(self.path / key)


def transcribe(args: argparse.Namespace) -> None:
    """Transcribe in this process; print when it begins, and at the end how many windows were known."""
    import torch
    import whisper

    from pipeline.types import Options
    from workers.whisper import WhisperEngine

    torch.set_num_threads(args.threads)
    engine = WhisperEngine(whisper.load_model(args.checkpoint, device=args.device), "benchmark")
    folder = Folder(args.folder)
    print("began", flush=True)
    began = time.perf_counter()
    heard = engine.transcribe(args.audio, Options(), lambda done_s, total_s: None, checkpoints=folder)
    done = {"seconds": time.perf_counter() - began, "known": folder.loaded, "text": heard.text}
    print(json.dumps(done), flush=True)


def main() -> None:
    """Run once undisturbed, then kill at random moments, and print what was done again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--checkpoint", default="base", help="openai-whisper's name or a path")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.folder:
        transcribe(args)
        return
    draw = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        whole = _finish(_start(Path(folder)))
        windows = len(list(Path(folder).iterdir()))
    shares = []
    for _ in range(args.kills):
        with tempfile.TemporaryDirectory() as folder:
            share, same = _killed_once(Path(folder), draw.random() * whole["seconds"], whole)
        shares.append(share)
        print(json.dumps({"windows": windows, "done_again": round(share, 3), "same_text": same}), flush=True)
    print(json.dumps({"mean_done_again": round(sum(shares) / len(shares), 3), "most": round(max(shares), 3)}))


def _killed_once(folder: Path, after_s: float, whole: dict[str, Any]) -> tuple[float, bool]:
    """Return the share of the leg's time that was spent twice, and whether the text is the same."""
    first = _start(folder)
    began = time.time()
    try:
        first.wait(timeout=after_s)
    except subprocess.TimeoutExpired:
        first.send_signal(signal.SIGKILL)
        first.wait()
    killed = time.time()
    kept = [file.stat().st_mtime for file in folder.iterdir() if file.suffix != ".part"]
    second = _finish(_start(folder))
    lost_s = killed - max(kept, default=began)
    return lost_s / whole["seconds"], second["text"] == whole["text"] and second["known"] == len(kept)


def _start(folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.benchmarks.whisper_resume", *sys.argv[1:], "--folder", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    process.stdout.readline()
    return process


def _finish(process: "subprocess.Popen[str]") -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(process.communicate()[0].strip().splitlines()[-1])
    return answer


if __name__ == "__main__":
    main()
