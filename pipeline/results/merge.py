"""Merge of the legs' outcomes into one result."""

import time
from collections.abc import Callable, Sequence

from pipeline.results.analysis import spoken_part, with_outline, with_published
from pipeline.results.audio_link import audio_link
from pipeline.results.corrections.files import corrected_now
from pipeline.results.formats import FORMATS, render_all
from pipeline.results.formats.base import TranscriptFormat
from pipeline.results.manifest import (
    TRANSCRIPT,
    has_content,
    product_name,
    read_manifest,
    read_product,
    read_result,
    read_shown_transcript,
)
from pipeline.results.named_speakers import with_names
from pipeline.results.quality_gate import disagreement
from pipeline.results.respelling import respell
from pipeline.results.second_opinion import apply_alternatives, uncertain_spans, with_transcription
from pipeline.results.shortfalls import shortfalls, state_of
from pipeline.results.speakers import with_linked_people, with_speakers, without_speakers
from pipeline.results.timestamps import add_timestamps
from pipeline.results.uncertainty import flag_uncertain
from pipeline.results.usage import usage_stats
from pipeline.results.voices import VoiceMemory, voices_of
from pipeline.storage import Storage
from pipeline.types import (
    MODEL_LEGS,
    Analysis,
    Chapter,
    Diarization,
    EpisodeResult,
    JobSpec,
    JobState,
    Leg,
    LegOutcome,
    MergedTranscript,
    SecondOpinion,
    TimeSpan,
    Transcript,
)
from pipeline.types.records import JobRecord
from pipeline.types.time_format import iso


def transcribed(spec: JobSpec, transcript: MergedTranscript) -> EpisodeResult:
    """Return a preliminary result from the transcript alone."""
    return EpisodeResult(
        job=spec.job,
        attempt=spec.attempt,
        episode=spec.episode,
        options=spec.options,
        state=JobState.TRANSCRIBED,
        audio_s=transcript.audio_s,
        language=transcript.language,
        audio=audio_link(spec),
        submitted_at=iso(time.time()),
        transcript=transcript,
    )


def write_transcript(spec: JobSpec, transcript: MergedTranscript, storage: Storage) -> None:
    """Write the transcript to the job's work folder, and publish every format of it, `transcript.json` last.

    If an earlier job's result is public, nothing is published: its files stay until this job ends with content.
    """
    forms = render_all(
        transcribed(spec, transcript), [form for form in FORMATS.values() if isinstance(form, TranscriptFormat)]
    )
    storage.put(product_name(spec, "whisper"), forms[TRANSCRIPT])
    if not has_content(read_manifest(storage)):
        for name, data in reversed(forms.items()):
            storage.put(name, data)


def second_opinion_on(spec: JobSpec, legs: dict[Leg, LegOutcome], storage: Storage) -> list[TimeSpan]:
    """Return the uncertain spans for Voxtral to transcribe before the job can end.

    Raises:
        StorageError: the transcript does not exist.
    """
    is_wanted = spec.options.second_opinion == "doubtful" and spec.options.task == "transcribe"
    if not is_wanted or any(legs[leg].status != "ok" for leg in MODEL_LEGS):
        return []
    return uncertain_spans(read_heard(spec, storage))


def read_transcript(spec: JobSpec, storage: Storage) -> MergedTranscript:
    """Return the transcript of a job as it is stored, with uncertain segments marked.

    Raises:
        StorageError: the transcript does not exist.
    """
    return flag_uncertain(MergedTranscript.from_json(read_product(spec, "whisper", storage)))


def read_shown(spec: JobSpec, storage: Storage) -> MergedTranscript:
    """Return the transcript of a job as its readers see it, with their corrections.

    Raises:
        StorageError: the transcript does not exist.
    """
    return flag_uncertain(MergedTranscript.from_json(read_shown_transcript(spec, storage)))


def read_heard(spec: JobSpec, storage: Storage) -> MergedTranscript:
    """Return the transcript of a job as Whisper heard it, even if its speakers have been told apart since.

    Raises:
        StorageError: the transcript does not exist.
    """
    return flag_uncertain(without_speakers(MergedTranscript.from_json(read_product(spec, "whisper", storage))))


def transcript_so_far(spec: JobSpec, storage: Storage) -> Transcript | None:
    """Return the spoken part of Whisper's transcript while the job is running; None if it is not stored yet."""
    if not storage.exists(product_name(spec, "whisper")):
        return None
    return spoken_part(read_heard(spec, storage))


def speakers_so_far(spec: JobSpec, storage: Storage) -> MergedTranscript | None:
    """Return Whisper's transcript with its speakers while the job is running; None if either is not stored yet."""
    if not all(storage.exists(product_name(spec, leg)) for leg in ("whisper", "speakers")):
        return None
    found = Diarization.from_json(read_product(spec, "speakers", storage))
    return with_speakers(read_transcript(spec, storage), found)


def read_form(spec: JobSpec, name: str, storage: Storage) -> bytes:
    """Return a format of a job's transcript: the public file, or rendered again if that is another job's.

    Raises:
        StorageError: the job has no transcript.
    """
    public = read_manifest(storage)
    if public and public.job == spec.job:
        return storage.get(name)
    result = read_result(spec, storage) or transcribed(spec, read_transcript(spec, storage))
    return render_all(result, [form for form in FORMATS.values() if form.file == name])[name]


def merge_legs(
    spec: JobSpec,
    legs: dict[Leg, LegOutcome],
    storage: Storage,
    record: JobRecord | None,
    outline: Callable[[Transcript], Analysis],
    opinion: SecondOpinion | None = None,
    published: Sequence[Chapter] = (),
) -> EpisodeResult:
    """Return the result of a job from the products of its legs in storage, and from the second opinion, if any.

    The publisher's chapters, if there are any, replace others.

    Raises:
        StorageError: the product of a successful leg does not exist.
    """
    transcript = read_heard(spec, storage) if legs["whisper"].status == "ok" else None
    found = Analysis.from_json(read_product(spec, "voxtral", storage)) if legs["voxtral"].status == "ok" else None
    spelt = _spelt(spec, legs, transcript, storage) if transcript else None
    analysis = with_outline(found, spelt, outline)
    analysis = with_published(analysis, published) if analysis else None
    if transcript and spelt:
        transcript = _compared(spec, transcript, analysis, opinion)
        told_apart = _told_apart(spec, legs, storage)
        transcript = with_speakers(transcript, told_apart) if told_apart else transcript
        analysis = add_timestamps(respell(spec, analysis, spelt), transcript) if analysis else None
        transcript = with_names(transcript, spec, analysis, read_manifest(storage))
        if told_apart and spec.options.remember_voices:
            known = VoiceMemory(spec.episode, spec.uri)
            transcript = known.recognized(transcript, voices_of(told_apart, transcript))
    analysis = with_linked_people(analysis, transcript) if analysis else None
    missing = shortfalls(legs, spec.options)
    missing += disagreement(transcript) if transcript else ()
    missing += (f"Second opinion: {opinion.reason}",) if opinion and opinion.status != "ok" else ()
    audio_s = max((it.audio_s for it in legs.values() if it.audio_s), default=None)
    cancelled = record is not None and record.state is JobState.CANCELLED
    return EpisodeResult(
        job=spec.job,
        attempt=spec.attempt,
        episode=spec.episode,
        options=spec.options,
        state=JobState.CANCELLED if cancelled else state_of(legs, missing),
        reason=" ".join(missing),
        audio_s=audio_s,
        language=transcript.language if transcript else None,
        analysis=analysis,
        legs=legs,
        missing=missing,
        audio=audio_link(spec),
        submitted_at=iso(record.submitted_at if record else time.time()),
        transcribed_at=iso(record.transcribed_at) if record and record.transcribed_at else None,
        figures=usage_stats(legs, record, audio_s, opinion),
        transcript=transcript,
    )


def _spelt(
    spec: JobSpec, legs: dict[Leg, LegOutcome], transcript: MergedTranscript, storage: Storage
) -> MergedTranscript:
    """Return the transcript with its corrections, whose spelling the analysis takes over."""
    result = transcribed(spec, transcript).model_copy(update={"legs": legs})
    done = corrected_now(result, storage)
    return done.result.transcript if done and done.result.transcript else transcript


def _compared(
    spec: JobSpec, transcript: MergedTranscript, analysis: Analysis | None, opinion: SecondOpinion | None
) -> MergedTranscript:
    """Return the transcript with Voxtral's alternatives, if there are any in the same language."""
    if opinion:
        return apply_alternatives(transcript, opinion.readings)
    if analysis and analysis.transcription and spec.options.task == "transcribe":
        return with_transcription(transcript, analysis.transcription)
    return transcript


def _told_apart(spec: JobSpec, legs: dict[Leg, LegOutcome], storage: Storage) -> Diarization | None:
    """Return the speakers' turns, or None if they were not told apart."""
    if "speakers" not in legs or legs["speakers"].status != "ok":
        return None
    return Diarization.from_json(read_product(spec, "speakers", storage))
