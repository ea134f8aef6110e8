"""The second opinion: which stretches need one, and what becomes of the transcript with it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from pipeline.results.agreement import compared
from pipeline.results.uncertainty import Speech, loops, plain, speech_without_words
from pipeline.types import AlternativeTranscript, MergedSegment, MergedTranscript, MergedWord, TimeSpan

LONGEST_S = 28.0
"""Voxtral hears 30 s at once; stretches of one chunk each go through it side by side."""
JOINED_S = 1.0
PAD_S = 0.2
MOST_S = 600.0
"""More audio than this is not heard twice; the worst places come first."""
LEAST_SPEECH_S = 0.3
"""With less detected speech there is nothing to be heard again."""
CONFIRMED = 0.6
"""Agreement from which on both models heard the same, also where it looked like a loop."""
NEW_WORDS = 3
"""So many words that only Voxtral heard make a segment of their own."""


def uncertain_spans(transcript: MergedTranscript) -> list[TimeSpan]:
    """Return the stretches that Whisper was unsure of and that hold something to be heard, in order."""
    speech = Speech(transcript.speech) if transcript.speech is not None else None
    unsure = [
        segment
        for segment in transcript.segments
        if segment.doubts and (speech is None or speech.within_s(segment.start_s, segment.end_s) >= LEAST_SPEECH_S)
    ]
    by_id = {segment.id: segment for segment in transcript.segments}
    found = [(_worry(group), _stretch(group, by_id)) for group in _groups(unsure)]
    found += [
        (1.0, stretch) for start_s, end_s in speech_without_words(transcript) for stretch in _pieces(start_s, end_s)
    ]
    found.sort(key=lambda it: (-it[0], it[1].start_s))
    lengths = accumulate(stretch.end_s - stretch.start_s for _, stretch in found)
    chosen = [stretch for (_, stretch), total_s in zip(found, lengths, strict=True) if total_s <= MOST_S]
    return sorted(chosen, key=lambda stretch: stretch.start_s)


def apply_alternatives(transcript: MergedTranscript, readings: Sequence[AlternativeTranscript]) -> MergedTranscript:
    """Return the transcript with what Voxtral heard in some stretches beside what Whisper heard there."""
    by_id = {segment.id: segment for segment in transcript.segments}
    added: list[MergedSegment] = []
    for reading in readings:
        ours = [by_id[number] for number in reading.segments if number in by_id]
        if loops(plain(reading.text).split()):
            continue  # Voxtral, too, falls into loops; nothing is to be learnt from one
        if not ours:
            added += _new_segment(reading)
        for segment in compared(ours, reading.text):
            settled = _settled(segment)
            by_id[segment.id] = settled
            if settled.dropped and settled.second_reading:
                span = AlternativeTranscript(start_s=segment.start_s, end_s=segment.end_s, text=settled.second_reading)
                added += _new_segment(span)
    return _with(transcript, [*by_id.values(), *added])


def with_transcription(transcript: MergedTranscript, text: str) -> MergedTranscript:
    """Return the transcript with Voxtral's own transcription of the whole episode beside it."""
    segments = compared(transcript.segments, text)
    heard = [place for place, segment in enumerate(segments) if segment.second_reading != "" and segment.text.strip()]
    first, last = (heard[0], heard[-1]) if heard else (0, -1)
    # Where nothing of the transcription belongs before or after, it may simply not have got that far.
    settled = [_settled(segment) if first < place < last else segment for place, segment in enumerate(segments)]
    replaced = [
        new
        for segment in settled
        if segment.dropped and segment.second_reading
        for new in _new_segment(
            AlternativeTranscript(start_s=segment.start_s, end_s=segment.end_s, text=segment.second_reading)
        )
    ]
    return _with(transcript, [*settled, *replaced])


def _groups(unsure: Sequence[MergedSegment]) -> Iterator[list[MergedSegment]]:
    group: list[MergedSegment] = []
    for segment in unsure:
        apart = group and segment.start_s - group[-1].end_s > JOINED_S
        if group and (apart or segment.end_s - group[0].start_s > LONGEST_S or segment.id != group[-1].id + 1):
            yield group
            group = []
        group.append(segment)
    if group:
        yield group


def _stretch(group: Sequence[MergedSegment], by_id: Mapping[int, MergedSegment]) -> TimeSpan:
    """Return the audio of some neighbours: a little more than their words, nothing of the words around them."""
    before, after = by_id.get(group[0].id - 1), by_id.get(group[-1].id + 1)
    start_s = max(0.0, group[0].start_s - PAD_S, min(before.end_s, group[0].start_s) if before else 0.0)
    end_s = min(group[-1].end_s + PAD_S, start_s + LONGEST_S)
    end_s = min(end_s, max(after.start_s, group[-1].end_s)) if after else end_s
    return TimeSpan(start_s=round(start_s, 2), end_s=round(end_s, 2), segments=tuple(segment.id for segment in group))


def _pieces(start_s: float, end_s: float) -> Iterator[TimeSpan]:
    count = int((end_s - start_s) // LONGEST_S) + 1
    each_s = (end_s - start_s) / count
    for piece in range(count):
        yield TimeSpan(start_s=round(start_s + piece * each_s, 2), end_s=round(start_s + (piece + 1) * each_s, 2))


def _worry(group: Sequence[MergedSegment]) -> float:
    """Return the rank of a group: its number of doubts, and how improbable its words are."""
    words = [word.probability for segment in group for word in segment.words]
    doubts = max(len(segment.doubts) for segment in group)
    return doubts + 1 - (sum(words) / len(words) if words else 0.0)


def _settled(segment: MergedSegment) -> MergedSegment:
    """Return a segment with what both readings together say of whether it was said."""
    agreement = segment.agreement or 0.0
    if segment.dropped and agreement >= CONFIRMED:
        return segment.model_copy(update={"dropped": ""})
    heard_nothing = segment.second_reading == "" and segment.text.strip()
    if heard_nothing and segment.doubts and not segment.dropped:
        return segment.model_copy(
            update={"dropped": f"Whisper was unsure ({', '.join(segment.doubts)}), and Voxtral hears nothing there."}
        )
    return segment


def _new_segment(reading: AlternativeTranscript) -> list[MergedSegment]:
    """Return a segment of what only Voxtral heard; none of a few stray words."""
    words = reading.text.split()
    if len(words) < NEW_WORDS and len(reading.text.strip()) < 4 * NEW_WORDS:
        return []
    ends = list(accumulate(len(word) + 1 for word in words))
    each_s = (reading.end_s - reading.start_s) / ends[-1]
    times = [round(reading.start_s + end * each_s, 2) for end in [0, *ends]]
    return [
        MergedSegment(
            id=0,
            start_s=reading.start_s,
            end_s=reading.end_s,
            text=f" {' '.join(words)}",
            source="voxtral",
            words=tuple(
                MergedWord(word=f" {word}", start_s=start_s, end_s=end_s, probability=0.0)
                for word, start_s, end_s in zip(words, times, times[1:], strict=False)
            ),
        )
    ]


def _with(transcript: MergedTranscript, segments: Sequence[MergedSegment]) -> MergedTranscript:
    """Return the transcript with these segments in their order; Voxtral's get the numbers after Whisper's."""
    number = len(transcript.segments)
    numbered = []
    for segment in segments:
        if segment.source == "voxtral":
            segment = segment.model_copy(update={"id": number})
            number += 1
        numbered.append(segment)
    return transcript.with_segments(sorted(numbered, key=lambda it: (it.start_s, it.source == "voxtral", it.id)))
