"""Which analyst this machine gets: Voxtral here, Voxtral on a server, or none and why."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.settings import Settings
from workers.engines import Analyst
from workers.voxtral import weights

# Where the kernel shows an NVIDIA driver: Linux, and Linux inside Windows. Looking costs nothing,
# importing torch to ask it costs seconds.
_DRIVER_FILES = (Path("/dev/nvidiactl"), Path("/proc/driver/nvidia/version"), Path("/dev/dxg"))


@dataclass(frozen=True)
class Skipped:
    """No analyst here: the leg is skipped, and `reason` says why and what to do."""

    reason: str


def load_analyst(settings: Settings) -> Analyst | Skipped:
    """Load the analyst that the settings and this machine allow, ready to be used.

    A server that the settings name comes before the card: who names one wants it used.
    With `auto` what is merely missing (a card, room on it, the weights) skips the leg; with `on` it is
    an error. What is there and cannot be right is always an error.

    Raises:
        EngineError: Voxtral is asked for and cannot run on this machine.
        WeightsError: the weights are damaged, or asked for and not found.
    """
    if settings.voxtral == "off":
        return Skipped("Voxtral is switched off here (DUET_VOXTRAL=off); set DUET_VOXTRAL=auto to use it.")
    if settings.voxtral_url:
        from workers.voxtral.analyst import VoxtralAnalyst
        from workers.voxtral.remote import LONGEST_SECTION_S, RemoteEars

        remote = RemoteEars.connect(settings, settings.voxtral_model)
        section_s = min(settings.voxtral_section_s or LONGEST_SECTION_S, LONGEST_SECTION_S)
        return VoxtralAnalyst(remote, name=remote.model, section_s=section_s)
    if settings.voxtral == "auto":
        if settings.device == "cpu":
            return Skipped(_no_card("DUET_DEVICE=cpu keeps this pool off CUDA"))
        if not any(path.exists() for path in _DRIVER_FILES):
            return Skipped(_no_card("this machine has no NVIDIA driver"))
        from workers.device import has_cuda

        if not has_cuda():
            return Skipped(_no_card("torch finds no CUDA device that it can use"))
    try:
        folder = weights.find(settings.voxtral_model)
    except weights.NotFoundError as error:
        if settings.voxtral == "auto":
            return Skipped(str(error))
        raise
    found = weights.check(folder)

    from workers import device
    from workers.voxtral import plan, quantize

    place, bits = device.choose(settings.device), settings.voxtral_quantize
    if bits is not None:
        quantize.check(place, bits)
    has, weights_bytes = plan.memory(place), quantize.weights_bytes(found, place, bits)
    section_s = settings.voxtral_section_s or plan.section_s(place, has.free_bytes, weights_bytes)
    shortage = plan.shortage(place, has, weights_bytes, section_s)
    if shortage and settings.voxtral == "auto":
        return Skipped(shortage)
    if shortage:
        raise plan.NoRoomError(shortage)

    from workers.voxtral import loading
    from workers.voxtral.analyst import VoxtralAnalyst
    from workers.voxtral.local import LocalEars

    ears = LocalEars(loading.load(found, place, bits), plan.rows_at_once(place, section_s))
    # Fewer bits give other answers: those of one kind are no checkpoints for the other.
    name = f"{settings.voxtral_model} ({bits})" if bits else settings.voxtral_model
    return VoxtralAnalyst(ears, name=name, section_s=section_s)


def _no_card(why: str) -> str:
    return (
        f"Voxtral needs a CUDA device and {why}; run the voxtral pool on a machine with an NVIDIA card, "
        "set DUET_VOXTRAL_URL to a server that has Voxtral, or set DUET_VOXTRAL=on to run it on the CPU, "
        "which takes many times the episode's length."
    )
