"""The calls of `torch.cuda` that record a graph, written down on a machine without a card."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from workers.cuda_graph import Graph


class RecordedCuda:
    """What stands for `torch.cuda`: it tells what was asked, and replays by calling once more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refuses: str = "") -> None:
        self.calls: list[str] = []
        self.refuses = refuses
        self.streams = 0
        monkeypatch.setattr(Graph, "can_record", True)
        monkeypatch.setattr(Graph, "stream", None)
        for name in ("Stream", "CUDAGraph", "graph", "stream", "current_stream"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))

    def Stream(self) -> "RecordedCuda":  # noqa: N802
        self.streams += 1
        return self

    def CUDAGraph(self) -> "RecordedCuda":  # noqa: N802
        return self

    def current_stream(self) -> "RecordedCuda":
        return self

    def wait_stream(self, other: "RecordedCuda") -> None:
        self.calls.append("wait")

    @contextmanager
    def stream(self, stream: "RecordedCuda") -> Iterator[None]:
        self.calls.append("aside")
        yield

    @contextmanager
    def graph(self, graph: "RecordedCuda", **options: Any) -> Iterator[None]:
        assert options == {"stream": self, "capture_error_mode": "thread_local"}
        self.calls.append("record")
        if self.refuses:
            raise RuntimeError(self.refuses)
        yield

    def replay(self) -> None:
        self.calls.append("replay")
