"""Selection of the analyst: local Voxtral, Voxtral on a server, or none with a reason."""

from pathlib import Path

from pipeline.settings import Settings
from workers.engine import Analyst, Skipped
from workers.weights import voxtral as voxtral_weights
from workers.weights.digest import digest_of

# Files of an NVIDIA driver on Linux and WSL. Checking them is free; importing torch takes seconds.
_DRIVER_FILES = (Path("/dev/nvidiactl"), Path("/proc/driver/nvidia/version"), Path("/dev/dxg"))


def load_analyst(settings: Settings) -> Analyst | Skipped:
    """Load the analyst that the settings and this machine allow.

    A configured server takes precedence over the card, and that over the CPU. With `auto`, a missing resource (device,
    its memory, weights) skips the leg; with `on` it is an error. An invalid resource is always an error. The leg is
    skipped permanently only for causes that cannot change within this process: the settings, the device itself, and
    weights that somebody has to fetch.

    Raises:
        EngineError: Voxtral is required and cannot run on this machine.
        WeightsError: the weights are damaged, or required and not found.
    """
    if settings.voxtral == "off":
        reason = "Voxtral is switched off here (DUET_VOXTRAL=off); set DUET_VOXTRAL=auto to use it."
        return Skipped(reason, "switched off here")
    if settings.voxtral_url:
        return _on_server(settings)
    try:
        if settings.voxtral == "auto" and (why := _why_no_card(settings)):
            return _on_cpu(settings, why)
        folder = voxtral_weights.find(settings.voxtral_model)
    except voxtral_weights.NotFoundError as error:
        if settings.voxtral == "auto":
            return Skipped(str(error), "its weights were not found", may_pass=True)
        raise
    return _on_device(settings, voxtral_weights.check(folder))


def _on_cpu(settings: Settings, why_no_card: str) -> Analyst | Skipped:
    """Return the analyst on a CPU, if the weights are here: 9 GB are downloaded only where they were asked for."""
    if settings.device not in ("auto", "cpu"):
        reason = f"DUET_DEVICE={settings.device} cannot be used, because {why_no_card}; set it to auto or cpu."
        return Skipped(reason, f"no {settings.device} here")
    folder = voxtral_weights.find_local(settings.voxtral_model)
    if folder is None:
        return Skipped(
            f"Voxtral's weights ({settings.voxtral_model}) are not on this machine, and {why_no_card}; to run it on "
            "the CPU, fetch them once with `duet models get voxtral` (9 GB) and start the pool again, or set "
            "DUET_VOXTRAL_URL to a server that has Voxtral.",
            "no GPU here",
        )
    from workers.device import cpu_has_bfloat16

    if not cpu_has_bfloat16() and settings.voxtral_quantize != "int8":
        return Skipped(
            "Voxtral needs a CPU that multiplies bfloat16 (avx512_bf16 or AMX), and this one does not; set "
            "DUET_VOXTRAL_URL to a server that has Voxtral, or DUET_VOXTRAL_QUANTIZE=int8 to run it with weights of 8 "
            "bits, which takes 11 GB of memory and several times the episode's length, or DUET_VOXTRAL=on to compute "
            "in float32, which takes 19 GB and many times the episode's length.",
            "no GPU here, and a CPU without bfloat16",
        )
    return _on_device(settings, voxtral_weights.check(folder))


def _on_server(settings: Settings) -> Analyst:
    from workers.voxtral.analyst import VoxtralAnalyst
    from workers.voxtral.remote_backend import LONGEST_SECTION_S, RemoteBackend

    remote = RemoteBackend.connect(settings)
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
            return Skipped(asked.refusal(), "too little memory here")
        raise NoRoomError(asked.refusal())
    share = share.reduced(oom_halvings())
    try:
        with reserve_device(place, share):
            backend = LocalBackend(device_loading.load(found, place, bits), share.rows)
    except NoRoomError as error:
        if settings.voxtral == "auto":
            return Skipped(str(error), "the card's memory is in use", may_pass=True)
        raise
    backend.model.priority = device_priority(place.device)
    # Quantization changes the answers, so its checkpoints need a separate name.
    name = f"{settings.voxtral_model} ({bits})" if bits else settings.voxtral_model
    return VoxtralAnalyst(
        backend,
        name=name,
        section_s=share.section_s,
        digest=digest_of(found.folder),
        device=device.described(place.device),
    )


def _why_no_card(settings: Settings) -> str:
    """Return the reason for the lack of a CUDA device, or "" if there is one."""
    if settings.device == "cpu":
        return "DUET_DEVICE=cpu keeps this pool off CUDA"
    if not any(path.exists() for path in _DRIVER_FILES):
        return "this machine has no NVIDIA driver"
    from workers.device import has_cuda

    return "" if has_cuda() else "torch finds no CUDA device that it can use"
