"""Every system by its name."""

from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.systems.environments import python_of, weights_of

HERE = "tests.benchmarks.systems"


@dataclass(frozen=True)
class System:
    """A system: its module, the format of its weights, and its environment."""

    module: str
    weights: tuple[str, ...] = ()
    """Modules in `weights`, one after the other; none is openai-whisper's checkpoint."""
    requirements: str | None = None
    """A file beside the modules; None is the project's own environment."""

    def prepare(self, checkpoint: Path) -> Path:
        """Return the interpreter, with everything in place.

        Raises:
            NotReady: the system cannot run here.
        """
        python = python_of(self.requirements)
        self.weights_path(checkpoint)
        return python

    def weights_path(self, checkpoint: Path) -> Path:
        """Return the weights in the system's format."""
        return weights_of(checkpoint, self.weights)


_OURS = System(f"{HERE}.ours")
_STOCK = System(f"{HERE}.stock")
_FASTER = System(f"{HERE}.faster_whisper", weights=("ctranslate2",))
_WHISPER_CPP = System(f"{HERE}.peers.whisper_cpp", weights=("ggml",), requirements="peers/whisper_cpp.txt")
_WHISPER_X = System(f"{HERE}.peers.whisper_x", weights=("ctranslate2",), requirements="peers/whisper_x.txt")
_SHERPA_ONNX = System(f"{HERE}.peers.sherpa_onnx", weights=("sherpa",), requirements="peers/sherpa_onnx.txt")
_ONNX_ASR = System(
    f"{HERE}.peers.onnx_asr", weights=("hugging_face", "optimum_onnx"), requirements="peers/onnx_asr.txt"
)
_OPENVINO_GENAI = System(
    f"{HERE}.peers.openvino_genai",
    weights=("hugging_face", "openvino"),
    requirements="peers/openvino_genai.txt",
)

SYSTEMS: dict[str, System] = {
    "ours": _OURS,
    "ours-best": _OURS,
    "ours-fp32": _OURS,
    "stock": _STOCK,
    "stock-words": _STOCK,
    "stock-default": _STOCK,
    "faster-whisper": _FASTER,
    "faster-whisper-beam": _FASTER,
    "faster-whisper-batched": _FASTER,
    "whisperx-way": _FASTER,
    "whisperX": _WHISPER_X,
    "sherpa-onnx": _SHERPA_ONNX,
    "onnx-asr": _ONNX_ASR,
    "openvino-genai": _OPENVINO_GENAI,
    "whisper.cpp": _WHISPER_CPP,
    "whisper.cpp-q8": _WHISPER_CPP,
}
