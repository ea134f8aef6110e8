"""The slow leg: analysis of the audio with Voxtral."""

from typing import Any

from pipeline.celery import app
from pipeline.results.manifest import product_name
from pipeline.settings import chosen
from pipeline.types import Context, LegOutcome
from tasks.base.audio_file import local_audio
from tasks.base.leg_run import LegRun
from tasks.base.leg_task import LegTask, run_leg
from workers import pool
from workers.voxtral import Skipped


@app.task(bind=True, base=LegTask, name="tasks.analyze")  # type: ignore[untyped-decorator]
def analyze(self: LegTask, message: dict[str, Any]) -> dict[str, Any]:
    """Analyze the episode's audio with Voxtral and store the analysis."""
    return run_leg(self, message, "voxtral", _analyze)


def _analyze(leg: LegRun) -> LegOutcome:
    analyst = pool.analyst()
    if isinstance(analyst, Skipped):
        return LegOutcome(leg="voxtral", status="skipped", reason=analyst.reason)
    with local_audio(leg.spec) as audio:
        analysis = analyst.analyze(
            audio, leg.spec.options, leg.report, leg.checkpoints, leg.is_cancelled, Context.of(leg.spec)
        )
    leg.storage.put(product_name(leg.spec, "voxtral"), analysis.to_json())
    return LegOutcome(
        leg="voxtral",
        status="ok",
        audio_s=analysis.heard_s,
        model=analysis.model,
        model_digest=analyst.digest,
        device=analyst.device,
        settings=chosen("voxtral_model", "voxtral_section_s", "voxtral_quantize", "device"),
    )
