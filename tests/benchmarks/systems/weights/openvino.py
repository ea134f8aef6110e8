"""Whisper in OpenVINO's format with weights of 8 bits, by optimum-intel's command line."""

import subprocess
import sys
from pathlib import Path


def convert(source: Path, target: Path) -> None:
    """Write the folder of a pipeline, with the tokenizer as a model of its own."""
    command = Path(sys.executable).with_name("optimum-cli")
    options = ["--task", "automatic-speech-recognition-with-past", "--weight-format", "int8"]
    subprocess.run([command, "export", "openvino", "--model", source, *options, target], check=True)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
