"""The fast leg: the transcript, written as soon as it is there."""

from collections.abc import Callable

from pipeline.celery import app
from pipeline.formats import FORMATS
from pipeline.quality import flaws
from pipeline.storage import open_storage
from pipeline.types import JobSpec, LegOutcome, Transcript
from tasks.audio import local_audio
from tasks.leg import LegTask
from workers import pool


@app.task(bind=True, base=LegTask, name="tasks.transcribe", leg="whisper")  # type: ignore[untyped-decorator]
def transcribe(self: LegTask, spec: JobSpec, report: Callable[[float, float], None]) -> LegOutcome:
    """Turn the episode's audio into a transcript and write it in every format."""
    transcriber = pool.transcriber()
    transcript = transcriber.transcribe(local_audio(spec), spec.options, report)
    _write(spec, transcript)
    return LegOutcome(
        leg="whisper",
        status="ok",
        flaws=flaws(transcript),
        audio_s=transcript.audio_s,
        model=transcript.model,
    )


def _write(spec: JobSpec, transcript: Transcript) -> None:
    storage = open_storage(spec.uri)
    for name, form in reversed(FORMATS.items()):
        storage.put(name, form.render(transcript).encode())
