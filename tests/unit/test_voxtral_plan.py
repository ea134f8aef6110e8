"""How long sections are on which card, and whether model and audio fit it."""

import pytest
import torch

from pipeline.types import Options
from workers.device import Place
from workers.voxtral import plan, questions
from workers.voxtral.model import CONTEXT_TOKENS, TOKENS_PER_CHUNK

CPU = Place(torch.device("cpu"), torch.float32)
T4 = Place(torch.device("cuda:0"), torch.float16)
AMPERE = Place(torch.device("cuda:0"), torch.bfloat16)
PARAMETERS = 4_676_271_104
FULL = 2 * PARAMETERS
WHISPER_MEDIUM_GIB = 1.42, 2.85
"""In 16 and in 32 bits, where the fast leg's pool is loaded first."""


@pytest.mark.parametrize(
    ("card", "place", "usable_gib", "expected_s"),
    [
        ("T4", T4, 14.6, 600),
        ("L4", AMPERE, 22.0, 1500),
        ("A10G", AMPERE, 22.1, 1500),
        ("RTX 4090", AMPERE, 23.5, 1500),
        ("A100-40", AMPERE, 39.4, 1500),
        ("A100-80", AMPERE, 79.2, 1500),
        ("H100", AMPERE, 79.1, 1500),
        ("H200", AMPERE, 139.7, 1500),
    ],
)
def test_a_section_is_as_long_as_the_card_allows(card: str, place: Place, usable_gib: float, expected_s: float) -> None:
    assert plan.section_s(place, usable_gib * plan.GIB, FULL) == expected_s, card
    for whisper_gib in WHISPER_MEDIUM_GIB:
        free_bytes = (usable_gib - whisper_gib) * plan.GIB
        beside_s = plan.section_s(place, free_bytes, FULL)
        assert beside_s == expected_s, f"{card} beside Whisper"
        assert plan.needed_bytes(place, FULL, beside_s) <= free_bytes


def test_sections_are_whole_chunks_that_fit_where_there_is_less_room() -> None:
    last_s = 0.0
    for tenth_gib in range(90, 300):
        free_bytes = tenth_gib / 10 * plan.GIB
        section_s = plan.section_s(T4, free_bytes, FULL)
        assert section_s % 30 == 0
        assert 30 <= last_s <= section_s <= 1500 or last_s == 0
        fits = plan.needed_bytes(T4, FULL, section_s) <= free_bytes
        assert fits or section_s == 30, "less than a chunk is left to `shortage`"
        last_s = section_s


def test_a_cpu_hears_ten_minutes() -> None:
    assert plan.section_s(CPU, 10**15, FULL) == plan.section_s(CPU, 0, FULL) == 600


def test_the_longest_section_leaves_room_for_every_answer() -> None:
    asked = questions.about_sections(Options(questions=("Who?",), voxtral_transcription=True), plan.LONGEST_S)
    audio_tokens = plan.LONGEST_S / 30 * TOKENS_PER_CHUNK
    for question in asked:
        assert audio_tokens + len(question.text.encode()) + question.room_tokens < CONTEXT_TOKENS


def test_the_memory_that_a_section_needs() -> None:
    full_gib = plan.needed_bytes(T4, FULL, 600) / plan.GIB
    assert full_gib == pytest.approx(8.71 + 10 * 137 / 1024 + 1, abs=0.01)


def test_a_model_larger_than_the_machine_is_refused_with_the_figures() -> None:
    has = plan.memory(CPU)
    assert plan.shortage(CPU, has, 434_240 * 4, 600) == ""
    sentence = plan.shortage(CPU, has, 4 * 10**13, 600)
    assert "37256." in sentence  # 10^13 numbers of 4 bytes, in GiB, and the audio
    assert "DUET_VOXTRAL_SECTION_S" in sentence


def test_a_card_with_too_little_room_is_told_of_smaller_weights() -> None:
    sentence = plan.shortage(T4, plan.Memory("Tesla T4", 8 * plan.GIB, 14.6 * plan.GIB), FULL, 30)
    assert sentence.startswith("Voxtral with sections of 30 s needs 9.8 GiB and Tesla T4 has 8.0 of 14.6 GiB free")
    assert "DUET_VOXTRAL_QUANTIZE=nf4" in sentence
