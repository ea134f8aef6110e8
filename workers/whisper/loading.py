"""Loading of the transcriber that the settings select."""

from pathlib import Path

from pipeline.settings import Settings
from workers.device import choose
from workers.engine import Transcriber
from workers.memory.device_priority import device_priority
from workers.memory.pressure import oom_halvings
from workers.memory.request import plan_request
from workers.memory.reservation import reserve_device
from workers.weights.digest import digest_of
from workers.weights.whisper import load_whisper, whisper_checkpoint
from workers.whisper.batch_transcriber import DecodingOptions
from workers.whisper.engine import WhisperEngine


def load_transcriber(settings: Settings) -> Transcriber:
    """Return a transcriber with the model of the settings loaded.

    Raises:
        EngineError: the model or the device is not available.
    """
    place = choose(settings.device)
    share = plan_request(settings).applied_plan().whisper.reduced(oom_halvings())
    with reserve_device(place, share):
        model = load_whisper(settings.whisper_model, place.device)
        digest = digest_of(whisper_checkpoint(settings.whisper_model))
        name = f"whisper-{Path(settings.whisper_model).name.removesuffix('.pt')}"  # not the stem: base.en
        return WhisperEngine(
            model,
            name,
            digest=digest,
            batch_size=share.batch,
            decoding_options=DecodingOptions(second_reading=settings.whisper_accuracy == "best"),
            priority=device_priority(place.device),
        )
