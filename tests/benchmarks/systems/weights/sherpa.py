"""Whisper's checkpoint in the format of sherpa-onnx, with int8 matrices.

Names, shapes and metadata are a contract with sherpa-onnx's reader, described by its own exporter,
https://github.com/k2-fsa/sherpa-onnx/blob/master/scripts/whisper/export-onnx.py: the encoder gives each layer's keys
and values of the audio; the decoder takes and gives the whole cache of the text's. Quantization is onnxruntime's.
"""

import shutil
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import onnx
import torch
import whisper
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn
from torch.nn.functional import gelu
from whisper.model import MultiHeadAttention, TextDecoder
from whisper.tokenizer import get_tokenizer

OPSET = 17


class Encoder(nn.Module):
    """From log-mel (batch, mels, frames) to keys and values (layer, batch, frames / 2, width) for the decoder.

    sherpa-onnx pads no stretch to 30 s, so there are as many positions as frames.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        encoder = self.model.encoder
        audio = gelu(encoder.conv2(gelu(encoder.conv1(mel)))).permute(0, 2, 1)
        audio = audio + encoder.positional_embedding[: audio.shape[1]]
        for block in encoder.blocks:
            audio = block(audio)
        audio = encoder.ln_post(audio)
        attentions = [block.cross_attn for block in self.model.decoder.blocks]
        return torch.stack([it.key(audio) for it in attentions]), torch.stack([it.value(audio) for it in attentions])


class Decoder(nn.Module):
    """From tokens (batch, length) and caches to logits (batch, length, vocabulary) and caches."""

    def __init__(self, decoder: TextDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self, tokens: Tensor, self_k: Tensor, self_v: Tensor, cross_k: Tensor, cross_v: Tensor, offset: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        begin, end = offset[0], offset[0] + tokens.shape[-1]
        x = self.decoder.token_embedding(tokens) + self.decoder.positional_embedding[begin:end]
        for index, block in enumerate(self.decoder.blocks):
            heard = block.attn_ln(x)
            self_k[index, :, begin:end] = block.attn.key(heard)
            self_v[index, :, begin:end] = block.attn.value(heard)
            x = x + _attend(block.attn, heard, self_k[index, :, :end], self_v[index, :, :end], self.decoder.mask)
            x = x + _attend(block.cross_attn, block.cross_attn_ln(x), cross_k[index], cross_v[index], None)
            x = x + block.mlp(block.mlp_ln(x))
        return self.decoder.ln(x) @ self.decoder.token_embedding.weight.T, self_k, self_v


def _attend(attention: MultiHeadAttention, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    attended: Tensor = attention.out(attention.qkv_attention(attention.query(x), keys, values, mask)[0])
    return attended


def convert(checkpoint: Path, target: Path) -> None:
    """Write `encoder.onnx`, `decoder.onnx` and `tokens.txt` into a folder."""
    # Fused attention has no exporter here; the plain products are the same.
    whisper.model.MultiHeadAttention.use_sdpa = False
    model = whisper.load_model(str(checkpoint), device="cpu").eval()
    with torch.no_grad():
        _export(model, target)
    for name in ("encoder", "decoder"):
        whole = target / f"{name}.fp32.onnx"
        quantize_dynamic(whole, target / f"{name}.onnx", op_types_to_quantize=["MatMul"], weight_type=QuantType.QInt8)
        whole.unlink()
    vocabulary = "multilingual" if model.is_multilingual else "gpt2"
    shutil.copyfile(str(files("whisper") / "assets" / f"{vocabulary}.tiktoken"), target / "tokens.txt")


def _export(model: Any, target: Path) -> None:
    dims = model.dims
    mel = torch.zeros(1, dims.n_mels, 2 * dims.n_audio_ctx)
    encoder = Encoder(model)
    cross = encoder(mel)
    batch = {1: "n_audio"}
    heard = batch | {2: "n_positions"}
    torch.onnx.export(
        encoder, (mel,), str(target / "encoder.fp32.onnx"), opset_version=OPSET, dynamo=False,
        input_names=["mel"], output_names=["n_layer_cross_k", "n_layer_cross_v"],
        dynamic_axes={"mel": {0: "n_audio", 2: "n_frames"}, "n_layer_cross_k": heard, "n_layer_cross_v": heard},
    )  # fmt: skip
    _describe(target / "encoder.fp32.onnx", model)
    caches = [torch.zeros(dims.n_text_layer, 1, dims.n_text_ctx, dims.n_text_state) for _ in range(2)]
    tokens = torch.zeros(1, 3, dtype=torch.int64)
    own = ["in_n_layer_self_k_cache", "in_n_layer_self_v_cache"]
    of_audio = ["n_layer_cross_k", "n_layer_cross_v"]
    torch.onnx.export(
        Decoder(model.decoder), (tokens, *caches, *cross, torch.zeros(1, dtype=torch.int64)),
        str(target / "decoder.fp32.onnx"), opset_version=OPSET, dynamo=False,
        input_names=["tokens", *own, *of_audio, "offset"],
        output_names=["logits", "out_n_layer_self_k_cache", "out_n_layer_self_v_cache"],
        dynamic_axes={"tokens": {0: "n_audio", 1: "n_tokens"}}
        | dict.fromkeys(own, batch) | dict.fromkeys(of_audio, heard),
    )  # fmt: skip


def _describe(path: Path, model: Any) -> None:
    words = get_tokenizer(model.is_multilingual, num_languages=model.num_languages)
    described = dict(vars(model.dims)) | {
        "model_type": "whisper-base", "version": "1", "maintainer": "k2-fsa",
        "is_multilingual": int(model.is_multilingual),
        "sot_index": words.sot_sequence.index(words.sot), "blank_id": words.encode(" ")[0],
    }  # fmt: skip
    for name in ("sot", "eot", "no_speech", "transcribe", "translate", "sot_prev", "sot_lm", "no_timestamps"):
        described[name] = getattr(words, name)
    for name in ("sot_sequence", "all_language_tokens", "all_language_codes", "non_speech_tokens"):
        described[name] = ",".join(map(str, getattr(words, name)))
    graph = onnx.load(str(path))
    for key, value in described.items():
        graph.metadata_props.add(key=key, value=str(value))
    onnx.save(graph, str(path))


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
