"""Second opinion: selection of uncertain spans, and use of Voxtral's alternatives in the transcript."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from pipeline.results.agreement import compared
from pipeline.results.uncertainty import Speech, loops, plain, speech_without_words
from pipeline.types import AlternativeTranscript, MergedSegment, MergedTranscript, MergedWord, TimeSpan

LONGEST_S = 28.0
"""Length of a span in seconds. Voxtral's chunk is 30 s, and spans of one chunk each are processed in one batch."""
JOINED_S = 1.0
PAD_S = 0.2
MOST_S = 600.0
"""Limit of all spans in seconds; the most uncertain ones come first."""
LEAST_SPEECH_S = 0.3
"""Minimum detected speech of an uncertain span in seconds."""
CONFIRMED = 0.6
"""Agreement at which Voxtral confirms a segment, even one that looked like a loop."""
NEW_WORDS = 3
"""Minimum number of words only in Voxtral's text that form a new segment."""


def uncertain_spans(transcript: MergedTranscript) -> list[TimeSpan]:
    """Return the uncertain spans of Whisper's transcript that contain speech, in order."""
    speech = Speech(transcript.speech) if transcript.speech is not None else None
    unsure = [
        segment
        for segment in transcript.segments
        if segment.doubts and (speech is None or speech.within_s(segment.start_s, segment.end_s) >= LEAST_SPEECH_S)
    ]
    by_id = {segment.id: segment for segment in transcript.segments}
    found = [(_uncertainty(group), _stretch(group, by_id)) for group in _groups(unsure)]
    found += [
        (1.0, stretch) for start_s, end_s in speech_without_words(transcript) for stretch in _pieces(start_s, end_s)
    ]
    found.sort(key=lambda it: (-it[0], it[1].start_s))
    lengths = accumulate(stretch.end_s - stretch.start_s for _, stretch in found)
    chosen = [stretch for (_, stretch), total_s in zip(found, lengths, strict=True) if total_s <= MOST_S]
    return sorted(chosen, key=lambda stretch: stretch.start_s)


def apply_alternatives(transcript: MergedTranscript, readings: Sequence[AlternativeTranscript]) -> MergedTranscript:
    """Return the transcript with Voxtral's alternatives for some of its spans."""
    by_id = {segment.id: segment for segment in transcript.segments}
    added: list[MergedSegment] = []
    for reading in readings:
        ours = [by_id[number] for number in reading.segments if number in by_id]
        if loops(plain(reading.text).split()):
            continue  # Voxtral's text can be a loop too, which carries no information
        if not ours:
            added += _new_segment(reading)
        for segment in compared(ours, reading.text):
            settled = _resolve(segment)
            by_id[segment.id] = settled
            if settled.dropped and settled.second_reading:
                span = AlternativeTranscript(start_s=segment.start_s, end_s=segment.end_s, text=settled.second_reading)
                added += _new_segment(span)
    return _with_segments(transcript, [*by_id.values(), *added])


def with_transcription(transcript: MergedTranscript, text: str) -> MergedTranscript:
    """Return the transcript with Voxtral's transcription of the whole episode as the alternative."""
    segments = compared(transcript.segments, text)
    matched = [place for place, segment in enumerate(segments) if segment.second_reading != "" and segment.text.strip()]
    first, last = (matched[0], matched[-1]) if matched else (0, -1)
    # Before its first and after its last match, the transcription may be incomplete rather than empty.
    settled = [_resolve(segment) if first < place < last else segment for place, segment in enumerate(segments)]
    replaced = [
        new
        for segment in settled
        if segment.dropped and segment.second_reading
        for new in _new_segment(
            AlternativeTranscript(start_s=segment.start_s, end_s=segment.end_s, text=segment.second_reading)
        )
    ]
    return _with_segments(transcript, [*settled, *replaced])


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
    """Return the span of neighbouring segments, padded, but without the words around them."""
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


def _uncertainty(group: Sequence[MergedSegment]) -> float:
    """Return the uncertainty of a group: the largest number of doubts, plus the improbability of its words, 0 to 1."""
    words = [word.probability for segment in group for word in segment.words]
    doubts = max(len(segment.doubts) for segment in group)
    return doubts + 1 - (sum(words) / len(words) if words else 0.0)


def _resolve(segment: MergedSegment) -> MergedSegment:
    """Return a segment restored if Voxtral confirms it, or dropped if Voxtral has no text for an uncertain one."""
    agreement = segment.agreement or 0.0
    if segment.dropped and agreement >= CONFIRMED:
        return segment.model_copy(update={"dropped": ""})
    is_unconfirmed = segment.second_reading == "" and segment.text.strip()
    if is_unconfirmed and segment.doubts and not segment.dropped:
        return segment.model_copy(
            update={"dropped": f"Whisper was unsure ({', '.join(segment.doubts)}), and Voxtral hears nothing there."}
        )
    return segment


def _new_segment(reading: AlternativeTranscript) -> list[MergedSegment]:
    """Return a segment of Voxtral's text; none if it is only a few words."""
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


def _with_segments(transcript: MergedTranscript, segments: Sequence[MergedSegment]) -> MergedTranscript:
    """Return the transcript with these segments, sorted by time; Voxtral's get the ids after Whisper's."""
    number = len(transcript.segments)
    numbered = []
    for segment in segments:
        if segment.source == "voxtral":
            segment = segment.model_copy(update={"id": number})
            number += 1
        numbered.append(segment)
    return transcript.with_segments(sorted(numbered, key=lambda it: (it.start_s, it.source == "voxtral", it.id)))
