"""Voxtral's speed: Duet's way against others, and each step against what the device can do.

    python -m tests.benchmarks.voxtral --json
    python -m tests.benchmarks.voxtral --geometry real --minutes 10 --system ours --json
    python -m tests.benchmarks.voxtral --geometry real --minutes 10 --system ours --quantize int8 --json

`naive` is the way of the library's examples: one chunk of 30 s and one question a request. `before` shares the audio
between the questions, but asks one after the other through the library's own pass. The product's own two questions are
asked, with a fixed number of tokens in each answer. The geometry is the real one with a CUDA device, and on a CPU if
asked for (4.7 billion parameters, 11 GB); otherwise it is scaled down. The weights are random, so this measures speed
and never quality. Each way runs in a process of its own, so that its peak of memory is its own; rounds are interleaved,
so that a noisy machine is unfair to all alike. Loading and one short warm-up are not timed.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tests.benchmarks import voxtral_systems as systems
from tests.voxtral_sound import noise
from workers import device
from workers.cuda_graph import Graph
from workers.memory.activations import voxtral_bytes, voxtral_weights_bytes
from workers.memory.cards import of
from workers.memory.geometry import MINI, voxtral_geometry
from workers.voxtral.model import CHUNK_SAMPLES

SYSTEMS = ("ours", "before", "naive")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run one way in this process and return its figures."""
    place = device.choose(arguments.device)
    is_real = arguments.geometry == "real" or place.device.type == "cuda"
    is_int8 = arguments.quantize == "int8"
    if is_int8 and place.device.type == "cuda":
        raise SystemExit("--quantize int8 measures Duet's own layers, which are for a CPU; add --device cpu.")
    with tempfile.TemporaryDirectory() as folder:
        if is_real:
            torch.set_num_threads(arguments.threads)
            voxtral = systems.load_real(place, Path(folder), is_int8=is_int8)
        else:
            sizes = arguments.hidden, arguments.layers, arguments.threads
            voxtral = systems.load(place, Path(folder), *sizes, is_int8=is_int8)
    Graph.can_record = not arguments.launched
    samples = noise(arguments.minutes * 60)
    ceilings = [systems.ceilings(place)]
    run = {
        "ours": partial(systems.ours, section_s=arguments.section_s, rows=arguments.rows),
        "before": partial(systems.before, section_s=arguments.section_s),
        "naive": systems.naive,
    }[arguments.system]
    run(voxtral, samples[:CHUNK_SAMPLES], tokens=[2, 2])  # the first call of anything is slow
    started_s = time.perf_counter()
    figures = run(voxtral, samples, tokens=arguments.tokens)
    seconds = time.perf_counter() - started_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if place.device.type == "cuda":
        peak_mb = torch.cuda.max_memory_allocated(place.device) / 2**20
    section_s = min(arguments.section_s, arguments.minutes * 60)
    if is_real:
        rows = arguments.rows if arguments.system == "ours" else 1
        figures["planned_mb"] = _planned_mb(place, section_s, rows, arguments.quantize)
    if arguments.system != "naive":
        ceilings.append(systems.ceilings(place))
        best = {name: max(one[name] for one in ceilings) for name in ceilings[0]}
        figures |= best | systems.shares(voxtral, figures | best, section_s)
    return {
        "system": arguments.system,
        "seconds": seconds,
        "realtime": arguments.minutes * 60 / seconds,
        "peak_mb": peak_mb,
        "minutes": arguments.minutes,
        "tokens_an_answer": arguments.tokens,
        "parameters": systems.numbers(voxtral.model),
        "geometry": "real" if is_real else "scaled down",
        "device": str(place.device),
        "dtype": str(place.dtype),
        "quantize": arguments.quantize,
        "threads": arguments.threads,
        "decoding_recorded": place.device.type == "cuda" and arguments.system == "ours" and Graph.can_record,
        **figures,
    }


def _planned_mb(place: device.ComputeDevice, section_s: float, rows: int, quantize: str | None) -> float:
    mini, precision = voxtral_geometry(MINI), of(place).voxtral_precision
    weights_bytes = voxtral_weights_bytes(mini, precision, quantize)
    return (weights_bytes + voxtral_bytes(mini, precision, section_s, rows, place.device.type)) / 2**20


def main() -> None:
    """Run the ways in turn, round after round, and print the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the audio")
    parser.add_argument("--section-s", type=float, default=600.0, help="length of our sections")
    parser.add_argument("--rows", type=int, default=1, help="our sections side by side")
    parser.add_argument("--tokens", type=int, nargs=2, default=[350, 500], help="length of each question's answer")
    parser.add_argument("--geometry", choices=("real", "scaled"), default="scaled", help="of the model on a CPU")
    parser.add_argument("--hidden", type=int, default=64, help="width of the scaled encoder")
    parser.add_argument("--layers", type=int, default=4, help="depth of both scaled halves")
    parser.add_argument("--quantize", choices=("int8",), help="weights of the language model's layers, on a CPU")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--launched", action="store_true", help="launch our decoding steps where a card replays them")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each way")
    parser.add_argument("--system", choices=SYSTEMS, help="measure only this one, once, in this process")
    arguments = parser.parse_args()
    if arguments.system:
        print(json.dumps(measure(arguments)))
        return
    rounds = [{system: _in_a_process_of_its_own(system) for system in SYSTEMS} for _ in range(arguments.rounds)]
    lines = [_middle([one[system] for one in rounds]) for system in SYSTEMS]
    for other in SYSTEMS[1:]:
        lines[0] |= _times_as_fast(rounds, other)
    for line in lines:
        print(json.dumps(line)) if arguments.json else _print(line)


def _in_a_process_of_its_own(system: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.voxtral", *sys.argv[1:], "--system", system]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return figures


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each figure over the rounds, and the seconds of each round."""
    figures = {
        name: round(statistics.median(run[name] for run in runs), 3) if isinstance(value, float) else value
        for name, value in runs[0].items()
    }
    return figures | {"seconds_by_round": [round(run["seconds"], 2) for run in runs]}


def _times_as_fast(rounds: list[dict[str, dict[str, Any]]], other: str) -> dict[str, Any]:
    """Return how many times as fast as another way ours is: the medians' ratio, and that of each round."""
    ours_s, other_s = ([one[system]["seconds"] for one in rounds] for system in ("ours", other))
    return {
        f"times_{other}": round(statistics.median(other_s) / statistics.median(ours_s), 2),
        f"times_{other}_by_round": [round(b / a, 2) for a, b in zip(ours_s, other_s, strict=True)],
    }


def _print(line: dict[str, Any]) -> None:
    print(f"{line['system']:>6} {line['seconds']:8.1f} s {line['realtime']:8.1f} x real time", end="")
    print(f" {line['peak_mb']:8.0f} MB at most {line['tokens']:6} tokens written", end="")
    print(f"   {line['geometry']} model of {line['parameters']:,} parameters, {line['dtype']} on {line['device']}")
    for other in SYSTEMS[1:]:
        if (times := line.get(f"times_{other}")) is not None:
            print(f"       {times} times as fast as {other}; by round {line[f'times_{other}_by_round']}")


if __name__ == "__main__":
    main()
