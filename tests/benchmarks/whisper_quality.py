"""Word error rates of the fast leg and its peers on speech as it is, and made worse in eight ways.

    python -m tests.benchmarks.whisper_quality AUDIO --reference REF.json --only ours,faster-whisper-beam

The audio is cut into the clips of its reference (`segments` with `start`, `end` and `text`), which the ways of
tests.benchmarks.degradations put together again. For each system: the rate on each recording, with substitutions,
deletions and insertions; the rate on all of them with its 95 % interval; and the difference from the first system
named, on the same clips. Only a difference whose interval excludes zero counts. `--save` keeps the texts, and
`--beside` compares with those of an earlier run, as of another revision.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import add
from pathlib import Path

import soundfile

from tests.benchmarks.degradations import DEGRADATIONS, Degraded, Sound
from tests.benchmarks.systems.environments import NotReady
from tests.benchmarks.systems.process import Process
from tests.benchmarks.systems.registry import SYSTEMS
from tests.benchmarks.word_errors import WordErrors, word_errors
from workers.audio.audio_file import SAMPLE_RATE_HZ, load
from workers.weights.whisper import whisper_checkpoint

Texts = dict[str, str]
"""A system's transcript of each recording."""


@dataclass(frozen=True)
class Recording:
    """A recording as a file, and the clips that it has in order."""

    path: Path
    order: tuple[int, ...]


def main() -> None:
    """Run each system over all recordings and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--checkpoint", default="base", help="openai-whisper's name or a path")
    parser.add_argument("--only", default="ours,stock,faster-whisper-beam", help=f"some of {','.join(SYSTEMS)}")
    parser.add_argument("--ways", default=",".join(DEGRADATIONS), help="some of these")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", type=Path, help="write the texts of this run to this file")
    parser.add_argument("--beside", type=Path, help="a file of `--save`, whose systems are named `earlier:NAME`")
    args = parser.parse_args()
    segments = json.loads(args.reference.read_text())["segments"]
    references = [segment["text"] for segment in segments]
    with tempfile.TemporaryDirectory() as folder:
        recordings = written(clips_of(load(args.audio), segments), args.ways.split(","), Path(folder))
        texts: dict[str, Texts] = {}
        for name in args.only.split(","):
            try:
                texts[name] = heard(name, recordings, whisper_checkpoint(args.checkpoint), args.threads)
            except NotReady as error:
                print(f"{name}: {error}", file=sys.stderr)
            if args.save:
                args.save.write_text(json.dumps(texts, indent=1))
    if args.beside:
        texts |= {f"earlier:{name}": earlier for name, earlier in json.loads(args.beside.read_text()).items()}
    report(references, {way: recording.order for way, recording in recordings.items()}, texts)


def clips_of(samples: Sound, segments: Sequence[dict[str, float]]) -> list[Sound]:
    """Cut a recording midway between its segments."""
    bounds = [round((before["end"] + after["start"]) / 2 * SAMPLE_RATE_HZ) for before, after in pairwise(segments)]
    return [samples[start:end] for start, end in zip([0, *bounds], [*bounds, len(samples)], strict=True)]


def written(clips: Sequence[Sound], ways: Sequence[str], folder: Path) -> dict[str, Recording]:
    """Write a recording for each way of making the clips worse."""
    recordings: dict[str, Recording] = {}
    for number, way in enumerate(ways):
        degraded: Degraded = DEGRADATIONS[way](clips)
        path = folder / f"{number}.wav"
        soundfile.write(path, degraded.samples, SAMPLE_RATE_HZ, subtype="PCM_16")
        recordings[way] = Recording(path, degraded.order)
    return recordings


def heard(name: str, recordings: dict[str, Recording], checkpoint: Path, threads: int) -> Texts:
    """Return a system's transcript of each recording.

    Raises:
        NotReady: the system cannot run here, or its process ended.
    """
    texts: Texts = {}
    with Process(name, checkpoint, threads) as system:
        for way, recording in recordings.items():
            answer = system.hear(recording.path)
            texts[way] = answer["text"]
            print(f"{name}: {way} in {answer['seconds']:.0f} s", file=sys.stderr, flush=True)
    return texts


def report(references: Sequence[str], orders: dict[str, tuple[int, ...]], texts: dict[str, Texts]) -> None:
    """Print the rate of each system on each recording, and then on all of them together."""
    every: dict[str, list[WordErrors]] = {name: [] for name in texts}
    print("| recording | " + " | ".join(texts) + " |")
    print("|---" * (len(texts) + 1) + "|")
    for way, order in orders.items():
        cells = []
        for name, own in texts.items():
            errors = word_errors(references, order, own[way])
            every[name].append(errors)
            cells.append(f"{errors.rate:.2f} ({', '.join(map(str, errors.kinds.sum(axis=0)))})")
        print(f"| {way} | " + " | ".join(cells) + " |")
    first = next(iter(texts))
    print(f"\n| system | WER % | 95 % interval | substitutions, deletions, insertions | against {first} |")
    print("|---|---|---|---|---|")
    sums = {name: reduce(add, own) for name, own in every.items()}
    for name, own in sums.items():
        kinds = ", ".join(map(str, own.kinds.sum(axis=0)))
        difference, low, high = own.difference(sums[first])
        against = "" if name == first else f"{difference:+.2f} ({low:+.2f} to {high:+.2f})"
        print("| {} | {:.2f} | {:.2f} to {:.2f} | {} | {} |".format(name, own.rate, *own.interval(), kinds, against))


if __name__ == "__main__":
    main()
