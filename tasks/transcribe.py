"""The fast leg: transcription with Whisper, published without waiting for the analysis."""

from typing import Any

from pipeline.celery import app
from pipeline.results.corrections.files import context_of
from pipeline.results.merge import write_transcript
from pipeline.results.quality_gate import quality_warnings
from pipeline.results.uncertainty import flag_uncertain
from pipeline.settings import chosen
from pipeline.types import LegOutcome
from tasks.base.audio_file import local_audio
from tasks.base.leg_run import LegRun
from tasks.base.leg_task import LegTask, run_leg
from workers import pool


@app.task(bind=True, base=LegTask, name="tasks.transcribe")  # type: ignore[untyped-decorator]
def transcribe(self: LegTask, message: dict[str, Any]) -> dict[str, Any]:
    """Transcribe the episode with Whisper and publish the transcript in every format."""
    return run_leg(self, message, "whisper", _transcribe)


def _transcribe(leg: LegRun) -> LegOutcome:
    with local_audio(leg.spec) as audio:
        engine = pool.transcriber()
        transcript = engine.transcribe(
            audio,
            leg.spec.options.model_copy(update={"vocabulary": context_of(leg.spec).names}),
            leg.report,
            checkpoints=leg.checkpoints,
            on_segments=leg.on_segments,
        )
    flagged_transcript = flag_uncertain(transcript)
    write_transcript(leg.spec, flagged_transcript, leg.storage)
    return LegOutcome(
        leg="whisper",
        status="ok",
        flaws=quality_warnings(flagged_transcript),
        audio_s=transcript.audio_s,
        tags=transcript.tags,
        model=transcript.model,
        model_digest=engine.digest,
        device=engine.device,
        settings=chosen("whisper_model", "device"),
    )
