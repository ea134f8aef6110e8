"""Paragraphs of a transcript."""

from collections.abc import Iterator

from pipeline.types import MergedSegment, MergedTranscript

PAUSE_S = 1.5
"""Pause that starts a new paragraph after the end of a sentence."""
LONG_PAUSE_S = 5.0
"""Pause that always starts a new paragraph, because Whisper does not end every sentence."""
CHARACTERS = 600
"""Length above which a paragraph ends with its sentence, even without a pause."""
SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", '."', '!"', '?"')


def paragraphs(transcript: MergedTranscript) -> Iterator[list[MergedSegment]]:
    """Yield the spoken segments of each paragraph, which is of one speaker in a dialogue."""
    is_dialogue = bool(transcript.labels)
    group: list[MergedSegment] = []
    length = 0
    for segment in transcript.spoken:
        if group and (_ends(group[-1], segment, length) or (is_dialogue and group[-1].speaker != segment.speaker)):
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
