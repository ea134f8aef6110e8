"""Parts of segments: one of each speaker, and the whole segments again.

Whisper's tokens stay with the first part, since they cannot be divided without its tokenizer. So the parts put
together again are Whisper's own segment, which later merges of the same transcript begin with.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from pydantic import TypeAdapter

from pipeline.results.agreement import compared
from pipeline.types import MergedSegment, MergedTranscript, MergedWord

_WORDS = TypeAdapter(tuple[MergedWord, ...])


def parted(segment: MergedSegment, speakers: Sequence[str | None]) -> list[MergedSegment]:
    """Return the parts of a segment, each of one speaker, with their shares of Voxtral's reading.

    A segment whose words are not its text remains whole, so that no text is lost, and is its main speaker's.

    Args:
        segment: a segment with words.
        speakers: the speaker of each word.
    """
    if _letters("".join(word.word for word in segment.words)) != _letters(segment.text):
        speakers = [Counter(speakers).most_common(1)[0][0]] * len(speakers)
    words = _of_speakers(segment.words, speakers)
    runs = [tuple(run) for _, run in groupby(words, key=lambda word: word.speaker)]
    if len(runs) == 1:
        return [segment.model_copy(update={"words": words, "speaker": speakers[0]})]
    parts = [_part(segment, run, is_first=run is runs[0], is_last=run is runs[-1]) for run in runs]
    return parts if segment.second_reading is None else compared(parts, segment.second_reading)


def without_speakers(transcript: MergedTranscript) -> MergedTranscript:
    """Return the transcript as it was before its speakers were told apart: whole segments, nobody's words."""
    if not transcript.speakers:
        return transcript
    whole: list[MergedSegment] = []
    for segment in transcript.segments:
        parts = [whole.pop(), segment] if segment.continues and whole else [segment]
        whole.append(_whole(parts))
    return transcript.with_segments(numbered(whole)).model_copy(update={"speakers": (), "turns": ()})


def numbered(segments: Iterable[MergedSegment]) -> list[MergedSegment]:
    """Return the segments with new ids: Whisper's in order, then Voxtral's, as the second opinion numbers them."""
    segments = list(segments)
    ids = {
        place: number
        for number, place in enumerate(
            sorted(range(len(segments)), key=lambda place: segments[place].source == "voxtral")
        )
    }
    return [
        segment if segment.id == ids[place] else segment.model_copy(update={"id": ids[place]})
        for place, segment in enumerate(segments)
    ]


def _part(segment: MergedSegment, words: tuple[MergedWord, ...], *, is_first: bool, is_last: bool) -> MergedSegment:
    start_s = segment.start_s if is_first else words[0].start_s
    return segment.model_copy(
        update={
            "start_s": start_s,
            "end_s": max(start_s, segment.end_s if is_last else words[-1].end_s),
            "text": "".join(word.word for word in words),
            "tokens": segment.tokens if is_first else (),
            "words": words,
            "speaker": words[0].speaker,
            "continues": not is_first,
        }
    )


def _whole(parts: Sequence[MergedSegment]) -> MergedSegment:
    words = [word for part in parts for word in part.words]
    readings = [part.text if part.second_reading is None else part.second_reading for part in parts]
    is_read = any(part.second_reading is not None for part in parts)
    return parts[0].model_copy(
        update={
            "end_s": parts[-1].end_s,
            "text": "".join(part.text for part in parts),
            "words": _of_speakers(words, [None] * len(words)),
            "speaker": None,
            "continues": False,
            "agreement": _agreement(parts),
            "second_reading": " ".join(" ".join(readings).split()) if is_read else None,
        }
    )


def _agreement(parts: Sequence[MergedSegment]) -> float | None:
    """Return the parts' mean agreement by their words."""
    known = [(part.agreement, len(part.words)) for part in parts if part.agreement is not None]
    count = sum(words for _, words in known)
    return round(sum(agreement * words for agreement, words in known) / count, 3) if count else parts[0].agreement


def _of_speakers(words: Sequence[MergedWord], speakers: Sequence[str | None]) -> tuple[MergedWord, ...]:
    # Validated together: copying tens of thousands of words one by one takes ten times as long.
    return _WORDS.validate_python(
        [word.__dict__ | {"speaker": speaker} for word, speaker in zip(words, speakers, strict=True)],
        by_name=True,
        by_alias=False,
    )


def _letters(text: str) -> str:
    return "".join(text.split())
