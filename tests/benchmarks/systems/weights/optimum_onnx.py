"""Whisper as optimum-onnx exports it, with matrices of 8 bits by onnxruntime's dynamic quantization."""

import shutil
import subprocess
import sys
from pathlib import Path

from onnxruntime.quantization import QuantType, quantize_dynamic

GRAPHS = ("encoder_model", "decoder_model_merged")
SETTINGS = ("config.json", "vocab.json", "added_tokens.json")


def convert(source: Path, target: Path) -> None:
    """Write the encoder, the decoder with and without a cache in one graph, and what onnx-asr reads beside them."""
    command = Path(sys.executable).with_name("optimum-cli")
    whole = target / "whole"
    options = ["--task", "automatic-speech-recognition-with-past"]
    subprocess.run([command, "export", "onnx", "--model", source, *options, whole], check=True)
    for name in GRAPHS:
        quantize_dynamic(
            whole / f"{name}.onnx",
            target / f"{name}_int8.onnx",
            op_types_to_quantize=["MatMul"],
            weight_type=QuantType.QInt8,
            extra_options={"EnableSubgraph": True},
        )
    for name in SETTINGS:
        shutil.copyfile((whole if (whole / name).is_file() else source) / name, target / name)
    shutil.rmtree(whole)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
