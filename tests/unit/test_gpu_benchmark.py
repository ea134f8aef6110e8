"""The benchmark for cards runs on a machine without one, scaled down."""

import io

import torch
from rich.console import Console

from tests.benchmarks import gpu, gpu_whisper
from workers.device import ComputeDevice

CPU = ComputeDevice(torch.device("cpu"), torch.float32)


def test_whisper_is_measured() -> None:
    (figures,) = gpu_whisper.ours(CPU, "medium", (1,))
    assert figures["batch"] == 1
    assert figures["realtime"] > 0


def test_what_fails_is_said_and_the_rest_goes_on() -> None:
    (figures,) = gpu.run(["tests.benchmarks.nothing"], "cpu", 60.0)
    assert "No module named" in figures["error"]
    out = io.StringIO()
    Console(file=out, width=160).print(gpu.table([("nothing", figures), ("ours", {"realtime": 12.345})], "cpu"))
    assert "realtime 12.3" in out.getvalue()


def test_everything_the_table_promises_is_measured() -> None:
    names = [name for name, _ in gpu.jobs(is_cuda=True)]
    assert len(names) == 12
    assert {
        "both at once",
        "voxtral",
        "voxtral launched",
        "whisper large-v3 stock",
        "whisper turbo transformers",
    } <= set(names)
