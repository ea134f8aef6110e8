"""Seconds, word error rate and memory of the fast leg beside its peers, on the same weights.

    python -m tests.benchmarks.whisper AUDIO --reference REF.json [--only ours,stock] [--minutes 0.5,180]

Each system runs in a process of its own, so that its peak memory is its own; rounds are interleaved, so that a noisy
machine is unfair to all alike. Loading a model and half a minute of warm-up are not timed. With `--minutes` the audio
is repeated until it is so long; the word error rate needs whole repetitions or the audio itself. The systems and
their settings are in `tests/benchmarks/systems`; `python -m tests.benchmarks.systems` prepares them. Those in the
project's own environment need the extra `bench`.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.systems.environments import NotReady
from tests.benchmarks.systems.process import Process
from tests.benchmarks.systems.registry import SYSTEMS
from tests.benchmarks.wav import write
from tests.benchmarks.word_errors import word_errors
from workers.weights.whisper import whisper_checkpoint

WARM_UP_MINUTES = 0.5
MEDIANS = ("seconds", "realtime", "wer", "peak_mb", "first_text_s")


def measure(name: str, args: argparse.Namespace, audio: Path, audio_s: float, reference: str | None) -> dict[str, Any]:
    """Run one system once, in a process of its own, and return its figures."""
    with Process(name, whisper_checkpoint(args.checkpoint), args.threads) as process:
        process.hear(audio.with_name("warm.wav"))
        heard = process.hear(audio)
    print(f"{name}: {heard['seconds']:.1f} s", file=sys.stderr, flush=True)
    text = heard.pop("text")
    wer = None if reference is None else word_errors([reference], [0], text).rate
    return heard | {"realtime": audio_s / heard["seconds"], "wer": wer, "text": text}


def compare(args: argparse.Namespace, names: list[str], minutes: float | None) -> list[dict[str, Any]]:
    """Run the systems in turn, round after round, and return the medians of each."""
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    reasons: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        audio = Path(folder) / "audio.wav"
        audio_s = write(args.audio, audio, minutes)
        write(args.audio, audio.with_name("warm.wav"), WARM_UP_MINUTES)
        reference = _reference(args, minutes, audio_s)
        for _ in range(args.rounds):
            for name in names:
                if name in reasons:
                    continue
                try:
                    rounds[name].append(measure(name, args, audio, audio_s, reference))
                except NotReady as reason:
                    reasons[name] = str(reason)
    return [_medians(name, audio_s, rounds[name], reasons.get(name)) for name in names]


def _reference(args: argparse.Namespace, minutes: float | None, audio_s: float) -> str | None:
    if args.reference is None:
        return None
    text = " ".join(part["text"] for part in json.loads(args.reference.read_text())["segments"])
    if minutes is None:
        return text
    with tempfile.TemporaryDirectory() as folder:
        repetitions = audio_s / write(args.audio, Path(folder) / "once.wav")
    return " ".join([text] * round(repetitions)) if repetitions == round(repetitions) else None


def _medians(name: str, audio_s: float, runs: list[dict[str, Any]], reason: str | None) -> dict[str, Any]:
    line: dict[str, Any] = {"system": name, "minutes": round(audio_s / 60, 2)}
    if reason is not None:
        return line | {"reason": reason}
    for key in MEDIANS:
        found = [run[key] for run in runs if run[key] is not None]
        line[key] = round(statistics.median(found), 2) if found else None
    return line | {"has_words": runs[0]["has_words"], "rounds": len(runs)}


def row(line: dict[str, Any], stock_s: float | None) -> str:
    """Return a line of the table."""
    start = f"{line['system']:24} {line['minutes']:7.2f} min "
    if "reason" in line:
        return f"{start} {line['reason']}"
    ratio = f"{stock_s / line['seconds']:6.2f}x stock" if stock_s else ""
    return (
        f"{start}{line['seconds']:8.1f} s {line['realtime']:6.1f}x real time {_or(line['wer'], '6.2f'):>6} % WER "
        f"{line['peak_mb']:6.0f} MB  words {'yes' if line['has_words'] else 'no':3} "
        f" first text {_or(line['first_text_s'], '7.2f'):>7} s {ratio}"
    )


def _or(figure: float | None, spec: str) -> str:
    return "-" if figure is None else format(figure, spec)


def main() -> None:
    """Compare the systems at each length, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--reference", type=Path, help="JSON with `segments`, each with `text`")
    parser.add_argument("--checkpoint", default="base", help="openai-whisper's name, or a path to NAME.pt")
    parser.add_argument("--only", help=f"some of {','.join(SYSTEMS)}")
    parser.add_argument("--minutes", help="lengths to repeat the audio to; default: the audio itself")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each system")
    args = parser.parse_args()
    names = args.only.split(",") if args.only else list(SYSTEMS)
    if unknown := [name for name in names if name not in SYSTEMS]:
        parser.error(f"no system is called {', '.join(unknown)}; there are {', '.join(SYSTEMS)}")
    for minutes in [float(it) for it in args.minutes.split(",")] if args.minutes else [None]:
        lines = compare(args, names, minutes)
        stock_s = next((line.get("seconds") for line in lines if line["system"] == "stock"), None)
        for line in lines:
            print(json.dumps(line) if args.json else row(line, stock_s), flush=True)


if __name__ == "__main__":
    main()
