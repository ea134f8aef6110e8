"""Both legs at once on one device: how long the fast one's users wait, and how long it all takes.

    python -m tests.benchmarks.sharing

Two processes as the pools are, a Whisper and a Voxtral with random weights, each with fixed work. With a CUDA
device they have the real geometry (Whisper medium, Voxtral Mini), and on a CPU if asked for (`--geometry real
--whisper base`), otherwise they are scaled down. The fast one
hears batches of windows, one after the other; the slow one hears a section and answers. They run alone, then
together: without any order, with a lower scheduling priority for the slow one (`nice`), and with turns, which is
what the pools do.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # a waiting thread must not take another's core

WAYS = ("nothing", "nice", "turns")
DEVICE_ID = "benchmark"


class Leg:
    """One leg's process: it loads, waits to be told, works, and tells its figures."""

    def __init__(self, name: str, way: str, arguments: list[str], broker: str) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.sharing", *arguments, "--leg", name, "--way", way]
        if way == "nice" and name == "slow":
            command = ["nice", "-n", "19", *command]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"DUET_BROKER_URL": broker},
        )
        self._read()

    def start(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def figures(self) -> dict[str, Any]:
        found = self._read()
        self._process.wait()
        return found

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the leg ended before its end"
        found: dict[str, Any] = json.loads(line)
        return found


def run(arguments: list[str], broker: str, way: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Run legs at once and return their figures and the time until both are done."""
    legs = {name: Leg(name, way, arguments, broker) for name in names}
    began = time.perf_counter()
    for leg in legs.values():
        leg.start()
    figures = {name: leg.figures() for name, leg in legs.items()}
    return figures | {"seconds": max(figures[name]["ended"] for name in names) - _wall(began)}


def _wall(began: float) -> float:
    return time.time() - (time.perf_counter() - began)


def work(args: argparse.Namespace) -> None:
    """Be a leg."""
    import torch

    from workers.device import choose

    torch.set_num_threads(args.threads)
    place = choose(args.device)
    with tempfile.TemporaryDirectory() as folder:
        step = _fast(place, args) if args.leg == "fast" else _slow(place, args, Path(folder))
    step()  # the first call of anything is slow
    print(json.dumps({}), flush=True)
    sys.stdin.readline()
    times = []
    for _ in range(args.batches if args.leg == "fast" else args.sections):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    print(json.dumps({"times": times, "ended": time.time()}), flush=True)


def _turns(args: argparse.Namespace) -> Any:
    from workers.memory.device_priority import DevicePriority, NoDevicePriority

    return DevicePriority(DEVICE_ID) if args.way == "turns" else NoDevicePriority()


def _fast(place: Any, args: argparse.Namespace) -> Any:
    from pipeline.types import Options
    from tests.benchmarks.random_whisper import noise_windows, random_engine

    engine = random_engine(place, args.whisper, args.batch, _turns(args), is_real=args.geometry == "real")
    windows = noise_windows(args.batch)
    return lambda: list(engine.finished(iter(windows), Options(language="en")))


def _slow(place: Any, args: argparse.Namespace, folder: Path) -> Any:
    from tests.benchmarks import voxtral_systems as benchmark
    from tests.voxtral_sound import noise

    if args.geometry == "real":
        model = benchmark.load_real(place, folder)
    else:
        model = benchmark.load(place, folder, args.hidden, args.layers, args.threads)
    model.priority = _turns(args)
    samples = noise(args.section_s)

    def step() -> None:
        listening = model.start_conversation([model.encode_audio(samples)])
        listening.ask("What is this about?", args.tokens)

    return step


@contextmanager
def _broker() -> Iterator[str]:
    from tests.services import start_valkey

    with tempfile.TemporaryDirectory() as folder, start_valkey(Path(folder)) as url:
        yield url


def measure(arguments: list[str], ways: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return a line for each way: latency of the fast leg, makespan, both against what they are alone."""
    with ExitStack() as stack:
        broker = stack.enter_context(_broker())
        fast = run(arguments, broker, "nothing", ("fast",))
        slow = run(arguments, broker, "nothing", ("slow",))
        lines = [_line("alone", fast["fast"]["times"], 0.0, fast["seconds"], slow["seconds"], None)]
        for way in ways:
            both = run(arguments, broker, way, ("fast", "slow"))
            slow_ended = both["slow"]["ended"]
            beside = both["fast"]["times"]
            lines.append(_line(way, beside, both["seconds"], fast["seconds"], slow["seconds"], lines[0]))
            lines[-1]["slow_ended_after_fast_s"] = round(slow_ended - both["fast"]["ended"], 2)
    return lines


def _line(
    way: str, times: list[float], both_s: float, fast_s: float, slow_s: float, alone: dict[str, Any] | None
) -> dict[str, Any]:
    p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    line = {"way": way, "p50_s": round(p50, 3), "p95_s": round(p95, 3)}
    if alone is None:
        return line | {"fast_s": round(fast_s, 2), "slow_s": round(slow_s, 2)}
    return line | {
        "p50_of_alone": round(p50 / alone["p50_s"], 2),
        "p95_of_alone": round(p95 / alone["p95_s"], 2),
        "makespan_s": round(both_s, 2),
        "of_sum": round(both_s / (fast_s + slow_s), 2),
        "of_longer": round(both_s / max(fast_s, slow_s), 2),
    }


def parser() -> argparse.ArgumentParser:
    """Return what the command line takes."""
    known = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    known.add_argument("--device", default="auto")
    known.add_argument("--whisper", default="medium", help="its geometry")
    known.add_argument("--geometry", choices=("real", "scaled"), default="scaled", help="of both models on a CPU")
    known.add_argument("--batch", type=int, default=4, help="windows in a batch of the fast leg")
    known.add_argument("--batches", type=int, default=20)
    known.add_argument("--sections", type=int, default=4)
    known.add_argument("--section-s", type=float, default=300.0)
    known.add_argument("--tokens", type=int, default=200, help="of each answer")
    known.add_argument("--hidden", type=int, default=64, help="width of Voxtral's encoder on a CPU")
    known.add_argument("--layers", type=int, default=4, help="depth of both of its halves on a CPU")
    known.add_argument("--threads", type=int, default=2)
    known.add_argument("--ways", default=",".join(WAYS), help="which orders to try")
    known.add_argument("--json", action="store_true", help="print a line of JSON for each way")
    known.add_argument("--leg", choices=("fast", "slow"), help=argparse.SUPPRESS)
    known.add_argument("--way", choices=WAYS, default="nothing", help=argparse.SUPPRESS)
    return known


def main() -> None:
    """Measure, and print a table."""
    args = parser().parse_args()
    if args.leg:
        work(args)
        return
    lines = measure(sys.argv[1:], tuple(args.ways.split(",")))
    for line in lines:
        print(json.dumps(line) if args.json else "  ".join(f"{name} {value}" for name, value in line.items()))


if __name__ == "__main__":
    main()
