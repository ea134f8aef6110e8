"""Both legs' outcomes made into one result, the manifest that is written last."""

import hashlib
import time

from pydantic import ValidationError

from pipeline.clock import iso
from pipeline.errors import StorageError
from pipeline.formats import FORMATS
from pipeline.ledger import JobRecord
from pipeline.outline import outline
from pipeline.storage import Storage
from pipeline.types import Analysis, EpisodeResult, JobSpec, JobState, Leg, LegOutcome, Transcript

MANIFEST = "result.json"
TRANSCRIPT = "transcript.json"
ANALYSIS = "analysis.json"
WORK = ".work/"
NAMES: dict[Leg, str] = {"whisper": "Whisper", "voxtral": "Voxtral"}


def merge_legs(spec: JobSpec, legs: dict[Leg, LegOutcome], storage: Storage, record: JobRecord | None) -> EpisodeResult:
    """Return the result of a job from what its legs left in storage.

    Raises:
        StorageError: a file that a leg says it wrote is not there.
    """
    transcript = Transcript.from_json(storage.get(TRANSCRIPT)) if legs["whisper"].status == "ok" else None
    analysis = _analysis(legs["voxtral"], transcript, storage)
    missing = tuple(_named(leg, sentence) for leg, it in legs.items() for sentence in _shortfalls(it))
    cancelled = record is not None and record.state is JobState.CANCELLED
    return EpisodeResult(
        job=spec.job,
        attempt=spec.attempt,
        episode=spec.episode,
        options=spec.options,
        state=JobState.CANCELLED if cancelled else _state(legs),
        reason=" ".join(missing),
        audio_s=max((it.audio_s for it in legs.values() if it.audio_s), default=None),
        language=transcript.language if transcript else None,
        text=transcript.text if transcript else "",
        analysis=analysis,
        legs=legs,
        missing=missing,
        files=_files(storage, transcript, analysis),
        submitted_at=iso(record.submitted_at if record else time.time()),
        transcribed_at=iso(record.transcribed_at) if record and record.transcribed_at else None,
        ended_at=iso(time.time()),
    )


def write_manifest(result: EpisodeResult, storage: Storage) -> None:
    """Write `result.json`, then clear the work files of this job; another job of the episode may be at work."""
    storage.put(MANIFEST, result.to_json())
    for name in storage.list(f"{WORK}{result.job}"):
        storage.delete(name)


def read_manifest(storage: Storage) -> EpisodeResult | None:
    """Return the result that lies in an episode's folder; None where there is none that can be read."""
    try:
        return EpisodeResult.from_json(storage.get(MANIFEST))
    except (StorageError, ValidationError):
        return None  # an older or damaged manifest is as good as none: the episode is done again


def _analysis(leg: LegOutcome, transcript: Transcript | None, storage: Storage) -> Analysis | None:
    """Return what Voxtral understood; where it could not, write and return an outline of the transcript."""
    if leg.status == "ok":
        return Analysis.from_json(storage.get(ANALYSIS))
    if transcript is None or not transcript.text.strip():
        return None
    outlined = outline(transcript)
    storage.put(ANALYSIS, outlined.to_json())
    return outlined


def _state(legs: dict[Leg, LegOutcome]) -> JobState:
    if all(leg.status == "ok" and not leg.flaws for leg in legs.values()):
        return JobState.COMPLETED
    return JobState.PARTIAL if any(leg.status == "ok" for leg in legs.values()) else JobState.FAILED


def _named(leg: Leg, sentence: str) -> str:
    return sentence if sentence.startswith(NAMES[leg]) else f"{NAMES[leg]}: {sentence}"


def _shortfalls(leg: LegOutcome) -> tuple[str, ...]:
    return leg.flaws if leg.status == "ok" else (leg.reason,)


def _files(storage: Storage, transcript: Transcript | None, analysis: Analysis | None) -> dict[str, str]:
    names = ([*FORMATS] if transcript else []) + ([ANALYSIS] if analysis else [])
    return {name: hashlib.sha256(storage.get(name)).hexdigest() for name in names}
