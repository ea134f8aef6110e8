"""Every figure that needs a card, in one command of at most ten minutes, without network or weights.

    python -m tests.benchmarks.gpu

Real geometry with random weights: this measures speed and memory, never quality. Each measurement runs in a
process of its own, so that its peak is its own; one that fails or takes too long is said to be missing and the
others go on. The table comes last. Without a CUDA device everything is scaled down: the figures then mean
nothing, but the code is known to run.
"""

import argparse
import json
import subprocess
import sys
import time
from typing import Any

from rich.console import Console
from rich.table import Table

WHISPERS = ("medium", "large-v3", "turbo")
BATCHES = (1, 4, 8, 16, 32, 64)
BUDGET_S = 570.0
"""A lease of ten minutes, less what starting takes."""


def whisper_jobs(is_cuda: bool) -> list[tuple[str, list[str]]]:
    """Return what is measured of Whisper: the ways, each size with each batch in one process."""
    names = WHISPERS if is_cuda else WHISPERS[:1]
    return [
        (f"whisper {name} {way}", ["tests.benchmarks.gpu_whisper", "--whisper", name, "--way", way])
        for name in names
        for way in ("ours", "stock", "transformers")
    ]


def jobs(is_cuda: bool) -> list[tuple[str, list[str]]]:
    """Return every measurement and the module with its arguments, what matters most first."""
    small = [] if is_cuda else ["--batches", "4", "--batch", "2", "--sections", "1", "--section-s", "30"]
    minutes = ["--minutes", "10"] if is_cuda else ["--minutes", "1", "--section-s", "60", "--tokens", "4", "4"]
    tokens = [] if is_cuda else ["--tokens", "8"]
    return [
        *whisper_jobs(is_cuda)[:3],
        ("both at once", ["tests.benchmarks.sharing", "--json", *small, *tokens]),
        ("voxtral", ["tests.benchmarks.voxtral", "--json", *minutes]),
        ("voxtral launched", ["tests.benchmarks.voxtral", "--system", "ours", "--launched", *minutes]),
        *whisper_jobs(is_cuda)[3:],
    ]


def run(arguments: list[str], device: str, left_s: float) -> list[dict[str, Any]]:
    """Run one measurement and return the JSON objects that it printed; one with `error` where it failed."""
    command = [sys.executable, "-m", *arguments, "--device", device]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=left_s)
    except subprocess.TimeoutExpired:
        return [{"error": f"not done after {left_s:.0f} s"}]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode:
        lines.append({"error": (done.stderr.strip().splitlines() or ["no message"])[-1]})
    return lines


def table(rows: list[tuple[str, dict[str, Any]]], title: str) -> Table:
    """Return everything that was measured, a line each."""
    grid = Table(title=title, title_justify="left", box=None, pad_edge=False)
    grid.add_column("what", no_wrap=True)
    grid.add_column("figures", overflow="fold")
    for name, figures in rows:
        shown = "  ".join(f"{key} {_short(value)}" for key, value in figures.items())
        grid.add_row(name, shown, style="red" if "error" in figures else "")
    return grid


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Measure it all, printing each line of JSON as it comes and the table last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--budget-s", type=float, default=BUDGET_S)
    args = parser.parse_args()
    from workers.device import choose, described

    place = choose(args.device)
    began = time.monotonic()
    rows: list[tuple[str, dict[str, Any]]] = []
    for name, arguments in jobs(place.device.type == "cuda"):
        left_s = args.budget_s - (time.monotonic() - began)
        found = run(arguments, args.device, left_s) if left_s > 0 else [{"error": "no time was left"}]
        for figures in found:
            rows.append((name, figures))
            print(json.dumps({"what": name} | figures), flush=True)
    title = f"{described(place.device)}, random weights, {time.monotonic() - began:.0f} s"
    Console(width=160).print(table(rows, title))


if __name__ == "__main__":
    main()
