"""The slow leg: analysis of the audio with Voxtral."""

from typing import Any

from pipeline.celery import app
from pipeline.results.analysis import unread_flaws
from pipeline.results.corrections.files import context_of
from pipeline.results.first_words import first_words
from pipeline.results.manifest import product_name
from pipeline.results.merge import speakers_so_far, transcript_so_far
from pipeline.results.voxtral_names import evident
from pipeline.settings import chosen
from pipeline.types import Analysis, LegOutcome
from tasks.base.audio_file import local_audio
from tasks.base.leg_run import LegRun
from tasks.base.leg_task import LegTask, run_leg
from workers import pool
from workers.engine import Analyst, Skipped


@app.task(bind=True, base=LegTask, name="tasks.analyze")  # type: ignore[untyped-decorator]
def analyze(self: LegTask, message: dict[str, Any]) -> dict[str, Any]:
    """Analyze the episode's audio with Voxtral and store the analysis."""
    return run_leg(self, message, "voxtral", _analyze)


def _analyze(leg: LegRun) -> LegOutcome:
    analyst = pool.analyst()
    if isinstance(analyst, Skipped):
        return LegOutcome(
            leg="voxtral",
            status="skipped",
            reason=analyst.reason,
            short=analyst.short,
            unavailable=not analyst.may_pass,
        )
    with local_audio(leg.spec) as audio:
        analysis = analyst.analyze(
            audio, leg.spec.options, leg.report, leg.checkpoints, leg.is_cancelled, context_of(leg.spec)
        )
    analysis = _with_chapters(analysis, analyst, leg)
    analysis = _with_names(analysis, analyst, leg)
    leg.storage.put(product_name(leg.spec, "voxtral"), analysis.to_json())
    return LegOutcome(
        leg="voxtral",
        status="ok",
        flaws=unread_flaws(analysis),
        audio_s=analysis.heard_s,
        model=analysis.model,
        model_digest=analyst.digest,
        device=analyst.device,
        settings=chosen("voxtral_model", "voxtral_section_s", "voxtral_quantize", "device"),
    )


def _with_chapters(analysis: Analysis, analyst: Analyst, leg: LegRun) -> Analysis:
    """Return the analysis with chapters if the fast leg has ended; else the merge adds those of the outline."""
    transcript = transcript_so_far(leg.spec, leg.storage)
    if transcript is None:
        return analysis
    from workers.outline import transcript_parts  # deferred: its libraries take a second to load

    spoken = [(part.start_s, [it.text for it in part.sentences]) for part in transcript_parts(transcript)]
    return analyst.title_chapters(analysis, spoken, leg.checkpoints, leg.is_cancelled)


def _with_names(analysis: Analysis, analyst: Analyst, leg: LegRun) -> Analysis:
    """Return the analysis with names of speakers if the other legs have ended; else the merge finds names alone."""
    transcript = speakers_so_far(leg.spec, leg.storage)
    speakers = first_words(transcript) if transcript else []
    if transcript is None or not speakers:
        return analysis
    named = analyst.name_speakers(analysis, speakers, leg.checkpoints, leg.is_cancelled, context_of(leg.spec))
    return named.model_copy(update={"speakers": evident(named.speakers, transcript)})
