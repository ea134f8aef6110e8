"""The fast leg: the transcript, written as soon as it is there."""

from pipeline.celery import app
from pipeline.formats import FORMATS
from pipeline.quality import flaws
from pipeline.storage import Storage
from pipeline.types import LegOutcome, Transcript
from tasks.audio import local_audio
from tasks.context import LegContext
from tasks.leg import LegTask
from workers import pool


@app.task(bind=True, base=LegTask, name="tasks.transcribe", leg="whisper")  # type: ignore[untyped-decorator]
def transcribe(self: LegTask, leg: LegContext) -> LegOutcome:
    """Turn the episode's audio into a transcript and write it in every format."""
    transcript = pool.transcriber().transcribe(
        local_audio(leg.spec),
        leg.spec.options,
        leg.report,
        checkpoints=leg.checkpoints,
        on_segments=leg.on_segments,
    )
    _write(transcript, leg.storage)
    return LegOutcome(
        leg="whisper",
        status="ok",
        flaws=flaws(transcript),
        audio_s=transcript.audio_s,
        model=transcript.model,
    )


def _write(transcript: Transcript, storage: Storage) -> None:
    for name, form in reversed(FORMATS.items()):
        storage.put(name, form.render(transcript).encode())
