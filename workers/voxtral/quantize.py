"""Quantization of Voxtral's weights to 8 or 4 bits: with bitsandbytes, and to 8 bits on a CPU by Duet itself."""

from importlib.util import find_spec
from typing import Any, Literal

import torch
import transformers

from pipeline.errors import EngineError
from workers.device import ComputeDevice

Quantize = Literal["int8", "nf4"]
KEPT_MODULES = ("model.audio_tower", "model.multi_modal_projector", "lm_head")
"""Audio encoder, projector and LM head stay in 16 bits: small and most sensitive. Shorter names match no module."""
_LEAST_CAPABILITY = {"int8": (7, 5), "nf4": (6, 0)}
_PACKAGES = ("bitsandbytes", "accelerate")
_hf: Any = transformers


def is_own(place: ComputeDevice, quantize: Quantize | None) -> bool:
    """Return whether Duet quantizes the weights itself (`int8_linear`), and not bitsandbytes."""
    return quantize == "int8" and place.device.type == "cpu"


def check(place: ComputeDevice, quantize: Quantize) -> None:
    """Raise EngineError with the remedy if the device or the installed packages do not support it."""
    if is_own(place, quantize):
        if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
            raise EngineError("DUET_VOXTRAL_QUANTIZE=int8 needs a torch with oneDNN on a CPU; unset it.")
        return
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise EngineError(
            f"DUET_VOXTRAL_QUANTIZE={quantize} needs {' and '.join(missing)}, not installed here; "
            "install Duet with the extra `quantize`, or unset it."
        )
    if place.device.type == "cuda":
        has, least = torch.cuda.get_device_capability(place.device), _LEAST_CAPABILITY[quantize]
        if has < least:
            raise EngineError(
                f"DUET_VOXTRAL_QUANTIZE={quantize} needs a card of compute capability {least[0]}.{least[1]} and "
                f"{torch.cuda.get_device_name(place.device)} has {has[0]}.{has[1]}; unset it, or use a newer card."
            )


def loading_options(place: ComputeDevice, quantize: Quantize | None) -> dict[str, Any]:
    """Return the arguments of transformers' `from_pretrained` for a device that passed `check`."""
    if is_own(place, quantize):
        return {"dtype": "auto"}  # as stored, for which no copy is made
    if quantize is None:
        return {"dtype": place.dtype}
    # Quantized on the device tensor by tensor, because the full weights may not fit there.
    return {
        "dtype": place.dtype,
        "quantization_config": _config(place, quantize),
        "device_map": {"": place.device},
    }


def _config(place: ComputeDevice, quantize: Quantize) -> Any:
    """Return the quantization config of transformers for bitsandbytes."""
    kept = list(KEPT_MODULES)
    if quantize == "int8":
        return _hf.BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=kept)
    return _hf.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=place.dtype,
        llm_int8_skip_modules=kept,
    )
