"""A transcript in paragraphs."""

from collections.abc import Iterator

from pipeline.types import MergedSegment, MergedTranscript

PAUSE_S = 1.5
"""After a pause of this length a new paragraph begins, where a sentence has ended."""
LONG_PAUSE_S = 5.0
"""After one of this length it begins in any case: Whisper does not end every sentence."""
CHARACTERS = 600
"""From this length on a paragraph ends with its sentence, even where nobody pauses."""
SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", '."', '!"', '?"')


def paragraphs(transcript: MergedTranscript) -> Iterator[list[MergedSegment]]:
    """Yield the spoken segments in groups, each a paragraph."""
    group: list[MergedSegment] = []
    length = 0
    for segment in transcript.spoken:
        if group and _ends(group[-1], segment, length):
            yield group
            group, length = [], 0
        group.append(segment)
        length += len(segment.text)
    if group:
        yield group


def _ends(last: MergedSegment, following: MergedSegment, length: int) -> bool:
    pause_s = following.start_s - last.end_s
    is_sentence = last.text.rstrip().endswith(SENTENCE_ENDS)
    return pause_s > LONG_PAUSE_S or (is_sentence and (pause_s > PAUSE_S or length > CHARACTERS))
