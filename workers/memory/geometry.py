"""Shapes and parameter counts of the models."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import whisper
from torch import nn
from whisper.model import ModelDimensions

from pipeline.errors import WeightsError

_LINEAR = re.compile(r"language_model\..*layers\..*_proj\.weight$")
_WIDTHS = {
    "tiny": (384, 6, 4),
    "base": (512, 8, 6),
    "small": (768, 12, 12),
    "medium": (1024, 16, 24),
    "large": (1280, 20, 32),
}
"""Width, heads and layers of openai-whisper's sizes, from its model card and checkpoints."""
WHISPER_SIZES = ("large-v3", "turbo", "medium", "small", "base", "tiny")
"""Current sizes, largest first."""
MINI, SMALL = "mistralai/Voxtral-Mini-3B-2507", "mistralai/Voxtral-Small-24B-2507"
_SMALL_TEXT = {
    "hidden_size": 5120,
    "intermediate_size": 32_768,
    "num_hidden_layers": 40,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 131_072,
}
"""Text configuration of Mistral Small, the base of Voxtral Small; VoxtralConfig in transformers defaults to Mini's."""


WINDOWS_PER_SEARCH = 2
"""Windows of a batch of which one is searched at a time in a second reading; more at once are not faster on a CPU."""


@dataclass(frozen=True)
class WhisperGeometry:
    """The dimensions of a Whisper model that determine its memory."""

    name: str
    parameters: int
    mels: int
    width: int
    text_layers: int
    windows_per_search: int = 8
    """Windows of a batch of which one is searched with five beams in the batch's memory; if more are, it is halved."""


@dataclass(frozen=True)
class VoxtralGeometry:
    """The dimensions of a Voxtral model that determine its memory."""

    name: str
    parameters: int
    linear: int
    """Parameters in the language model's layers, the part that can be quantized."""
    audio_width: int
    width: int
    intermediate: int
    cache_numbers: int
    """Values per token in the KV cache."""


@lru_cache
def whisper_geometry(name: str) -> WhisperGeometry:
    """Return the geometry of one of openai-whisper's names, or of a checkpoint's path.

    Raises:
        WeightsError: there is no such name or file, or the file is not a checkpoint.
    """
    dims = whisper_dimensions(name)
    return WhisperGeometry(
        f"whisper-{Path(name).stem}", _whisper_parameters(dims), dims.n_mels, dims.n_audio_state, dims.n_text_layer
    )


@lru_cache
def voxtral_geometry(model: str) -> VoxtralGeometry:
    """Return the geometry of `mini`, `small`, or of a folder that has a config.json.

    The weights of a hub id or a bucket are not downloaded for this: a name that contains "small" counts as
    Small, any other as Mini.

    Raises:
        WeightsError: the folder's config.json cannot be read.
    """
    hf = _transformers()
    config = _voxtral_config(model)
    with torch.device("meta"):
        shell = hf.VoxtralForConditionalGeneration(config)
    text = config.text_config
    return VoxtralGeometry(
        name=Path(model).name,
        parameters=_count(shell),
        linear=sum(tensor.numel() for name, tensor in shell.named_parameters() if _LINEAR.search(name)),
        audio_width=config.audio_config.hidden_size,
        width=text.hidden_size,
        intermediate=text.intermediate_size,
        cache_numbers=2 * text.num_hidden_layers * text.num_key_value_heads * text.head_dim,
    )


def whisper_dimensions(name: str) -> ModelDimensions:
    """Return the dimensions of one of openai-whisper's names, or of a checkpoint's path.

    Raises:
        WeightsError: there is no such name or file, or the file is not a checkpoint.
    """
    size, _, rest = name.partition("-") if name.startswith("large") else name.partition(".")
    if name in ("turbo", "large-v3-turbo"):
        return _dims(128, 51_866, *_WIDTHS["large"], text_layers=4)
    if name in ("large", "large-v3"):
        return _dims(128, 51_866, *_WIDTHS["large"])
    if size in _WIDTHS and rest in ("", "en", "v1", "v2"):
        return _dims(80, 51_864 if rest == "en" else 51_865, *_WIDTHS[size])
    return _of_checkpoint(Path(name).expanduser())


def _dims(mels: int, vocabulary: int, width: int, heads: int, layers: int, text_layers: int = 0) -> ModelDimensions:
    return ModelDimensions(
        mels, 1500, width, heads, layers, vocabulary, 448, width, heads, text_layers or layers
    )  # fmt: skip


def _of_checkpoint(path: Path) -> ModelDimensions:
    if not path.is_file():
        known = ", ".join(whisper.available_models())
        raise WeightsError(f"DUET_WHISPER_MODEL={str(path)!r} is neither a file nor one of {known}.")
    try:
        return ModelDimensions(**torch.load(path, map_location="meta", weights_only=True)["dims"])
    except Exception as error:  # torch raises various exceptions for damaged files
        raise WeightsError(f"{path} is no openai-whisper checkpoint ({type(error).__name__}: {error}).") from error


def _voxtral_config(model: str) -> Any:
    file = Path(model).expanduser() / "config.json"
    if file.is_file():
        try:
            return _transformers().VoxtralConfig(**json.loads(file.read_text("utf-8")))
        except (ValueError, TypeError) as error:
            raise WeightsError(f"{file} is no configuration of a Voxtral ({error}); copy the model again.") from None
    return _transformers().VoxtralConfig(**({"text_config": _SMALL_TEXT} if "small" in model.lower() else {}))


def _transformers() -> Any:
    """Return the transformers library as Any, because its types do not pass strict checking.

    The import takes seconds, which a fast leg without a slow leg on the same device avoids.
    """
    import transformers

    return transformers


def _whisper_parameters(dims: ModelDimensions) -> int:
    """Return the number of parameters of `whisper.model.Whisper`.

    Its layers on the meta device yield the same number, but need two seconds of imports that nothing else uses.
    """
    width, text_width = dims.n_audio_state, dims.n_text_state
    convolutions = 3 * dims.n_mels * width + width + 3 * width**2 + width
    encoder = convolutions + dims.n_audio_layer * (12 * width**2 + 12 * width) + 2 * width
    embeddings = (dims.n_vocab + dims.n_text_ctx) * text_width
    decoder = embeddings + dims.n_text_layer * (16 * text_width**2 + 17 * text_width) + 2 * text_width
    return int(encoder + decoder)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
