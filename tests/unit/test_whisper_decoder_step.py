"""The step that a card replays, on a CPU: against the one that CPUs take, and with CUDA's calls recorded."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import whisper
from torch import Tensor

from pipeline.types import Options
from workers.audio.audio_file import SAMPLE_RATE_HZ, load
from workers.precision import FP32
from workers.whisper import beam, decoding
from workers.whisper.batch_transcriber import BatchTranscriber, DecodingOptions
from workers.whisper.decoding import Decoded
from workers.whisper.inference import decoder_step, kv_cache
from workers.whisper.inference.decoder import Decoder, DecoderState
from workers.whisper.inference.decoder_step import WARM_UP, Graph
from workers.whisper.inference.kv_cache import TensorCache
from workers.whisper.windows import WindowingOptions, windows


class RecordedCuda:
    """What stands for `torch.cuda`: it tells what was asked, and replays by calling once more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refuses: str = "") -> None:
        self.calls: list[str] = []
        self.refuses = refuses
        monkeypatch.setattr(Graph, "can_record", True)
        for name in ("Stream", "CUDAGraph", "graph", "stream", "current_stream"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))

    def Stream(self) -> "RecordedCuda":  # noqa: N802
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


@pytest.fixture
def transcriber(whisper_base: Path, monkeypatch: pytest.MonkeyPatch) -> BatchTranscriber:
    """Whisper base, exact, with the caches of a card."""

    def make(kind: str, rows: int, heads: int, positions: int, depth: int, device: torch.device) -> TensorCache:
        return TensorCache(torch.float32, rows, heads, positions, depth, device)

    monkeypatch.setattr(kv_cache, "make", make)
    return BatchTranscriber(whisper.load_model(str(whisper_base), device="cpu"), FP32, DecodingOptions())


@pytest.fixture
def features(transcriber: BatchTranscriber, episodes: dict[str, Path]) -> list[Tensor]:
    """Of three windows of different lengths."""
    speech = load(episodes["garden-hour"])[: 40 * SAMPLE_RATE_HZ]
    return transcriber.encode(list(windows([speech], WindowingOptions()))[:3], silence_s=1.0)


def as_on_a_card(decoder: Decoder, state: DecoderState) -> decoder_step.Step:
    static = decoder_step.StaticStep(decoder, state)
    return static.through(static.logits)


def test_the_step_of_a_card_says_token_for_token_what_the_other_does(
    transcriber: BatchTranscriber, features: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = transcriber.prompt("en", Options(vocabulary=("Dharmesh Shah",)))

    def decoded() -> list[Decoded]:
        return decoding.decode(transcriber.decoder, prompt, DecoderState(transcriber.decoder, features))

    # Given windows that end at different steps, so that fewer and fewer go on
    one_by_one = decoded()
    assert len({len(one.tokens) for one in one_by_one}) > 1

    monkeypatch.setattr(decoding, "decoder_step", as_on_a_card)

    static = decoded()
    assert [one.tokens for one in static] == [one.tokens for one in one_by_one]
    assert [one.avg_logprob for one in static] == pytest.approx([one.avg_logprob for one in one_by_one], abs=1e-4)


def test_the_step_of_a_card_follows_the_same_beams(
    transcriber: BatchTranscriber, features: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = transcriber.prompt("en", Options())
    one_by_one = beam.search(transcriber.decoder, prompt, features[:2], beams=3)

    monkeypatch.setattr(beam, "decoder_step", as_on_a_card)

    static = beam.search(transcriber.decoder, prompt, features[:2], beams=3)
    assert [one.tokens for one in static] == [one.tokens for one in one_by_one]


def test_a_cuda_device_gets_the_recorded_step_and_what_a_batch_held_goes_with_it(
    transcriber: BatchTranscriber, features: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a decoder that is said to be on a card, whose calls are recorded
    cuda = RecordedCuda(monkeypatch)
    state = DecoderState(transcriber.decoder, features)
    prepared = [decoder_step.StaticStep(transcriber.decoder, state)]
    monkeypatch.setattr(decoder_step, "StaticStep", lambda decoder, state: prepared.pop())
    monkeypatch.setattr(transcriber.decoder, "device", torch.device("cuda"))
    step = decoder_step.decoder_step(transcriber.decoder, state)
    monkeypatch.setattr(transcriber.decoder, "device", torch.device("cpu"))

    # When a text goes on
    with torch.inference_mode():
        for position in range(WARM_UP + 2):
            logits = step(torch.zeros(2, dtype=torch.long), position, [0, 2])
            assert logits.shape[0] == 2
    assert (cuda.calls.count("record"), cuda.calls.count("replay")) == (1, 2)

    # Then nothing of it stays when the batch is done: no cycle keeps its caches for the collector
    caches = weakref.ref(state)
    del step, state
    assert caches() is None
