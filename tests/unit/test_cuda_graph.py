"""A CUDA graph of a function, with CUDA's calls recorded."""

import pytest
import torch
from torch import Tensor

from tests.recorded_cuda import RecordedCuda
from workers.cuda_graph import WARM_UP, Graph


class Counted:
    """A function of tensors that stay: it fills the same one each time."""

    def __init__(self) -> None:
        self.calls = 0
        self.result = torch.zeros(1)

    def __call__(self) -> Tensor:
        self.calls += 1
        return self.result.fill_(self.calls)


def test_a_step_is_recorded_once_after_it_was_warm_and_then_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, function = RecordedCuda(monkeypatch), Counted()
    graph = Graph(function)
    for _ in range(WARM_UP + 3):
        assert graph() is function.result
    assert cuda.calls == ["wait", "aside", "wait"] * WARM_UP + ["record", "replay", "replay", "replay"]
    assert function.calls == WARM_UP + 1


def test_recordings_share_a_stream_because_libraries_keep_memory_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = RecordedCuda(monkeypatch)
    for _ in range(3):
        Graph(Counted())()
    assert cuda.streams == 1


def test_where_cuda_cannot_record_steps_are_launched_one_by_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a card that refuses
    cuda = RecordedCuda(monkeypatch, refuses="operation not permitted when stream is capturing")
    # When two batches are decoded
    for function in (Counted(), Counted()):
        graph = Graph(function)
        results = [float(graph()) for _ in range(WARM_UP + 2)]
        # Then every step is done
        assert results == list(range(1, WARM_UP + 3))
    # And it was tried once, and told once
    assert cuda.calls.count("record") == 1
    assert len(caplog.records) == 1
    assert "not permitted" in caplog.text


def test_memory_that_runs_out_while_recording_is_no_reason_to_record_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    RecordedCuda(monkeypatch, refuses="CUDA error: out of memory")
    graph = Graph(Counted())
    for _ in range(WARM_UP):
        graph()
    with pytest.raises(RuntimeError, match="out of memory"):
        graph()
    assert Graph.can_record
