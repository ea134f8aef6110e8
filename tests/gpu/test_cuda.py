"""Both engines and the plan on a real card; skipped without one. Weights are real for Whisper base, else random.

Each test that limits this process's memory gives it back.
"""

from collections.abc import Iterator
from pathlib import Path

import jiwer
import pytest
import torch

from pipeline.types import Options
from tests import voxtral_checkpoint
from tests.benchmarks.random_whisper import noise_windows, random_engine
from tests.benchmarks.voxtral_systems import load_real
from tests.voxtral_sound import noise
from workers.cuda_graph import Graph
from workers.device import ComputeDevice, choose, identity
from workers.memory import cards, reservation
from workers.memory.activations import ANSWER_TOKENS, QUESTIONS_AT_ONCE, voxtral_bytes, whisper_bytes
from workers.memory.geometry import MINI, voxtral_geometry, whisper_geometry
from workers.memory.plan import SLACK, WhisperAllocation
from workers.memory.request import NoRoomError
from workers.voxtral import device_loading, generation, kv_cache, quantize
from workers.voxtral.generation import Request
from workers.weights import voxtral as voxtral_weights
from workers.weights.whisper import load_whisper
from workers.whisper import WhisperEngine
from workers.whisper.language import LanguageDetector

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.xdist_group("cuda"),
]
ENGLISH = Options(language="en")


@pytest.fixture
def card() -> Iterator[ComputeDevice]:
    place = choose("cuda:0")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(place.device)
    yield place
    torch.cuda.set_per_process_memory_fraction(1.0, place.device)
    torch.cuda.empty_cache()


def test_whisper_hears_on_a_card_what_it_hears_on_a_cpu(
    card: ComputeDevice, whisper_base: Path, episodes: dict[str, Path]
) -> None:
    heard = []
    for device in (torch.device("cpu"), card.device):
        engine = WhisperEngine(load_whisper(str(whisper_base), device), "base")
        heard.append(engine.transcribe(episodes["corner-shop"], ENGLISH, lambda done_s, total_s: None).text)
    assert jiwer.wer(heard[0], heard[1]) < 0.03


def test_recorded_steps_say_what_steps_launched_one_by_one_do(
    card: ComputeDevice, whisper_base: Path, episodes: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = WhisperEngine(load_whisper(str(whisper_base), card.device), "base")
    heard = []
    for can_record in (True, False):
        monkeypatch.setattr(Graph, "can_record", can_record)
        heard.append(engine.transcribe(episodes["corner-shop"], ENGLISH, lambda done_s, total_s: None).text)
        assert Graph.can_record == can_record, "the card refused to record"
    assert jiwer.wer(heard[0], heard[1]) < 0.01


@pytest.mark.parametrize("batch", [1, 8, 16])
def test_whisper_medium_takes_what_the_plan_says(card: ComputeDevice, batch: int) -> None:
    engine = random_engine(card, "medium", batch)
    torch.cuda.reset_peak_memory_stats(card.device)
    list(engine.finished(iter(noise_windows(batch)), ENGLISH))
    geometry = whisper_geometry("medium")
    planned = 2 * geometry.parameters + whisper_bytes(geometry, "fp16", batch)
    assert 0.9 * planned <= torch.cuda.max_memory_allocated(card.device) <= 1.1 * planned


def test_a_process_gets_no_more_than_its_share_and_goes_on_with_less_at_once(card: ComputeDevice) -> None:
    # Given a share with room for the weights and half of the batch
    engine = random_engine(card, "medium", 8)
    geometry = whisper_geometry("medium")
    share = WhisperAllocation(
        "medium", "fp16", 2 * geometry.parameters, int(1.2 * whisper_bytes(geometry, "fp16", 4)), 8
    )
    reservation.limit(card, share)

    # When a batch of eight is heard
    windows = [(window, str(window.start_s)) for window in noise_windows(8)]
    heard = engine._hear(windows, LanguageDetector(ENGLISH), ENGLISH)

    # Then all are, in smaller batches, within the share
    assert len(heard) == 8
    assert engine.batch_limit.size == 4
    assert torch.cuda.max_memory_reserved(card.device) <= share.allocated_bytes * 1.02


def test_a_share_that_is_taken_is_refused(card: ComputeDevice) -> None:
    total_bytes = int(cards.of(card).total_bytes)
    with pytest.raises(NoRoomError, match="GiB are free"):
        reservation.check_room(card, WhisperAllocation("huge", "fp16", total_bytes, total_bytes, 1))


def test_a_card_is_found_by_its_uuid(card: ComputeDevice) -> None:
    assert choose(identity(card.device)) == card


@pytest.mark.parametrize("bits", [None, "int8", "nf4"])
def test_voxtral_answers_on_a_card(card: ComputeDevice, tmp_path: Path, bits: quantize.Quantize | None) -> None:
    folder = voxtral_checkpoint.build(tmp_path, hidden=64)
    voxtral = device_loading.load(voxtral_weights.check(folder), card, bits)
    (answer,) = voxtral.start_conversation([voxtral.encode_audio(noise(40))]).ask("What is this about?", 8)
    assert answer.tokens


def test_voxtral_answers_the_same_recorded_launched_and_without_fixed_addresses(
    card: ComputeDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a model in float32, so that ways which round in another order have the same tokens, and little room
    monkeypatch.setattr(kv_cache, "_ROOM_TOKENS", 32)
    folder = voxtral_checkpoint.build(tmp_path, seed=6)
    voxtral = device_loading.load(voxtral_weights.check(folder), ComputeDevice(card.device, torch.float32))
    conversation = voxtral.start_conversation([voxtral.encode_audio(noise(40 + seed, seed)) for seed in range(2)])
    requests = [Request(tuple(voxtral.question(text)), 100) for text in ("What?", "Who speaks, and to whom?")]

    # When it answers in each way
    found = []
    for can_record in (True, False):
        monkeypatch.setattr(Graph, "can_record", can_record)
        found.append(sorted(conversation.answers(requests), key=lambda one: one[:2]))
        assert Graph.can_record == can_record, "the card refused to record"
    monkeypatch.setattr(generation, "answer_step", lambda answers: answers.step)
    found.append(sorted(conversation.answers(requests), key=lambda one: one[:2]))

    # Then the answers are the same
    assert found[0] == found[1] == found[2]


def test_recorded_answers_of_voxtral_take_what_the_plan_says(card: ComputeDevice, tmp_path: Path) -> None:
    # Given Voxtral Mini, warm, and a section so short that answers take most of its memory
    voxtral = load_real(card, tmp_path)
    samples = noise(30)
    voxtral.start_conversation([voxtral.encode_audio(samples)]).ask("What?", 8)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(card.device)
    before = torch.cuda.memory_allocated(card.device)

    # When it answers two questions with as many tokens as are reserved
    conversation = voxtral.start_conversation([voxtral.encode_audio(samples)])
    asked = Request((1,) * 512, ANSWER_TOKENS - 512)
    found = list(conversation.answers([asked] * QUESTIONS_AT_ONCE))

    # Then the plan says what that took, recordings included
    assert [len(answer.tokens) for _, _, answer in found] == [asked.max_new_tokens] * QUESTIONS_AT_ONCE
    taken = torch.cuda.max_memory_allocated(card.device) - before
    planned = voxtral_bytes(voxtral_geometry(MINI), cards.of(card).voxtral_precision, 30, 1, "cuda")
    assert 0.9 * planned <= taken <= SLACK * planned
