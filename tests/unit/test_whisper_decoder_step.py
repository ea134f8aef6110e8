"""Whisper's step that a card replays, on a CPU: against the one that CPUs take, and with CUDA's calls recorded."""

import weakref
from pathlib import Path

import pytest
import torch
import whisper
from torch import Tensor

from pipeline.types import Options
from tests.recorded_cuda import RecordedCuda
from workers.audio.audio_file import SAMPLE_RATE_HZ, load
from workers.cuda_graph import WARM_UP
from workers.precision import FP32
from workers.whisper import beam, decoding
from workers.whisper.batch_transcriber import BatchTranscriber, DecodingOptions
from workers.whisper.decoding import Decoded
from workers.whisper.inference import decoder_step, kv_cache
from workers.whisper.inference.decoder import Decoder, DecoderState
from workers.whisper.inference.kv_cache import TensorCache
from workers.whisper.windows import WindowingOptions, windows


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
