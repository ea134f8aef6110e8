"""Whisper's checkpoint in the format of whisper.cpp: `f16.bin`, and `q8_0.bin` with matrices of 8 bits.

The format is described by whisper.cpp's own converter,
https://github.com/ggml-org/whisper.cpp/blob/master/models/convert-pt-to-ggml.py, and the blocks of Q8_0 in ggml:
32 values as a scale in float16 and 32 signed bytes. pywhispercpp has no quantizer, so this module has one.
"""

import base64
import struct
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

MAGIC = 0x67676D6C
F32, F16, Q8_0 = 0, 1, 8
FILE_TYPES = {F16: 1, Q8_0: 2007}
"""The file's type by that of its matrices; 2000 is the version of ggml's quantization."""
BLOCK = 32
CONVOLUTION_BIASES = ("encoder.conv1.bias", "encoder.conv2.bias")
ALWAYS_F32 = ("encoder.positional_embedding", "decoder.positional_embedding", *CONVOLUTION_BIASES)
DIMENSIONS = (
    "n_vocab", "n_audio_ctx", "n_audio_state", "n_audio_head", "n_audio_layer",
    "n_text_ctx", "n_text_state", "n_text_head", "n_text_layer", "n_mels",
)  # fmt: skip


def convert(checkpoint: Path, target: Path) -> None:
    """Write both files into a folder."""
    loaded = torch.load(checkpoint, map_location="cpu", weights_only=True)
    for name, kind in (("f16", F16), ("q8_0", Q8_0)):
        with (target / f"{name}.bin").open("wb") as file:
            _write_header(file, loaded["dims"], kind)
            for variable, tensor in loaded["model_state_dict"].items():
                _write_variable(file, variable, tensor.float().numpy(), kind)


def _write_header(file: BinaryIO, dims: dict[str, int], kind: int) -> None:
    file.write(struct.pack("<12i", MAGIC, *(dims[name] for name in DIMENSIONS), FILE_TYPES[kind]))
    assets = files("whisper") / "assets"
    with (assets / "mel_filters.npz").open("rb") as archive:
        filters = np.load(archive)[f"mel_{dims['n_mels']}"].astype("<f4")
    file.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
    vocabulary = "multilingual" if dims["n_vocab"] >= 51865 else "gpt2"
    lines = (assets / f"{vocabulary}.tiktoken").read_text().split("\n")
    tokens = [base64.b64decode(line.split()[0]) for line in lines if line]
    file.write(struct.pack("<i", len(tokens)))
    for token in tokens:
        file.write(struct.pack("<i", len(token)) + token)


def _write_variable(file: BinaryIO, name: str, values: NDArray[np.float32], kind: int) -> None:
    if name in CONVOLUTION_BIASES:
        values = values[:, None]
    if values.ndim < 2 or name in ALWAYS_F32:
        kind, data = F32, values.astype("<f4").tobytes()
    elif kind == F16 or values.ndim > 2:  # ggml's convolutions take no quantized weights
        kind, data = F16, values.astype("<f2").tobytes()
    else:
        data = _q8_0(values)
    encoded = name.encode()
    file.write(struct.pack("<3i", values.ndim, len(encoded), kind))
    file.write(struct.pack(f"<{values.ndim}i", *reversed(values.shape)) + encoded + data)


def _q8_0(values: NDArray[np.float32]) -> bytes:
    blocks = values.reshape(-1, BLOCK)
    scales = np.abs(blocks).max(axis=1, keepdims=True) / 127
    with np.errstate(divide="ignore"):
        inverse = np.where(scales > 0, 1 / scales, 0)
    layout: Any = [("scale", "<f2"), ("values", "i1", BLOCK)]
    packed = np.empty(len(blocks), layout)
    packed["scale"] = scales[:, 0]
    packed["values"] = np.rint(blocks * inverse)
    return packed.tobytes()


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
