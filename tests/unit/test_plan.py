"""What each pool gets of which card, and what is said where it does not fit."""

from itertools import pairwise

import pytest
import torch
import whisper
from whisper.model import AudioEncoder, TextDecoder

from pipeline.errors import SettingsError, WeightsError
from pipeline.settings import Settings
from pipeline.types import Context, Options
from workers.device import GIB
from workers.memory import cards
from workers.memory.activations import NUMBER_BYTES, whisper_bytes
from workers.memory.alternatives import smaller
from workers.memory.cards import CARDS, Card
from workers.memory.geometry import MINI, SMALL, voxtral_geometry, whisper_dimensions, whisper_geometry
from workers.memory.plan import LONGEST_S, STEPS, Plan, plan
from workers.memory.request import NoRoomError, plan_request
from workers.voxtral import prompts
from workers.voxtral.context_prompt import MOST_CHARACTERS, MOST_NAMES, MOST_TITLE, with_context
from workers.voxtral.model import CONTEXT_TOKENS, TOKENS_PER_CHUNK
from workers.whisper.inference.parallel import parallel_batches_of

T4 = CARDS["t4"]


def planned(card: Card, whisper_name: str = "medium", voxtral: str | None = MINI, bits: str | None = None) -> Plan:
    return plan(card, whisper_geometry(whisper_name), voxtral_geometry(voxtral) if voxtral else None, bits)


@pytest.mark.parametrize("name", whisper.available_models())
def test_every_whisper_has_the_published_number_of_parameters(name: str) -> None:
    # openai-whisper's model card: 39, 74, 244, 769, 1550 and 809 million, rounded
    size = "turbo" if "turbo" in name else name.partition(".")[0].partition("-")[0]
    published = {"tiny": 39e6, "base": 74e6, "small": 244e6, "medium": 769e6, "large": 1550e6, "turbo": 809e6}
    assert whisper_geometry(name).parameters == pytest.approx(published[size], rel=0.05)


def test_whisper_base_is_counted_as_its_weights_are(whisper_base: object) -> None:
    assert whisper_geometry(str(whisper_base)) == whisper_geometry("base")


@pytest.mark.parametrize("name", ["tiny", "base.en", "medium", "large-v3", "turbo"])
def test_every_whisper_is_counted_as_its_layers_are(name: str) -> None:
    it = whisper_dimensions(name)
    with torch.device("meta"):
        encoder = AudioEncoder(it.n_mels, it.n_audio_ctx, it.n_audio_state, it.n_audio_head, it.n_audio_layer)
        decoder = TextDecoder(it.n_vocab, it.n_text_ctx, it.n_text_state, it.n_text_head, it.n_text_layer)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    assert whisper_geometry(name).parameters == sum(parameter.numel() for parameter in parameters)


@pytest.mark.parametrize(("model", "billions"), [(MINI, 4.676), (SMALL, 24.26)])
def test_both_voxtrals_have_their_number_of_parameters(model: str, billions: float) -> None:
    assert voxtral_geometry(model).parameters / 1e9 == pytest.approx(billions, abs=0.01)


def test_a_whisper_that_nobody_knows_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"DUET_WHISPER_MODEL='gigantic' is neither a file nor one of tiny.en"):
        whisper_geometry("gigantic")


@pytest.mark.parametrize(
    ("card", "batch", "section_s", "rows"),
    [
        ("t4", 6, 600, 1),
        ("l4", 16, 1140, 2),
        ("a10g", 16, 1140, 2),
        ("a100", 32, 1500, 4),
        ("a100-80", 32, 1500, 8),
        ("h100", 32, 1500, 8),
        ("h200", 32, 1500, 8),
    ],
)
def test_what_a_card_does_at_once_with_whisper_medium_beside_voxtral_mini(
    card: str, batch: int, section_s: float, rows: int
) -> None:
    made = planned(CARDS[card])
    assert made.fits
    assert made.voxtral is not None
    assert (made.whisper.batch, made.voxtral.section_s, made.voxtral.rows) == (batch, section_s, rows)


def test_a_t4_computes_in_16_bits_that_it_has() -> None:
    made = planned(T4)
    assert made.voxtral is not None
    assert (made.whisper.precision, made.voxtral.precision) == ("fp16", "fp16")
    assert planned(CARDS["l4"]).voxtral.precision == "bf16"  # type: ignore[union-attr]


def test_the_plan_that_was_once_made_by_hand_for_a_t4_is_not_undercut() -> None:
    # Given 15 GB, of which Whisper medium got 2.5 and Voxtral Mini 9.6
    made = planned(cards.named("15GB"))

    # Then both get at least that much for their tensors, and the processes' own overhead fits as well
    assert made.fits
    assert made.voxtral is not None
    assert made.whisper.allocated_bytes >= 2.5e9
    assert made.voxtral.allocated_bytes >= 9.6e9


@pytest.mark.parametrize("model", ["tiny", "base", "small", "medium", "large-v3", "turbo"])
def test_shares_fit_wherever_it_is_said_so_and_more_memory_never_means_less_work(model: str) -> None:
    before: Plan | None = None
    for gib in range(2, 150, 2):
        made = planned(Card("card", gib * GIB), model)
        assert made.voxtral is not None
        shares = made.whisper.bytes + made.voxtral.bytes
        assert made.fits == (shares <= gib * GIB)
        assert made.voxtral.section_s % 30 == 0
        if before and before.fits:
            assert before.voxtral is not None
            assert made.fits
            assert made.whisper.batch * made.voxtral.section_s * made.voxtral.rows >= (
                before.whisper.batch * before.voxtral.section_s * before.voxtral.rows
            )
        before = made


def test_the_longest_section_leaves_room_for_every_answer() -> None:
    most = Context("語" * MOST_TITLE, "語" * MOST_TITLE, ("語" * (MOST_CHARACTERS // MOST_NAMES),) * MOST_NAMES)
    options = Options(questions=("Who?",), second_opinion="full")
    asked = [with_context(question, most) for question in prompts.about_sections(options, LONGEST_S)]
    audio_tokens = LONGEST_S / 30 * TOKENS_PER_CHUNK
    for question in asked:
        assert audio_tokens + len(question.text.encode()) + question.room_tokens < CONTEXT_TOKENS


def test_a_fixed_length_of_sections_is_kept() -> None:
    made = plan(CARDS["h200"], whisper_geometry("medium"), voxtral_geometry(MINI), section_s=90.0)
    assert made.voxtral is not None
    assert made.voxtral.section_s == 90


def test_without_voxtral_whisper_has_the_card_to_itself() -> None:
    made = planned(cards.named("5GiB"), "large-v3", None)
    assert made.fits
    assert made.voxtral is None


@pytest.mark.parametrize("name", ["tiny", "medium", "large-v3"])
def test_a_cpu_has_memory_for_every_batch_that_it_works_on_at_once(name: str) -> None:
    # Given a CPU with the memory for its largest batch
    made = planned(Card("CPU", 64 * GIB, "fp32", "fp32", is_cuda=False), name, None)

    # Then the work is that of one batch, as often as the engine has one at work
    at_once = parallel_batches_of(torch.device("cpu"))
    assert made.whisper.work_bytes >= at_once * whisper_bytes(whisper_geometry(name), "fp32", made.whisper.batch)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_cpu_has_memory_for_the_model_as_it_is_read_beside_the_prepared_one(precision: str) -> None:
    # Given a CPU and a model whose work needs little, because its decoder is small
    made = planned(Card("CPU", 64 * GIB, precision, precision, is_cuda=False), "turbo", None)

    # Then what openai-whisper reads, in float32, fits beside the weights that are made of it
    read_bytes = whisper_geometry("turbo").parameters * NUMBER_BYTES["fp32"]
    assert made.whisper.work_bytes >= read_bytes


def test_what_does_not_fit_is_told_with_what_does() -> None:
    # Given a card too small for both in 16 bits
    card = cards.named("8GB")
    assert not planned(card, "large-v3").fits

    # When smaller choices are looked for
    instead = smaller(card, whisper_geometry("large-v3"), voxtral_geometry(MINI))

    # Then fewer bits with the largest Whisper beside them, and a server, are what does
    assert instead == [
        "DUET_WHISPER_MODEL=tiny DUET_VOXTRAL_QUANTIZE=int8",
        "DUET_WHISPER_MODEL=small DUET_VOXTRAL_QUANTIZE=nf4",
        "DUET_VOXTRAL_URL=http://host:8000/v1",
    ]
    for settings in ({"voxtral_quantize": "int8", "whisper_model": "tiny"}, {"voxtral_url": "http://host:8000/v1"}):
        assert (
            plan_request(Settings(**settings), gpu="8GB", whisper=settings.get("whisper_model", "large-v3")).plan().fits
        )


def test_a_cpu_without_the_memory_for_16_bits_is_told_of_int8() -> None:
    # Given a laptop of 8 GiB that multiplies bfloat16, and an older one of 16
    for laptop in (
        Card("CPU", 8 * GIB, "bf16", "bf16", is_cuda=False),
        Card("CPU", 16 * GIB, "fp32", "fp32", is_cuda=False),
    ):
        assert not planned(laptop, "base").fits

        # When smaller choices are looked for, then int8 is the first, and fits; 4 bits are for cards
        instead = smaller(laptop, whisper_geometry("base"), voxtral_geometry(MINI))
        assert instead == ["DUET_VOXTRAL_QUANTIZE=int8", "DUET_VOXTRAL_URL=http://host:8000/v1"]
        made = planned(laptop, "base", bits="int8")
        assert made.fits
        assert made.voxtral is not None
        assert made.voxtral.precision == f"int8 and {laptop.voxtral_precision}"


def test_a_card_too_small_for_small_is_told_of_mini() -> None:
    instead = smaller(CARDS["l4"], whisper_geometry("base"), voxtral_geometry(SMALL))
    assert instead[0] == "DUET_VOXTRAL_QUANTIZE=nf4"
    assert f"DUET_VOXTRAL_MODEL={MINI}" in instead


def test_the_best_accuracy_is_planned_with_memory_for_searching_half_a_batch() -> None:
    fast, best = (
        plan_request(Settings(whisper_accuracy=accuracy), gpu="l4", whisper="large-v3", voxtral="off")
        for accuracy in ("fast", "best")
    )
    assert best.plan().whisper.bytes > 1.2 * fast.plan().whisper.bytes
    assert best.plan().fits


def test_pools_obey_whispers_plan_alone_where_both_do_not_fit() -> None:
    asked = plan_request(Settings(), gpu="8GB", whisper="large-v3", voxtral="mini")
    assert asked.applied_plan() == plan_request(Settings(), gpu="8GB", whisper="large-v3", voxtral="off").plan()
    with pytest.raises(NoRoomError, match=r"whisper-large-v3 needs 4\.\d GiB at the least, and this card has 0\.9"):
        plan_request(Settings(), gpu="1GB", whisper="large-v3", voxtral="off").applied_plan()


@pytest.mark.parametrize(
    ("said", "size_bytes"), [("16000000000", 16e9), ("16e9", 16e9), ("15GB", 15e9), ("14.6 GiB", 14.6 * GIB)]
)
def test_a_card_can_be_given_by_its_size(said: str, size_bytes: float) -> None:
    assert cards.named(said).total_bytes == size_bytes


def test_a_card_that_nobody_knows_is_refused() -> None:
    with pytest.raises(SettingsError, match="neither one of t4, l4"):
        cards.named("rtx")


def test_a_cuda_device_is_planned_by_what_torch_says_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Properties:
        name = "Tesla T4"
        total_memory = 15_655_829_504

    from workers.device import ComputeDevice

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Properties())
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (15_000_000_000, 15_655_829_504))
    place = ComputeDevice(torch.device("cuda", 0), torch.float16)
    assert cards.of(place) == Card("Tesla T4", 15_655_829_504, voxtral_precision="fp16")
    assert cards.free_bytes(place) == 15e9


def test_steps_only_ever_grow() -> None:
    for smaller_one, larger in pairwise(STEPS):
        assert smaller_one <= larger
