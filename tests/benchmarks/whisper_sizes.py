"""Time and memory of every size of Whisper on this CPU, beside what the memory plan says of them.

    python -m tests.benchmarks.whisper_sizes --sizes tiny,base,small,medium,large-v3,turbo

Each size is a checkpoint of random weights at the real geometry, in 16 bits as published, which a process of its own
loads as the pool does (`load_transcriber`). It transcribes one window to warm up, and then as many full batches as a
CPU works on at once, of windows of 30 s with 120 tokens each. None is decoded a second time. The peak is measured
twice: while the model is loaded, and while it works. Both are compared with the whole share of the plan. The
processor's seconds of a window depend less than its wall time on what else the machine does.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from typing import Any

from pipeline.messaging.commands import ARITHMETIC
from pipeline.settings import settings

SIZES = "tiny,base,small,medium,large-v3,turbo"
COLUMNS = (
    "size",
    "precision",
    "millions",
    "batch",
    "window_s",
    "processor_s",
    "realtime",
    "loading_peak_mb",
    "loaded_mb",
    "working_peak_mb",
    "planned_mb",
    "loading_of_plan",
    "working_of_plan",
)


def write(name: str) -> None:
    """Write the checkpoint of a size where the product looks for it."""
    import torch

    from tests.benchmarks.random_whisper import random_model
    from workers.device import choose

    model = random_model(choose("cpu"), name, is_real=True).half()
    target = settings().cache_dir / "whisper" / f"{name}.pt"
    target.parent.mkdir(parents=True)
    torch.save({"dims": asdict(model.dims), "model_state_dict": model.state_dict()}, target)


def measure(name: str, batch: int | None) -> dict[str, Any]:
    """Load a size and transcribe with it in this process; return its figures."""
    from pipeline.types import Options
    from tests.benchmarks.random_whisper import CARE, WINDOW_S, noise_windows
    from tests.benchmarks.resident_memory import MIB, now_mb, peak_mb, reset_peak
    from workers.memory.geometry import whisper_geometry
    from workers.memory.plan import whisper_allocation
    from workers.memory.request import plan_request
    from workers.whisper.engine import WhisperEngine
    from workers.whisper.loading import load_transcriber

    imported_mb = now_mb()
    engine = load_transcriber(settings())
    assert isinstance(engine, WhisperEngine)
    loading_peak_mb, loaded_mb = peak_mb(), now_mb()
    reset_peak()
    engine.transcriber.decoding_options = CARE
    engine.batch_limit.size = batch or engine.batch_limit.size
    request = plan_request(settings())
    share = whisper_allocation(request.card, request.whisper, engine.batch_limit.size)
    count = engine.parallel_batches * engine.batch_limit.size
    results = engine.finished(iter(noise_windows(1 + count)), Options(language="en"))
    next(results)  # the first call of anything is slow
    began, processor_began = time.perf_counter(), time.process_time()
    assert len(list(results)) == count
    window_s = (time.perf_counter() - began) / count
    processor_s = (time.process_time() - processor_began) / count
    planned_mb = share.bytes // MIB
    return {
        "size": name,
        "precision": engine.transcriber.precision.name,
        "millions": round(whisper_geometry(name).parameters / 1e6),
        "batch": engine.batch_limit.size,
        "parallel_batches": engine.parallel_batches,
        "window_s": round(window_s, 2),
        "processor_s": round(processor_s, 2),
        "realtime": round(WINDOW_S / window_s, 2),
        "imported_mb": imported_mb,
        "loading_peak_mb": loading_peak_mb,
        "loaded_mb": loaded_mb,
        "working_peak_mb": peak_mb(),
        "planned_weights_mb": share.weights_bytes // MIB,
        "planned_mb": planned_mb,
        "loading_of_plan": round(loading_peak_mb / planned_mb, 2),
        "working_of_plan": round(peak_mb() / planned_mb, 2),
    }


def figures_of(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of a size, from processes of its own."""
    with tempfile.TemporaryDirectory(prefix="duet-sizes-") as folder:
        own = {"DUET_CACHE_DIR": folder, "DUET_WHISPER_MODEL": name, "DUET_VOXTRAL": "off", "DUET_DEVICE": "cpu"}
        command = [sys.executable, "-m", "tests.benchmarks.whisper_sizes", "--sizes", name]
        if args.batch:
            command += ["--batch", str(args.batch)]
        for step in ("write", "measure"):
            done = subprocess.run(
                [*command, "--step", step],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                env=ARITHMETIC | os.environ | own,
            )
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    """Measure each size in turn, and print a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", default=SIZES)
    parser.add_argument("--batch", type=int, help="windows in a batch; default: what the plan gives")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each size")
    parser.add_argument("--step", choices=("write", "measure"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step == "write":
        write(args.sizes)
    elif args.step == "measure":
        print(json.dumps(measure(args.sizes, args.batch)))
    else:
        _print(args)


def _print(args: argparse.Namespace) -> None:
    if not args.json:
        print("  ".join(COLUMNS))
    for name in args.sizes.split(","):
        figures = figures_of(name, args)
        cells = (str(figures[column]).rjust(len(column)) for column in COLUMNS)
        print(json.dumps(figures) if args.json else "  ".join(cells), flush=True)


if __name__ == "__main__":
    main()
