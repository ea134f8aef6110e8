"""CTranslate2's binary format, from files that the tests write themselves."""

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from whisper.model import ModelDimensions, Whisper

from pipeline.errors import WeightsError
from workers.weights.ctranslate2 import read_variables, whisper_checkpoint

VERSION = 6
DTYPES = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}
BFLOAT16 = 5
WIDTH = 64
LAYERS = 2
WORDS = 10

Variables = dict[str, NDArray[Any]]


def text(value: str) -> bytes:
    return struct.pack("<H", len(value.encode()) + 1) + value.encode() + b"\0"


def variable(name: str, shape: tuple[int, ...], dtype: int, data: bytes) -> bytes:
    shapes = struct.pack(f"<B{len(shape)}I", len(shape), *shape)
    return text(name) + shapes + struct.pack("<BI", dtype, len(data)) + data


def header(count: int, version: int = VERSION) -> bytes:
    return struct.pack("<I", version) + text("WhisperSpec") + struct.pack("<II", 3, count)


def model_file(variables: Mapping[str, NDArray[Any]]) -> bytes:
    parts = (variable(name, it.shape, DTYPES[it.dtype.name], it.tobytes()) for name, it in variables.items())
    return header(len(variables)) + b"".join(parts)


def aliases(**names: str) -> bytes:
    return struct.pack("<I", len(names)) + b"".join(text(alias) + text(name) for alias, name in names.items())


def tiny_whisper() -> Variables:
    """A Whisper of two layers a side under CTranslate2's names; its numbers are random and of no use."""
    random = np.random.default_rng(0)
    variables: Variables = {}

    def add(name: str, *shape: int) -> None:
        variables[name] = random.standard_normal(shape).astype(np.float16)

    def linear(name: str, rows: int, *shape: int) -> None:
        add(f"{name}/weight", rows, *shape)
        add(f"{name}/bias", rows)

    def norm(name: str) -> None:
        add(f"{name}/gamma", WIDTH)
        add(f"{name}/beta", WIDTH)

    linear("encoder/conv1", WIDTH, 80, 3)
    linear("encoder/conv2", WIDTH, WIDTH, 3)
    add("encoder/position_encodings/encodings", 1500, WIDTH)
    add("decoder/position_encodings/encodings", 448, WIDTH)
    add("decoder/embeddings/weight", WORDS, WIDTH)
    for side in ("encoder", "decoder"):
        norm(f"{side}/layer_norm")
        for index in range(LAYERS):
            layer = f"{side}/layer_{index}"
            linear(f"{layer}/self_attention/linear_0", 3 * WIDTH, WIDTH)
            linear(f"{layer}/self_attention/linear_1", WIDTH, WIDTH)
            norm(f"{layer}/self_attention/layer_norm")
            linear(f"{layer}/ffn/linear_0", 4 * WIDTH, WIDTH)
            linear(f"{layer}/ffn/linear_1", WIDTH, 4 * WIDTH)
            norm(f"{layer}/ffn/layer_norm")
            if side == "decoder":
                linear(f"{layer}/attention/linear_0", WIDTH, WIDTH)
                linear(f"{layer}/attention/linear_1", 2 * WIDTH, WIDTH)
                linear(f"{layer}/attention/linear_2", WIDTH, WIDTH)
                norm(f"{layer}/attention/layer_norm")
    return variables


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_kind_of_number_reads_back(dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)

    read = read_variables(model_file({"encoder/weight": array}))

    assert list(read) == ["encoder/weight"]
    assert read["encoder/weight"].dtype == array.dtype
    assert np.array_equal(read["encoder/weight"], array)


def test_variables_read_back_by_their_names() -> None:
    written = {"scalar": np.array(1, np.int8), "empty": np.zeros((0, 4), np.float32), "größe": np.ones(3, np.float16)}

    read = read_variables(model_file(written))

    assert {name: it.shape for name, it in read.items()} == {"scalar": (), "empty": (0, 4), "größe": (3,)}


def test_a_model_without_variables_is_empty() -> None:
    assert read_variables(header(0)) == {}


def test_aliases_at_the_end_are_no_variables() -> None:
    data = model_file({"decoder/embeddings/weight": np.ones(2, np.float32)})

    assert list(read_variables(data + aliases(**{"decoder/projection/weight": "decoder/embeddings/weight"}))) == [
        "decoder/embeddings/weight"
    ]


def test_a_file_cut_anywhere_is_refused() -> None:
    data = model_file({"a": np.ones((2, 2), np.float32), "b": np.ones(3, np.int8)})

    for length in range(len(data)):
        with pytest.raises(WeightsError, match="not a CTranslate2 model of version 6"):
            read_variables(data[:length])


def test_a_cut_file_is_said_to_end_too_soon() -> None:
    with pytest.raises(WeightsError, match="it ends too soon"):
        read_variables(model_file({"a": np.ones(4, np.float32)})[:-1])


@pytest.mark.parametrize("version", [0, 5, 7, 2**32 - 1])
def test_another_version_is_refused(version: int) -> None:
    with pytest.raises(WeightsError, match=rf"\(version {version}\)"):
        read_variables(header(0, version))


@pytest.mark.parametrize(
    "damaged",
    [
        variable("a", (3,), DTYPES["float32"], bytes(8)),
        variable("a", (2,), DTYPES["float32"], bytes(7)),
        variable("a", (2,), BFLOAT16, bytes(4)),
        struct.pack("<H", 3) + b"\xff\xfe\0" + bytes(20),
    ],
    ids=["shape", "size", "unknown numbers", "name"],
)
def test_a_damaged_variable_is_refused(damaged: bytes) -> None:
    with pytest.raises(WeightsError):
        read_variables(header(1) + damaged)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 a zip file, as a .pt is", bytes(64)])
def test_another_kind_of_file_is_refused(data: bytes) -> None:
    with pytest.raises(WeightsError):
        read_variables(data)


def test_openai_whisper_takes_what_is_converted() -> None:
    checkpoint = whisper_checkpoint(read_variables(model_file(tiny_whisper())))

    model = Whisper(ModelDimensions(**checkpoint["dims"]))
    model.load_state_dict(checkpoint["model_state_dict"], strict=True)

    assert checkpoint["dims"] == {
        "n_mels": 80,
        "n_vocab": WORDS,
        "n_audio_ctx": 1500,
        "n_audio_state": WIDTH,
        "n_audio_head": 1,
        "n_audio_layer": LAYERS,
        "n_text_ctx": 448,
        "n_text_state": WIDTH,
        "n_text_head": 1,
        "n_text_layer": LAYERS,
    }


@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_what_was_fused_is_taken_apart_in_order(side: str) -> None:
    variables = tiny_whisper()

    state = whisper_checkpoint(variables)["model_state_dict"]

    for index in range(LAYERS):
        ours, theirs = f"{side}.blocks.{index}.attn", f"{side}/layer_{index}/self_attention"
        weights = [state[f"{ours}.{part}.weight"] for part in ("query", "key", "value")]
        assert torch.equal(torch.cat(weights), torch.from_numpy(variables[f"{theirs}/linear_0/weight"]))
        assert torch.equal(
            state[f"{ours}.value.bias"], torch.from_numpy(variables[f"{theirs}/linear_0/bias"][2 * WIDTH :])
        )
        assert f"{ours}.key.bias" not in state


def test_the_attention_to_the_sound_is_taken_apart_in_order() -> None:
    variables = tiny_whisper()

    state = whisper_checkpoint(variables)["model_state_dict"]

    fused = torch.from_numpy(variables["decoder/layer_1/attention/linear_1/weight"])
    assert torch.equal(state["decoder.blocks.1.cross_attn.key.weight"], fused[:WIDTH])
    assert torch.equal(state["decoder.blocks.1.cross_attn.value.weight"], fused[WIDTH:])


def test_the_converted_tensors_own_their_memory() -> None:
    data = model_file(tiny_whisper())

    state = whisper_checkpoint(read_variables(data))["model_state_dict"]

    for tensor in state.values():
        tensor.zero_()  # raises or warns where it is a view of the file's read-only bytes
    assert data == model_file(tiny_whisper())
