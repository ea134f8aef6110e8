"""The ways that `tests.benchmarks.voxtral` compares, and what the device can do at most."""

import base64
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any

import soundfile
import torch
import transformers
from transformers import AutoProcessor, VoxtralConfig, VoxtralForConditionalGeneration

from tests import voxtral_checkpoint
from workers.audio.audio_file import SAMPLE_RATE_HZ, Samples
from workers.device import ComputeDevice
from workers.voxtral.generation import Request
from workers.voxtral.int8_linear import Int8Linear, quantize_layers
from workers.voxtral.model import CHUNK_SAMPLES, TOKENS_PER_CHUNK, EncodedAudio, VoxtralModel
from workers.voxtral.prompts import DETAILS, OVERVIEW
from workers.voxtral.sections import Section, batches, cut

QUESTIONS = (OVERVIEW.text, DETAILS.text)


def load(
    place: ComputeDevice, folder: Path, hidden: int, layers: int, threads: int, *, is_int8: bool = False
) -> VoxtralModel:
    """Return a model with random weights: of the real geometry on CUDA, scaled down on a CPU."""
    torch.set_num_threads(threads)
    if place.device.type == "cuda":
        return load_real(place, folder)
    voxtral_checkpoint.build(folder, hidden=hidden, layers=layers)
    model = VoxtralForConditionalGeneration.from_pretrained(folder, dtype=place.dtype)
    if is_int8:
        quantize_layers(model.model.language_model.layers)
    return _wrapped(model, folder, place)


def load_real(place: ComputeDevice, folder: Path, *, is_int8: bool = False) -> VoxtralModel:
    """Return a model of the real geometry, its random weights made in memory; of those in int8 one layer at a time."""
    voxtral_checkpoint.build(folder)
    with torch.device("meta"):
        model = VoxtralForConditionalGeneration._from_config(VoxtralConfig(audio_token_id=24), dtype=place.dtype)
    torch.manual_seed(0)
    language = model.model.language_model
    if is_int8:
        for layer in language.layers:
            _fill(layer, place)
            quantize_layers(layer)
    _fill(model, place)
    language.rotary_emb = type(language.rotary_emb)(config=model.config.text_config).to(place.device)
    return _wrapped(model, folder, place)


def _fill(model: torch.nn.Module, place: ComputeDevice) -> None:
    """Make random weights of those that have no data yet."""
    for module in model.modules():
        if any(weight.is_meta for weight in module.parameters(recurse=False)):
            module.to_empty(device=place.device, recurse=False)
            with torch.no_grad():
                for weight in module.parameters(recurse=False):
                    weight.normal_(0.0, 0.02)


def _wrapped(model: Any, folder: Path, place: ComputeDevice) -> VoxtralModel:
    processor = AutoProcessor.from_pretrained(folder)
    with torch.no_grad():
        # All ways shall write equally many tokens, so the end token may never be the likeliest; nor may one that
        # the small tokenizer lacks.
        model.lm_head.weight[processor.tokenizer.eos_token_id] = 0
        model.lm_head.weight[processor.tokenizer.vocab_size :] = 0
    return VoxtralModel(model.eval(), processor, place)


@contextmanager
def timed(place: ComputeDevice, steps: dict[str, float], name: str) -> Iterator[None]:
    """Add the seconds of a step to those of its name."""
    started_s = time.perf_counter()
    yield
    if place.device.type == "cuda":
        torch.cuda.synchronize(place.device)
    steps[name] += time.perf_counter() - started_s


def ours(voxtral: VoxtralModel, samples: Samples, section_s: float, rows: int, tokens: list[int]) -> dict[str, Any]:
    """Ask all questions about each section, `rows` sections at once; return seconds a step and what each did."""

    def answer(heard: list[EncodedAudio], steps: dict[str, float]) -> tuple[int, int]:
        requests = [Request(tuple(voxtral.question(text)), most) for text, most in zip(QUESTIONS, tokens, strict=True)]
        with timed(voxtral.place, steps, "prefill"):
            conversation = voxtral.start_conversation(heard)
        with timed(voxtral.place, steps, "decode"):
            found = [answer for _, _, answer in conversation.answers(requests)]
        return sum(len(answer.tokens) for answer in found), max(len(answer.tokens) for answer in found)

    return _by_section(voxtral, samples, section_s, rows, answer)


class _Layer(transformers.DynamicLayer):
    """Keys and values in preallocated tensors, where the library's own cache copies all of them for each token."""

    def __init__(self, room_tokens: int) -> None:
        super().__init__()
        self._room_tokens, self._used_tokens = room_tokens, 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        rows, heads, _, depth = key_states.shape
        self.dtype, self.device, self.is_initialized = key_states.dtype, key_states.device, True
        self.keys, self.values = (key_states.new_empty(rows, heads, self._room_tokens, depth) for _ in range(2))

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, self._used_tokens = self._used_tokens, self._used_tokens + key_states.shape[-2]
        self.keys[:, :, start : self._used_tokens] = key_states
        self.values[:, :, start : self._used_tokens] = value_states
        return self.keys[:, :, : self._used_tokens], self.values[:, :, : self._used_tokens]

    def get_seq_length(self) -> int:
        return self._used_tokens

    def crop(self, tokens_to_remove: int) -> None:
        self._used_tokens -= abs(tokens_to_remove)


def before(voxtral: VoxtralModel, samples: Samples, section_s: float, tokens: list[int]) -> dict[str, Any]:
    """Ask one question after the other through transformers' own pass, which repeats keys and values."""
    model, place = voxtral.model, voxtral.place
    audio_token = model.config.audio_token_id

    def answer(heard: list[EncodedAudio], steps: dict[str, float]) -> tuple[int, int]:
        features = heard[0].features
        prefix = torch.tensor([[1, 3, 25, *[audio_token] * len(features)]], device=place.device)
        room_tokens = len(features) + max(tokens) + 512
        cache = transformers.Cache(layers=[_Layer(room_tokens) for _ in model.model.language_model.layers])
        with timed(place, steps, "prefill"), torch.inference_mode():
            embeddings = model.get_input_embeddings()(prefix)
            embeddings[0, 3:] = features
            model.model.language_model(inputs_embeds=embeddings, past_key_values=cache, use_cache=True)
        with timed(place, steps, "decode"), torch.inference_mode():
            for text, most in zip(QUESTIONS, tokens, strict=True):
                step = torch.tensor([voxtral.question(text)], device=place.device)
                for _ in range(most):
                    output = model(input_ids=step, past_key_values=cache, use_cache=True, logits_to_keep=1)
                    step = output.logits[:, -1].argmax(-1, keepdim=True)
                cache.crop(prefix.shape[1] - cache.get_seq_length())
        return sum(tokens), sum(tokens)

    return _by_section(voxtral, samples, section_s, 1, answer)


def _by_section(
    voxtral: VoxtralModel,
    samples: Samples,
    section_s: float,
    rows: int,
    answer: Callable[[list[EncodedAudio], dict[str, float]], tuple[int, int]],
) -> dict[str, Any]:
    steps = {"encode": 0.0, "prefill": 0.0, "decode": 0.0}
    chunks = written = passes = 0

    def hear(batch: list[Section]) -> list[EncodedAudio]:
        with timed(voxtral.place, steps, "encode"):
            return [voxtral.encode_audio(section.samples) for section in batch]

    for heard in map(hear, batches(cut(iter([samples]), section_s), lambda: rows)):
        chunks += sum(one.chunks for one in heard)
        more = answer(heard, steps)
        written, passes = written + more[0], passes + more[1]
    return {
        "tokens": written,
        **{f"{name}_s": seconds for name, seconds in steps.items()},
        "chunks_per_s": chunks / steps["encode"],
        "prefill_tokens_per_s": chunks * TOKENS_PER_CHUNK / steps["prefill"],
        "passes_per_s": passes / steps["decode"],
        "tokens_per_s": written / steps["decode"],
    }


def naive(voxtral: VoxtralModel, samples: Samples, tokens: list[int]) -> dict[str, Any]:
    """Ask each question about each chunk of 30 s through the processor, one request at a time."""
    processor, model, place = voxtral.processor, voxtral.model, voxtral.place
    written = 0
    for start in range(0, len(samples), CHUNK_SAMPLES):
        buffer = io.BytesIO()
        soundfile.write(buffer, samples[start : start + CHUNK_SAMPLES], SAMPLE_RATE_HZ, format="WAV")
        audio = {"type": "audio", "base64": base64.b64encode(buffer.getvalue()).decode()}
        for question, most in zip(QUESTIONS, tokens, strict=True):
            content = [audio, {"type": "text", "text": question}]
            inputs = processor.apply_chat_template([{"role": "user", "content": content}])
            inputs = inputs.to(place.device, dtype=place.dtype)
            with torch.inference_mode():
                output = model.generate(**inputs, max_new_tokens=most, do_sample=False)
            written += output.shape[1] - inputs["input_ids"].shape[1]
    return {"tokens": written}


def ceilings(place: ComputeDevice) -> dict[str, float]:
    """Return what bare products of the model's sizes reach: arithmetic of many rows, and reading of weights by one."""
    is_cuda = place.device.type == "cuda"
    # More than a cache holds, and less than a section's working memory, so that the peak is not of these.
    weights = [torch.randn(8192, 3072, device=place.device).to(place.dtype) for _ in range(8)]
    many = torch.randn(4096 if is_cuda else 512, 3072, device=place.device).to(place.dtype)
    times: dict[str, list[float]] = {"many": [], "one": []}
    for _ in range(5):
        for name, rows in (("many", many), ("one", many[:1])):
            once = {name: 0.0}
            with timed(place, once, name):
                for weight in weights:
                    torch.nn.functional.linear(rows, weight)
            times[name].append(once[name] / len(weights))
    size = weights[0].numel()
    return {
        "ceiling_tflops": 2 * size * len(many) / min(times["many"]) / 1e12,
        "ceiling_gb_per_s": size * place.dtype.itemsize / min(times["one"]) / 1e9,
    }


def shares(voxtral: VoxtralModel, figures: dict[str, Any], section_s: float) -> dict[str, float]:
    """Return how much of the ceilings each step reaches; what computes or reads little is left out."""
    parts, config = voxtral.model.model, voxtral.model.config
    positions, tokens = config.audio_config.max_source_positions, TOKENS_PER_CHUNK * ceil(section_s / 30)
    encoder, layers = numbers(parts.audio_tower), numbers(parts.language_model.layers)
    width = config.text_config.num_attention_heads * config.text_config.head_dim * config.text_config.num_hidden_layers
    attended = positions * config.audio_config.hidden_size * config.audio_config.num_hidden_layers
    chunk_tflop = positions * (2 * encoder + 4 * attended) / 1e12
    token_tflop = (2 * layers + 2 * tokens * width) / 1e12  # causal: on average half of the section is attended to
    read_gb = sum(map(_bytes, (parts.language_model.layers, voxtral.model.lm_head))) / 1e9
    return {
        "encode_share_of_tflops": figures["chunks_per_s"] * chunk_tflop / figures["ceiling_tflops"],
        "prefill_share_of_tflops": figures["prefill_tokens_per_s"] * token_tflop / figures["ceiling_tflops"],
        "decode_share_of_bandwidth": figures["passes_per_s"] * read_gb / figures["ceiling_gb_per_s"],
    }


def numbers(model: torch.nn.Module) -> int:
    """Return the number of a model's weights, of any number of bits."""
    few = (it.in_features * it.out_features for it in model.modules() if isinstance(it, Int8Linear))
    return sum(weight.numel() for weight in model.parameters()) + sum(few)


def _bytes(model: torch.nn.Module) -> int:
    few = (it.nbytes for it in model.modules() if isinstance(it, Int8Linear))
    return sum(weight.nbytes for weight in model.parameters()) + sum(few)
