"""Which analyst this machine gets: Voxtral here, Voxtral on a server, or none and why."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.settings import Settings
from workers.engine import Analyst
from workers.weights import voxtral as voxtral_weights
from workers.weights.digest import digest_of

# Where the kernel shows an NVIDIA driver: Linux, and Linux inside Windows. Looking costs nothing,
# importing torch to ask it costs seconds.
_DRIVER_FILES = (Path("/dev/nvidiactl"), Path("/proc/driver/nvidia/version"), Path("/dev/dxg"))


@dataclass(frozen=True)
class Skipped:
    """No analyst here: the leg is skipped, and `reason` says why and what to do."""

    reason: str
    may_pass: bool = False
    """Whether it may be otherwise in a while: a hub or bucket was away, or somebody else had the card's memory."""


def load_analyst(settings: Settings) -> Analyst | Skipped:
    """Load the analyst that the settings and this machine allow, ready to be used.

    A server that the settings name comes before the card: who names one wants it used.
    With `auto` what is merely missing (a card, room on it, the weights) skips the leg; with `on` it is
    an error. What is there and cannot be right is always an error. Only what this process cannot see change,
    the settings and the card itself, is skipped for good.

    Raises:
        EngineError: Voxtral is asked for and cannot run on this machine.
        WeightsError: the weights are damaged, or asked for and not found.
    """
    if settings.voxtral == "off":
        return Skipped("Voxtral is switched off here (DUET_VOXTRAL=off); set DUET_VOXTRAL=auto to use it.")
    if settings.voxtral_url:
        return _on_server(settings)
    if settings.voxtral == "auto" and (why := _why_no_card(settings)):
        return Skipped(_no_card(why))
    try:
        folder = voxtral_weights.find(settings.voxtral_model)
    except voxtral_weights.NotFoundError as error:
        if settings.voxtral == "auto":
            return Skipped(str(error), may_pass=True)
        raise
    return _on_device(settings, voxtral_weights.check(folder))


def _on_server(settings: Settings) -> Analyst:
    from workers.voxtral.analyst import VoxtralAnalyst
    from workers.voxtral.remote_backend import LONGEST_SECTION_S, RemoteBackend

    remote = RemoteBackend.connect(settings, settings.voxtral_model)
    section_s = min(settings.voxtral_section_s or LONGEST_SECTION_S, LONGEST_SECTION_S)
    return VoxtralAnalyst(remote, name=remote.model, section_s=section_s, device=settings.voxtral_url or "")


def _on_device(settings: Settings, found: voxtral_weights.Weights) -> Analyst | Skipped:
    from workers import device
    from workers.memory.device_priority import device_priority
    from workers.memory.pressure import oom_halvings
    from workers.memory.request import NoRoomError, plan_request
    from workers.memory.reservation import reserve_device
    from workers.voxtral import device_loading, quantize
    from workers.voxtral.analyst import VoxtralAnalyst
    from workers.voxtral.local_backend import LocalBackend

    place, bits = device.choose(settings.device), settings.voxtral_quantize
    if bits is not None:
        quantize.check(place, bits)
    asked = plan_request(settings, voxtral=str(found.folder))
    share = asked.plan().voxtral
    if share is None or not asked.plan().fits:
        if settings.voxtral == "auto":
            return Skipped(asked.refusal())
        raise NoRoomError(asked.refusal())
    share = share.reduced(oom_halvings())
    try:
        with reserve_device(place, share):
            backend = LocalBackend(device_loading.load(found, place, bits), share.rows)
    except NoRoomError as error:
        if settings.voxtral == "auto":
            return Skipped(str(error), may_pass=True)
        raise
    backend.model.priority = device_priority(place.device)
    # Fewer bits give other answers: those of one kind are no checkpoints for the other.
    name = f"{settings.voxtral_model} ({bits})" if bits else settings.voxtral_model
    return VoxtralAnalyst(
        backend,
        name=name,
        section_s=share.section_s,
        digest=digest_of(found.folder),
        device=device.described(place.device),
    )


def _why_no_card(settings: Settings) -> str:
    """Return why there is no CUDA device for Voxtral, or "" if there is one."""
    if settings.device == "cpu":
        return "DUET_DEVICE=cpu keeps this pool off CUDA"
    if not any(path.exists() for path in _DRIVER_FILES):
        return "this machine has no NVIDIA driver"
    from workers.device import has_cuda

    return "" if has_cuda() else "torch finds no CUDA device that it can use"


def _no_card(why: str) -> str:
    return (
        f"Voxtral needs a CUDA device and {why}; run the voxtral pool on a machine with an NVIDIA card, "
        "set DUET_VOXTRAL_URL to a server that has Voxtral, or set DUET_VOXTRAL=on to run it on the CPU, "
        "which takes many times the episode's length."
    )
