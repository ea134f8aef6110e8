"""The device that both pools share."""

import torch

from pipeline.errors import EngineError
from pipeline.settings import settings


def device() -> str:
    """Return the torch device to use: what DUET_DEVICE says, else CUDA where there is one, else the CPU.

    Raises:
        EngineError: DUET_DEVICE names a device that is not there.
    """
    asked = settings().device
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=asked)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise EngineError(f"DUET_DEVICE={asked} cannot be used on this machine: {reason}.") from None
    return asked
