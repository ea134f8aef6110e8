"""How the fast leg's time and memory grow with an episode's length, and how soon its first text is out.

    python -m tests.benchmarks.whisper_length AUDIO --checkpoint base.pt --minutes 0.5,1,10,30,180

The audio is repeated until it is long enough. Each length runs in a process of its own, on a model that
is loaded and warm, so that its peak memory is its own.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

from pipeline.messaging.commands import ARITHMETIC


def repeated(audio: Path, minutes: float, target: Path) -> None:
    """Write a WAV file of that length from the audio, as often as it takes; a block at a time."""
    from workers.audio.audio_file import SAMPLE_RATE_HZ, load

    samples = (load(audio) * 32767).astype("<i2")
    left = round(minutes * 60 * SAMPLE_RATE_HZ)
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        while left > 0:
            file.writeframes(samples[:left].tobytes())
            left -= len(samples)


def measure(args: argparse.Namespace) -> None:
    """Transcribe one length in this process and print its figures as a line of JSON."""
    import torch
    import whisper

    from pipeline.types import Options
    from workers.whisper import WhisperEngine

    torch.set_num_threads(args.threads)
    model = whisper.load_model(args.checkpoint, device=args.device)
    model.set_alignment_heads(whisper._ALIGNMENT_HEADS[args.heads])
    engine = WhisperEngine(model, "benchmark")
    del model
    warm = args.audio.with_name("warm.wav")
    engine.transcribe(warm, Options(), lambda done_s, total_s: None)
    seen: list[float] = []
    began = time.perf_counter()
    heard = engine.transcribe(
        args.audio,
        Options(),
        lambda done_s, total_s: None,
        on_segments=lambda segments: seen.append(time.perf_counter() - began),
    )
    seconds = time.perf_counter() - began
    figures = {
        "minutes": round(heard.audio_s / 60, 2),
        "seconds": round(seconds, 2),
        "realtime": round(heard.audio_s / seconds, 2),
        "first_text_s": round(seen[0], 2) if seen else None,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(figures), flush=True)


def main() -> None:
    """Run each length in turn, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--minutes", default="0.5,1,10,30,180")
    parser.add_argument("--checkpoint", default="base", help="openai-whisper's name or a path")
    parser.add_argument("--heads", default="base", help="whose alignment heads a checkpoint's path has")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        measure(args)
        return
    options = [f"--{name}={getattr(args, name)}" for name in ("checkpoint", "heads", "threads", "device")]
    for minutes in map(float, args.minutes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "episode.wav"
            repeated(args.audio, minutes, target)
            repeated(args.audio, 0.5, target.with_name("warm.wav"))
            command = [sys.executable, "-m", "tests.benchmarks.whisper_length", str(target), *options, "--one"]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=ARITHMETIC | os.environ)
            print(done.stdout.strip().splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
