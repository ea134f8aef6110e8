"""Numeric precision per device."""

from dataclasses import dataclass
from typing import Literal

import torch

from workers.device import cpu_has_bfloat16

Kind = Literal["fp32", "bf16", "fp16"]
"""Arithmetic of a matrix product."""
CacheKind = Literal["fp32", "bf16", "fp16", "int8"]
"""Storage of a cache."""


@dataclass(frozen=True)
class Precision:
    """The arithmetic of the model's costly parts."""

    name: str
    encoder: Kind
    decoder: Kind
    cache: CacheKind
    """Storage of the decoder's cross-attention cache; reading it dominates the time of a decoding step."""

    @property
    def encoder_dtype(self) -> torch.dtype:
        """dtype of the activations between the encoder's layers."""
        return _DTYPES[self.encoder]

    @property
    def decoder_dtype(self) -> torch.dtype:
        """dtype of the activations between the decoder's layers."""
        return _DTYPES[self.decoder]


_DTYPES: dict[Kind, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}

FP32 = Precision("fp32", encoder="fp32", decoder="fp32", cache="fp32")
"""For CPUs without bfloat16 instructions. Decodes the same tokens as openai-whisper in float32 with equal padding after
a window."""
BF16 = Precision("bf16", encoder="bf16", decoder="bf16", cache="int8")
"""For CPUs with avx512_bf16 or amx."""
FP16 = Precision("fp16", encoder="fp16", decoder="fp16", cache="fp16")
"""For CUDA devices."""


def choose(device: torch.device) -> Precision:
    """Return the precision in which this device transcribes fastest without losing words."""
    if device.type == "cuda":
        return FP16
    if device.type == "cpu" and cpu_has_bfloat16():
        return BF16
    return FP32
