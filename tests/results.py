"""Transcripts and results made by hand, for tests of what is made of them."""

from itertools import count
from pathlib import Path

from pipeline.results.publication import publish
from pipeline.results.speakers import with_speakers
from pipeline.results.uncertainty import flag_uncertain
from pipeline.storage import open_storage
from pipeline.types import (
    Analysis,
    Diarization,
    Episode,
    EpisodeResult,
    JobSpec,
    JobState,
    LegOutcome,
    MergedTranscript,
    Options,
    Segment,
    Speaker,
    SpeakerTurn,
    Transcript,
    Word,
)

EPISODE = Episode(id="0123456789abcdef", source="podcasts/show.mp3", slug="show", size_bytes=1000)


def segment(
    text: str, start_s: float, *, word_s: float = 0.3, probability: float = 0.95, no_speech_prob: float = 0.01
) -> Segment:
    """Return a segment whose words follow each other without a pause; its number is given later."""
    times = count(0)
    words = []
    for spelling in text.split():
        place = next(times)
        words.append(
            Word(
                word=f" {spelling}",
                start_s=round(start_s + place * word_s, 2),
                end_s=round(start_s + (place + 1) * word_s, 2),
                probability=probability,
            )
        )
    end_s = words[-1].end_s if words else start_s
    return Segment(
        id=0,
        start_s=start_s,
        end_s=end_s,
        text=f" {text}",
        avg_logprob=-0.2,
        compression_ratio=1.4,
        no_speech_prob=no_speech_prob,
        words=tuple(words),
    )


def transcript(
    *segments: Segment,
    speech: tuple[tuple[float, float], ...] | None = None,
    audio_s: float | None = None,
    language: str = "en",
    expected_s: float = 0.0,
    broken_frames: int = 0,
) -> Transcript:
    """Return a transcript; unless told otherwise, all that has words is speech."""
    numbered = tuple(it.model_copy(update={"id": number}) for number, it in enumerate(segments))
    return Transcript(
        text="".join(it.text for it in numbered).strip(),
        language=language,
        segments=numbered,
        audio_s=audio_s if audio_s is not None else max((it.end_s for it in numbered), default=0.0) + 1.0,
        expected_s=expected_s,
        speech=tuple((it.start_s, it.end_s) for it in numbered) if speech is None else speech,
        broken_frames=broken_frames,
        model="whisper-base",
    )


def merged(*segments: Segment, speech: tuple[tuple[float, float], ...] | None = None) -> MergedTranscript:
    """Return a transcript as the merge sees it."""
    return flag_uncertain(transcript(*segments, speech=speech))


def told_apart(*turns: tuple[str, float, float], names: dict[str, str] | None = None) -> Diarization:
    """Return a diarization of turns, each a speaker with start and end, some of whose speakers have names."""
    return Diarization(
        turns=tuple(SpeakerTurn(speaker=it, start_s=start_s, end_s=end_s) for it, start_s, end_s in turns),
        speakers=tuple(Speaker(id=it, name=name, name_source="user") for it, name in (names or {}).items()),
        audio_s=3600.0,
        model="voices",
    )


def dialogue(
    *said: tuple[str, str], names: dict[str, str] | None = None, pause_s: float = 0.4, start_s: float = 0.0
) -> MergedTranscript:
    """Return a transcript of turns, each a speaker with a text, one after another."""
    now_s, segments, turns = start_s, [], []
    for speaker, text in said:
        segments.append(segment(text, now_s))
        turns.append((speaker, now_s, segments[-1].end_s))
        now_s = round(segments[-1].end_s + pause_s, 2)
    return with_speakers(merged(*segments), told_apart(*turns, names=names))


def result(spoken: MergedTranscript | None, analysis: Analysis | None = None) -> EpisodeResult:
    """Return a completed result."""
    return EpisodeResult(
        job="0123456789abcdef-01234567",
        attempt=1,
        episode=EPISODE,
        options=Options(),
        state=JobState.COMPLETED,
        audio_s=spoken.audio_s if spoken else None,
        language=spoken.language if spoken else None,
        analysis=analysis,
        legs={
            "whisper": LegOutcome(leg="whisper", status="ok", audio_s=60.0, work_s=3.2, model="whisper-base"),
            "voxtral": LegOutcome(leg="voxtral", status="ok", audio_s=60.0, work_s=80.5, model="voxtral"),
        },
        submitted_at="2026-01-02T03:04:05.678+00:00",
        transcript=spoken,
    )


def published(folder: Path, ended: EpisodeResult) -> JobSpec:
    """Publish a result below a folder, and return its job."""
    spec = JobSpec(
        job=ended.job,
        attempt=ended.attempt,
        episode=ended.episode,
        options=ended.options,
        audio_uri="file:///show.mp3",
        uri=(folder / f"show-{ended.episode.id}").as_uri(),
    )
    publish(ended, spec, open_storage(spec.uri))
    return spec
