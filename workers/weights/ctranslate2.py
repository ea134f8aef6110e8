"""A reader of CTranslate2's binary format, and the conversion of its Whisper tensors to openai-whisper's names.

The layout is that of `ctranslate2/specs/model_spec.py` (https://github.com/OpenNMT/CTranslate2, version 6).
"""

import struct
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import WeightsError

SUPPORTED_VERSION = 6
DTYPES: dict[int, type[np.generic]] = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
HEAD_SIZE = 64
TEXT_CONTEXT = 448
AUDIO_CONTEXT = 1500


def read_variables(data: bytes) -> dict[str, NDArray[Any]]:
    """Return the variables of a model file by name, without copying them.

    Raises:
        WeightsError: the file has another version of the format, or is truncated.
    """
    try:
        return _Reader(data).variables()
    except (struct.error, ValueError, KeyError, UnicodeDecodeError) as error:
        raise WeightsError(f"The file is not a CTranslate2 model of version {SUPPORTED_VERSION} ({error}).") from None


def whisper_checkpoint(variables: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Return the content of openai-whisper's `.pt` files: `dims` and `model_state_dict` (fp16).

    CTranslate2 fuses q, k and v into `self_attention/linear_0`, and k and v of the cross-attention into
    `attention/linear_1`; Whisper's keys have no bias.
    """
    tensors = {name: torch.from_numpy(array.copy()) for name, array in variables.items()}
    width = tensors["encoder/conv1/weight"].shape[0]
    layers = {side: _layer_count(variables, side) for side in ("encoder", "decoder")}
    state: dict[str, Tensor] = {}
    for side, count in layers.items():
        for index in range(count):
            state |= _block(tensors, side, index, width)
        state[f"{side}.positional_embedding"] = tensors[f"{side}/position_encodings/encodings"]
    for convolution in ("conv1", "conv2"):
        state |= _linear(tensors, f"encoder/{convolution}", f"encoder.{convolution}")
    state |= _norm(tensors, "encoder/layer_norm", "encoder.ln_post")
    state |= _norm(tensors, "decoder/layer_norm", "decoder.ln")
    state["decoder.token_embedding.weight"] = tensors["decoder/embeddings/weight"]
    dims = {
        "n_mels": tensors["encoder/conv1/weight"].shape[1],
        "n_vocab": tensors["decoder/embeddings/weight"].shape[0],
        "n_audio_ctx": AUDIO_CONTEXT,
        "n_audio_state": width,
        "n_audio_head": width // HEAD_SIZE,
        "n_audio_layer": layers["encoder"],
        "n_text_ctx": TEXT_CONTEXT,
        "n_text_state": width,
        "n_text_head": width // HEAD_SIZE,
        "n_text_layer": layers["decoder"],
    }
    return {"dims": dims, "model_state_dict": state}


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0

    def variables(self) -> dict[str, NDArray[Any]]:
        version = self._number("<I")
        if version != SUPPORTED_VERSION:
            raise ValueError(f"version {version}")
        self._text()  # the specification's name
        self._number("<I")  # its revision
        return dict(self._variable() for _ in range(self._number("<I")))

    def _variable(self) -> tuple[str, NDArray[Any]]:
        name = self._text()
        shape = [self._number("<I") for _ in range(self._number("<B"))]
        dtype = DTYPES[self._number("<B")]
        size_bytes = self._number("<I")
        array = np.frombuffer(self._take(size_bytes), dtype).reshape(shape)
        return name, array

    def _text(self) -> str:
        return self._take(self._number("<H"))[:-1].decode()

    def _number(self, form: str) -> int:
        (value,) = struct.unpack(form, self._take(struct.calcsize(form)))
        return int(value)

    def _take(self, size_bytes: int) -> bytes:
        self.offset += size_bytes
        if self.offset > len(self.data):
            raise ValueError("it ends too soon")
        return self.data[self.offset - size_bytes : self.offset]


def _layer_count(variables: dict[str, NDArray[Any]], side: str) -> int:
    layers = {name.split("/")[1] for name in variables if name.startswith(f"{side}/layer_")}
    return len(layers - {"layer_norm"})


def _block(tensors: dict[str, Tensor], side: str, index: int, width: int) -> dict[str, Tensor]:
    ours, theirs = f"{side}.blocks.{index}", f"{side}/layer_{index}"
    query, key, value = (slice(part * width, (part + 1) * width) for part in range(3))
    attention = f"{theirs}/self_attention"
    state = {
        **_linear(tensors, f"{attention}/linear_0", f"{ours}.attn.query", query),
        **_linear(tensors, f"{attention}/linear_0", f"{ours}.attn.key", key, bias=False),
        **_linear(tensors, f"{attention}/linear_0", f"{ours}.attn.value", value),
        **_linear(tensors, f"{attention}/linear_1", f"{ours}.attn.out"),
        **_norm(tensors, f"{attention}/layer_norm", f"{ours}.attn_ln"),
        **_linear(tensors, f"{theirs}/ffn/linear_0", f"{ours}.mlp.0"),
        **_linear(tensors, f"{theirs}/ffn/linear_1", f"{ours}.mlp.2"),
        **_norm(tensors, f"{theirs}/ffn/layer_norm", f"{ours}.mlp_ln"),
    }
    if side == "decoder":
        cross = f"{theirs}/attention"
        state |= {
            **_linear(tensors, f"{cross}/linear_0", f"{ours}.cross_attn.query"),
            **_linear(tensors, f"{cross}/linear_1", f"{ours}.cross_attn.key", query, bias=False),
            **_linear(tensors, f"{cross}/linear_1", f"{ours}.cross_attn.value", key),
            **_linear(tensors, f"{cross}/linear_2", f"{ours}.cross_attn.out"),
            **_norm(tensors, f"{cross}/layer_norm", f"{ours}.cross_attn_ln"),
        }
    return state


def _linear(
    tensors: dict[str, Tensor], source: str, target: str, rows: slice = slice(None), *, bias: bool = True
) -> dict[str, Tensor]:
    state = {f"{target}.weight": tensors[f"{source}/weight"][rows].clone()}
    if bias:
        state[f"{target}.bias"] = tensors[f"{source}/bias"][rows].clone()
    return state


def _norm(tensors: dict[str, Tensor], source: str, target: str) -> dict[str, Tensor]:
    return {f"{target}.weight": tensors[f"{source}/gamma"], f"{target}.bias": tensors[f"{source}/beta"]}
