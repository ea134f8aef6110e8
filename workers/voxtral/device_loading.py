"""Loading of Voxtral's weights from a checked folder onto a device."""

from typing import Any

import torch
import transformers

from pipeline.errors import EngineError, WeightsError
from workers.device import ComputeDevice
from workers.voxtral import quantize as quantization
from workers.voxtral.int8_linear import quantize_layers
from workers.voxtral.model import VoxtralModel
from workers.voxtral.quantize import Quantize
from workers.weights.voxtral import Weights

_hf: Any = transformers  # its types do not pass strict checking


def load(weights: Weights, place: ComputeDevice, quantize: Quantize | None = None) -> VoxtralModel:
    """Load checked weights onto a device, quantized on request.

    Raises:
        WeightsError: the tensors do not match config.json, or the tokenizer does not match the model.
        EngineError: the device lacks memory for them, or does not support the quantization.
    """
    _hf.logging.disable_progress_bar()
    folder = weights.folder
    if quantize is not None:
        quantization.check(place, quantize)
    options = quantization.loading_options(place, quantize)
    try:
        processor = _hf.AutoProcessor.from_pretrained(folder, local_files_only=True)
        model, report = _hf.VoxtralForConditionalGeneration.from_pretrained(
            folder, local_files_only=True, output_loading_info=True, **options
        )
        if quantize is None:
            model.to(place.device)
        elif quantization.is_own(place, quantize):
            _quantize(model, place.dtype)
    except torch.OutOfMemoryError as error:
        raise EngineError(f"{place.device} has no room for Voxtral's weights ({error}).") from None
    except ImportError as error:  # bitsandbytes is installed, but does not support this machine
        raise EngineError(f"DUET_VOXTRAL_QUANTIZE={quantize} does not run here ({_first(error)}); unset it.") from None
    except (ValueError, KeyError, TypeError, OSError, RuntimeError) as error:
        raise WeightsError(_mismatch_message(folder, _first(error))) from None
    # transformers initializes missing tensors with random numbers.
    if absent := sorted(report["missing_keys"]):
        raise WeightsError(_mismatch_message(folder, f"{len(absent)} tensors are missing, the first is {absent[0]}"))
    words = processor.tokenizer.vocab_size
    rows = model.config.text_config.vocab_size
    if words > rows:
        raise WeightsError(_mismatch_message(folder, f"tekken.json has {words} tokens and the model {rows}"))
    return VoxtralModel(model.eval(), processor, place)


def _quantize(model: Any, dtype: torch.dtype) -> None:
    """Quantize the language model's layers in place, and convert what is left to another dtype.

    On a CPU the loaded weights are pages of the files, so that at no time all of them are in memory as well.
    """
    quantize_layers(model.model.language_model.layers)
    for weight in model.parameters():  # and no buffers: the frequencies of rotary positions need their 32 bits
        weight.data = weight.data.to(dtype)


def _first(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _mismatch_message(folder: object, reason: str) -> str:
    return f"The files in {folder} do not make a Voxtral ({reason}); copy or download the model again."
