"""Doctor checks of a machine with a compute device and models."""

from functools import partial
from pathlib import Path

import torch

from pipeline.errors import EngineError
from pipeline.monitoring.doctor.check import Check, Probe, failed, ok, warning
from pipeline.settings import settings
from workers import device
from workers.device import GIB
from workers.memory import cards
from workers.memory.request import plan_request
from workers.voxtral import quantize
from workers.weights import voxtral as voxtral_weights
from workers.weights.digest import digest_of
from workers.weights.whisper import is_local, whisper_checkpoint

_DRIVER = Path("/proc/driver/nvidia/version")
_PRECISIONS = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16"}

_WAYS = (
    "three ways to get an analysis: a machine with a CUDA GPU; DUET_VOXTRAL_URL=<server that has Voxtral>; "
    "or this CPU, at many times the episode's length: `duet models get voxtral` (9 GB) and, where it does not multiply "
    "bfloat16, DUET_VOXTRAL_QUANTIZE=int8. Then `duet retry --outlines`"
)


def probes() -> list[Probe]:
    """Return the checks."""
    own = [Probe("driver", _driver), Probe("device", _device), Probe("whisper-weights", _whisper_weights)]
    try:
        place = device.choose(settings().device)
    except EngineError:
        return own  # the device check reports the reason; the other checks need a device
    return [
        *own,
        Probe("voxtral-weights", partial(_voxtral_weights, place)),
        Probe("precision", partial(_precision, place)),
        Probe("plan", _plan),
    ]


def _driver() -> Check:
    if not _DRIVER.is_file():
        if settings().device.startswith("cuda"):
            return failed("driver", "no NVIDIA driver", "install one, or give the container the card (--gpus)")
        return ok("driver", "no NVIDIA driver, so the CPU does the work")
    found = _DRIVER.read_text("utf-8", "replace").splitlines()[0].removeprefix("NVRM version: ").strip()
    if not device.has_cuda():
        step = "install a CUDA build of torch that this driver is new enough for"
        return failed("driver", f"{found}, and torch {torch.__version__} cannot use it", step)
    return ok("driver", f"{found}, CUDA {torch.version.cuda}")


def _device() -> Check:
    place = device.choose(settings().device)
    free, total = cards.free_bytes(place), cards.of(place).total_bytes
    found = f"{device.described(place.device)}, {free / GIB:.1f} of {total / GIB:.1f} GiB free"
    if place.device.type == "cuda":
        return ok("device", found)
    return warning("device", found, "a CUDA device makes both models many times faster")


def _precision(place: device.ComputeDevice) -> Check:
    card = cards.of(place)
    found = f"Whisper {card.whisper_precision}, Voxtral {_PRECISIONS[place.dtype]}"
    if place.dtype == torch.float16:
        return ok("precision", f"{found}: the card has no bfloat16 of its own")
    return ok("precision", found)


def _whisper_weights() -> Check:
    model = settings().whisper_model
    if not is_local(model):
        step = "it is downloaded when the pool starts; without a network set DUET_WHISPER_MODEL to a checkpoint's path"
        return warning("whisper-weights", f"{model} is not here yet", step)
    path = whisper_checkpoint(model)
    return ok("whisper-weights", f"{model}, {path}, SHA-256 {digest_of(path)[:16]}")


def _voxtral_weights(place: device.ComputeDevice) -> Check:
    own = settings()
    if own.voxtral == "off":
        return ok("voxtral-weights", "not needed: DUET_VOXTRAL=off")
    if own.voxtral_url:
        return ok("voxtral-weights", f"not needed: {own.voxtral_url} has them")
    if own.voxtral == "auto" and place.dtype == torch.float32 and own.voxtral_quantize != "int8":
        return warning("voxtral-weights", "not needed: this CPU does not multiply bfloat16", _WAYS)
    if own.voxtral_quantize:
        quantize.check(place, own.voxtral_quantize)
    folder = voxtral_weights.find_local(own.voxtral_model)
    if folder is None:
        step = "fetch them with `duet models get voxtral`, 9 GB for Mini, or set DUET_VOXTRAL_URL to a server"
        step = step if place.device.type == "cuda" else _WAYS
        return warning("voxtral-weights", f"those of {own.voxtral_model} are not here yet", step)
    found = voxtral_weights.check(folder)
    return ok("voxtral-weights", f"{own.voxtral_model}, {folder}, {found.parameters / 1e9:.1f} billion numbers")


def _plan() -> Check:
    asked = plan_request(settings())
    made = asked.plan()
    if not made.fits:
        return failed("plan", asked.refusal(), "see `duet plan`")
    shares = [f"Whisper {made.whisper.bytes / GIB:.1f}"]
    if made.voxtral:
        shares.append(f"Voxtral {made.voxtral.bytes / GIB:.1f}")
    return ok("plan", f"{', '.join(shares)}, left {made.left_bytes / GIB:.1f} GiB")
