"""Words that are uncertain."""

from collections.abc import Iterator

from pipeline.types import MergedSegment, MergedTranscript, MergedWord

UNSURE_WORD = 0.3
"""Probability below which a word is underlined."""
DISAGREEMENT = 0.5
"""Agreement of the two models below which a word is underlined."""
APART_S = 2.0
"""Seconds between doubtful words of one stretch."""


def is_doubtful(word: MergedWord, segment: MergedSegment) -> bool:
    """Return whether Voxtral's word differs; without an agreement, whether Whisper's probability is low."""
    if word.agreement is not None:
        return word.agreement < DISAGREEMENT
    return word.probability < UNSURE_WORD and segment.source == "whisper"


def readings(segment: MergedSegment) -> str:
    """Return both models' texts of a segment."""
    if segment.second_reading is None:
        return "Whisper was not sure of this word."
    return f"Whisper: {segment.text.strip()}\nVoxtral: {segment.second_reading or '(nothing)'}"


def doubtful_stretches(transcript: MergedTranscript) -> Iterator[tuple[float, float]]:
    """Yield start and end in seconds of each run of doubtful words."""
    run: tuple[float, float] | None = None
    for segment in transcript.spoken:
        for word in segment.words:
            if not is_doubtful(word, segment):
                continue
            if run and word.start_s - run[1] <= APART_S:
                run = (run[0], max(run[1], word.end_s))
                continue
            if run:
                yield run
            run = (word.start_s, word.end_s)
    if run:
        yield run
