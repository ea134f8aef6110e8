"""Voxtral in 8 and 4 bits: how it is told to transformers, how much memory it takes, and that it runs."""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import pytest
import torch
import transformers

from pipeline.errors import EngineError
from pipeline.settings import Settings
from tests import voxtral_checkpoint
from tests.voxtral_sound import noise
from workers import device
from workers.device import GIB, ComputeDevice
from workers.memory.activations import voxtral_weights_bytes
from workers.memory.geometry import MINI, voxtral_geometry
from workers.memory.request import plan_request
from workers.voxtral import Skipped, device_loading, load_analyst, quantize
from workers.voxtral.analyst import VoxtralAnalyst
from workers.voxtral.answer_schemas import Told, read
from workers.voxtral.answer_step import Answers
from workers.voxtral.quantize import Quantize
from workers.weights import voxtral as voxtral_weights

torch.set_num_threads(1)
STEPS = 64
CPU = ComputeDevice(torch.device("cpu"), torch.float32)
T4 = ComputeDevice(torch.device("cuda:0"), torch.float16)
SHRUNK = {"int8": "Int8Linear", "nf4": "Linear4bit"}
"""Class of the layers that have fewer bits on a CPU."""
installed = pytest.mark.skipif(
    not all(find_spec(name) for name in ("bitsandbytes", "accelerate")),
    reason="needs bitsandbytes and accelerate (pip install -e .[quantize])",
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return voxtral_checkpoint.build(tmp_path_factory.mktemp("voxtral"))


@pytest.mark.parametrize(("bits", "gib"), [(None, 8.71), ("int8", 5.7), ("nf4", 4.3)])
def test_the_memory_that_weights_take(bits: Quantize | None, gib: float) -> None:
    assert voxtral_weights_bytes(voxtral_geometry(MINI), "fp16", bits) / GIB == pytest.approx(gib, abs=0.05)


def test_what_can_do_with_fewer_bits_is_counted(checkpoint: Path) -> None:
    found = voxtral_geometry(str(checkpoint))
    each_layer = 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128  # q and o, k and v, the three of the feed-forward part
    assert found.linear == 2 * each_layer
    assert found.parameters == voxtral_weights.check(checkpoint).parameters


@pytest.mark.parametrize("bits", ["int8", "nf4"])
def test_ears_and_head_keep_their_bits(bits: Quantize) -> None:
    told = quantize.loading_options(T4, bits)["quantization_config"]
    assert told.llm_int8_skip_modules == ["model.audio_tower", "model.multi_modal_projector", "lm_head"]
    assert told.load_in_8bit == (bits == "int8")
    assert told.load_in_4bit == (bits == "nf4")
    if bits == "nf4":
        assert (told.bnb_4bit_quant_type, told.bnb_4bit_compute_dtype) == ("nf4", torch.float16)


def test_a_missing_package_is_named(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantize, "find_spec", lambda name: None)
    settings = Settings(voxtral="on", voxtral_model=str(checkpoint), device="cpu", voxtral_quantize="nf4")
    with pytest.raises(EngineError, match=r"needs bitsandbytes and accelerate, .* the extra `quantize`"):
        load_analyst(settings)


def test_a_card_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantize, "find_spec", lambda name: name)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla P100")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (6, 0))
    quantize.check(T4, "nf4")
    with pytest.raises(EngineError, match=r"capability 7\.5 and Tesla P100 has 6\.0"):
        quantize.check(T4, "int8")


@pytest.mark.parametrize("bits", [pytest.param("nf4", marks=installed), "int8"])
def test_it_answers_with_fewer_bits(checkpoint: Path, bits: str) -> None:
    found = voxtral_weights.check(checkpoint)
    voxtral = device_loading.load(found, CPU, cast(Quantize, bits))
    shrunk = {name for name, module in voxtral.model.named_modules() if type(module).__name__ == SHRUNK[bits]}
    assert len(shrunk) == 2 * 7
    assert all("language_model.layers" in name for name in shrunk)
    constraint = voxtral.grammars.start(Told.schema_to_follow(), 1)
    answer = voxtral.start_conversation([voxtral.encode_audio(noise(2))]).ask("What is this about?", 2000, constraint)[
        0
    ]
    assert not answer.truncated
    assert read(Told, answer.text, truncated=False) is not None


def test_answers_of_other_bits_are_no_checkpoints(checkpoint: Path) -> None:
    analyst = load_analyst(Settings(voxtral="on", voxtral_model=str(checkpoint), device="cpu", voxtral_quantize="int8"))
    assert isinstance(analyst, VoxtralAnalyst)
    assert analyst.model == f"{checkpoint} (int8)"


@torch.inference_mode()
def test_int8_on_a_cpu_chooses_the_tokens_that_all_bits_choose(checkpoint: Path) -> None:
    # Given the answers that the unquantized model begins about five pieces of audio
    found, question = voxtral_weights.check(checkpoint), "What is this about?"
    whole, few = (device_loading.load(found, CPU, bits) for bits in (None, "int8"))  # type: ignore[arg-type]
    audio = [noise(20 + seed, seed) for seed in range(5)]
    answers = [whole.start_conversation([whole.encode_audio(it)]).ask(question, STEPS)[0].tokens for it in audio]
    assert len(set(answers)) == len(audio)

    # When the quantized one is given these tokens, one after the other
    equal = total = 0
    for heard, tokens in zip(audio, answers, strict=True):
        given = Answers(few.language, few.start_conversation([few.encode_audio(heard)])._prompt, 1)
        scores = given.ask([few.question(question)])
        for token in tokens:
            equal += int(scores.argmax()) == token
            scores = given.step(torch.tensor([token]))
        total += len(tokens)

    # Then it would have chosen nine in ten of them
    assert total >= 4 * STEPS
    assert equal / total >= 0.9


def test_int8_needs_no_package_on_a_cpu_and_converts_what_stays(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given weights in bfloat16, a CPU that computes in float32, and no bitsandbytes
    folder = Path(shutil.copytree(checkpoint, tmp_path / "model"))
    stored = transformers.VoxtralForConditionalGeneration.from_pretrained(folder, dtype=torch.bfloat16)
    stored.save_pretrained(folder)
    monkeypatch.setattr(quantize, "find_spec", lambda name: None)
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: False)

    # When int8 is asked for, then `auto` uses Voxtral, and all but the layers is in float32
    settings = Settings(voxtral_model=str(folder), device="cpu", voxtral_quantize="int8")
    analyst = load_analyst(settings)
    assert isinstance(analyst, VoxtralAnalyst)
    assert plan_request(settings).voxtral is not None
    model = analyst._backend.model.model  # type: ignore[attr-defined]
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    whole = transformers.VoxtralForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    rotary = [it.model.language_model.rotary_emb.inv_freq for it in (model, whole)]
    assert torch.equal(*rotary)

    # And without int8 it says how
    choice = load_analyst(Settings(voxtral_model=str(folder), device="cpu"))
    assert isinstance(choice, Skipped)
    assert "DUET_VOXTRAL_QUANTIZE=int8" in choice.reason
    assert plan_request(Settings(voxtral_model=str(folder), device="cpu")).voxtral is None


def test_a_torch_without_int8_products_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    with pytest.raises(EngineError, match=r"DUET_VOXTRAL_QUANTIZE=int8 needs a torch with oneDNN on a CPU; unset it\."):
        quantize.check(CPU, "int8")
