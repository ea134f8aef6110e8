"""Attribution of a transcript's words and segments to speakers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pipeline.results.speakers.changes import speakers_of
from pipeline.results.speakers.parts import numbered, parted, without_speakers
from pipeline.results.speakers.turn_index import TurnIndex
from pipeline.types import Diarization, MergedSegment, MergedTranscript, Speaker, SpeakerTurn


def with_speakers(transcript: MergedTranscript, found: Diarization) -> MergedTranscript:
    """Return the transcript with the speaker of each word and segment, split where the speaker changes.

    Speakers are numbered in the order of their first words, those without words last. Suppressed segments are nobody's,
    and whatever speakers the transcript had are replaced.
    """
    plain = without_speakers(transcript)
    index = TurnIndex(_clipped(found.turns, plain.audio_s))
    words = [word for segment in plain.spoken for word in segment.words]
    of_words = iter(speakers_of(words, index))
    owners = [_owners(segment, of_words, index) for segment in plain.segments]
    ids = _ids(owners, index.turns)
    parts = [
        part
        for segment, own in zip(plain.segments, owners, strict=True)
        for part in _parts(segment, [ids[speaker] if speaker else None for speaker in own])
    ]
    turns = tuple(turn.model_copy(update={"speaker": ids[turn.speaker]}) for turn in index.turns)
    return plain.with_segments(numbered(parts)).model_copy(
        update={"turns": turns, "speakers": _speakers(found.speakers, ids, turns)}
    )


def _clipped(turns: Iterable[SpeakerTurn], audio_s: float) -> Iterator[SpeakerTurn]:
    """Yield the parts of the turns within the audio."""
    for turn in turns:
        start_s, end_s = max(0.0, turn.start_s), min(turn.end_s, audio_s)
        if start_s < end_s:
            yield turn.model_copy(update={"start_s": start_s, "end_s": end_s})


def _owners(segment: MergedSegment, of_words: Iterator[str | None], index: TurnIndex) -> list[str | None]:
    """Return the speaker of each word of a segment, or of a segment without words; none of a suppressed one."""
    if segment.dropped:
        return []
    if not segment.words:
        return [index.speaker_of(segment.start_s, segment.end_s)]
    return [next(of_words) for _ in segment.words]


def _parts(segment: MergedSegment, own: Sequence[str | None]) -> list[MergedSegment]:
    if not own:
        return [segment]
    return parted(segment, own) if segment.words else [segment.model_copy(update={"speaker": own[0]})]


def _ids(owners: Iterable[Sequence[str | None]], turns: Iterable[SpeakerTurn]) -> dict[str, str]:
    """Return the new id of each speaker by the old one."""
    of_words = [speaker for own in owners for speaker in own if speaker]
    ordered = dict.fromkeys([*of_words, *(turn.speaker for turn in turns)])
    return {speaker: f"S{number}" for number, speaker in enumerate(ordered, start=1)}


def _speakers(known: Iterable[Speaker], ids: Mapping[str, str], turns: Iterable[SpeakerTurn]) -> tuple[Speaker, ...]:
    """Return the speakers with their names and the seconds for which they speak."""
    by_id = {speaker.id: speaker for speaker in known}
    talk_s = dict.fromkeys(ids.values(), 0.0)
    for turn in turns:
        talk_s[turn.speaker] += turn.end_s - turn.start_s
    return tuple(
        by_id.get(old, Speaker(id=new)).model_copy(update={"id": new, "talk_s": round(talk_s[new], 3)})
        for old, new in ids.items()
    )
