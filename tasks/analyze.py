"""The slow leg: what was said, understood from the audio itself."""

from collections.abc import Callable

from pipeline.celery import app
from pipeline.merge import ANALYSIS
from pipeline.storage import open_storage
from pipeline.types import JobSpec, LegOutcome
from tasks.audio import local_audio
from tasks.leg import LegTask
from workers import pool
from workers.voxtral import Skipped


@app.task(bind=True, base=LegTask, name="tasks.analyze", leg="voxtral")  # type: ignore[untyped-decorator]
def analyze(self: LegTask, spec: JobSpec, report: Callable[[float, float], None]) -> LegOutcome:
    """Let Voxtral hear the episode and write its analysis."""
    analyst = pool.analyst()
    if isinstance(analyst, Skipped):
        return LegOutcome(leg="voxtral", status="skipped", reason=analyst.reason)
    analysis = analyst.analyze(local_audio(spec), spec.options, report)
    open_storage(spec.uri).put(ANALYSIS, analysis.to_json())
    return LegOutcome(leg="voxtral", status="ok", audio_s=analysis.heard_s, model=analysis.model)
