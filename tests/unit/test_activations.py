"""The plan's memory model against the real engines: at real size, over tensors without data.

Each tensor that an engine makes is counted while it is alive; the model may say at most a tenth more than
the peak, and never less.
"""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoProcessor, VoxtralConfig, VoxtralForConditionalGeneration
from whisper.model import AudioEncoder, TextDecoder

from tests import voxtral_checkpoint
from tests.allocator import Alive
from workers.device import ComputeDevice
from workers.memory import activations
from workers.memory.geometry import MINI, WINDOWS_PER_SEARCH, voxtral_geometry, whisper_geometry
from workers.precision import FP16
from workers.voxtral import model
from workers.voxtral.answer_step import Answers, StaticStep
from workers.voxtral.int8_linear import input_levels, quantize_layers
from workers.voxtral.model import EncodedAudio, VoxtralModel
from workers.whisper.inference.decoder import Decoder, DecoderState
from workers.whisper.inference.encoder import Encoder

HEADS = [(0, head) for head in range(10)]
SPOKEN_TOKENS = 120
"""Of 30 seconds at speech's four tokens a second."""


@pytest.fixture
def without_data() -> Iterator[None]:
    cores = torch.get_num_threads()
    torch.set_num_threads(1)  # the mode is one thread's, and windows would be worked on side by side
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        yield
    torch.set_num_threads(cores)


@pytest.mark.parametrize(
    ("name", "mels", "width", "heads", "layers", "text_layers", "batch", "windows_per_search"),
    [
        ("base", 80, 512, 8, 6, 6, 8, 8),
        ("base", 80, 512, 8, 6, 6, 8, WINDOWS_PER_SEARCH),
        ("large-v3", 128, 1280, 20, 32, 32, 2, 8),
        ("turbo", 128, 1280, 20, 32, 4, 8, 8),
        ("turbo", 128, 1280, 20, 32, 4, 8, WINDOWS_PER_SEARCH),
    ],
)
def test_a_batch_of_windows(
    without_data: None,
    name: str,
    mels: int,
    width: int,
    heads: int,
    layers: int,
    text_layers: int,
    batch: int,
    windows_per_search: int,
) -> None:
    # Given the engine's encoder and decoder in the precision of a card
    shell = SimpleNamespace(
        encoder=AudioEncoder(mels, 1500, width, heads, layers),
        decoder=TextDecoder(51866, 448, width, heads, text_layers),
        device=torch.device("cpu"),
        dims=SimpleNamespace(n_text_ctx=448, n_text_head=heads, n_text_state=width),
    )
    encoder, decoder = Encoder(shell, FP16), Decoder(shell, FP16)  # type: ignore[arg-type]

    # When a batch is encoded, decoded, some windows decoded again by beams, and its words aligned
    with Alive() as alive:
        features = list(encoder(torch.empty(batch, mels, 3000)))
        memory = DecoderState(decoder, features)
        decoder.prefill([[1, 2, 3, 4]] * batch, memory, remember=True)
        decoder.logits(decoder.step(torch.zeros(batch, dtype=torch.long), 5, list(range(batch)), memory))
        again = DecoderState(decoder, features[: -(-batch // windows_per_search)], copies=activations.BEAMS)
        del again
        decoder.prefill([[1] * SPOKEN_TOKENS] * batch, memory, heads=HEADS)

    # Then the plan says what that took
    geometry = replace(whisper_geometry(name), windows_per_search=windows_per_search)
    planned = activations.whisper_bytes(geometry, "fp16", batch)
    assert alive.peak_bytes <= planned <= 1.1 * alive.peak_bytes


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return AutoProcessor.from_pretrained(voxtral_checkpoint.build(tmp_path_factory.mktemp("voxtral")))


@pytest.fixture
def int8_on_the_meta_device() -> Iterator[None]:
    input_levels()  # probes the CPU, which needs data
    library = torch.library.Library("onednn", "IMPL", "Meta")
    library.impl("qlinear_prepack", lambda weight, shape: weight.new_empty(weight.shape[::-1]))
    yield
    library._destroy()


@pytest.mark.timeout(1200)  # ten minutes in 8 bits are many small steps of Python, four minutes on a slow core
@pytest.mark.parametrize(("device_type", "bits"), [("cpu", None), ("cpu", "int8"), ("cuda", None)])
@pytest.mark.parametrize(("section_s", "rows"), [(30, 1), (600, 2)])
def test_a_batch_of_sections(
    processor: Any,
    int8_on_the_meta_device: None,
    without_data: None,
    section_s: float,
    rows: int,
    device_type: str,
    bits: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given Voxtral Mini in 16 bits, or its language model in 8, with the passes of a device
    config = VoxtralConfig(audio_token_id=24)
    shell = VoxtralForConditionalGeneration._from_config(config, dtype=torch.bfloat16).eval()
    if bits == "int8":
        quantize_layers(shell.model.language_model.layers)
    voxtral = VoxtralModel(shell, processor, ComputeDevice(torch.device("cpu"), torch.bfloat16))
    monkeypatch.setattr(model, "piece_tokens", lambda _, *sizes: activations.piece_tokens(device_type, *sizes))
    chunks = int(section_s // 30)
    answers_at_once = rows * activations.QUESTIONS_AT_ONCE

    # When sections are encoded, prefilled, asked two questions, and their answers are as long as is usual
    with Alive() as alive:
        heard = [EncodedAudio(_features(shell, chunks, device_type), chunks) for _ in range(rows)]
        conversation = voxtral.start_conversation(heard)
        answers = Answers(voxtral.language, conversation._prompt, answers_at_once)
        answers.ask([[1] * activations._QUESTION_TOKENS] * answers_at_once)
        step = StaticStep(answers).through(lambda logits: logits) if device_type == "cuda" else answers.step
        for tokens in range(activations._QUESTION_TOKENS, activations.ANSWER_TOKENS, 128):
            answers.lengths.fill_(tokens)
            answers.longest = tokens
            step(torch.zeros(answers_at_once, dtype=torch.long))

    # Then the plan says what that took
    planned = activations.voxtral_bytes(voxtral_geometry(MINI), "bf16", section_s, rows, device_type)
    assert alive.peak_bytes <= planned <= 1.1 * alive.peak_bytes


def _features(shell: Any, chunks: int, device_type: str) -> torch.Tensor:
    mels = torch.empty(chunks, 128, 3000, dtype=torch.bfloat16)
    return torch.cat(
        [
            shell.get_audio_features(part, return_dict=True).pooler_output
            for part in mels.split(activations.chunks_at_once(device_type))
        ],
    )
