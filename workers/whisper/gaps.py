"""The second pass over speech without words, because the model ends some windows before their speech ends."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.types import Segment, Word
from workers.audio.vad import FRAME_S
from workers.whisper import guards
from workers.whisper.windows import Window

SPEECH = 0.5
"""Minimum probability of a frame of speech that should have words."""
SHORTEST_S = 1.0
"""Seconds; less speech than this without words is breath, or the edge of a word."""
REACH_S = 0.25
"""Seconds before and after a word that it covers too, because its times are not more precise."""
LONGEST_WORD_S = 1.2
"""Seconds that a word covers at most; the rest of a longer word is other sound that it was stretched over."""
JOINED_S = 0.6
PAD_S = 0.3
LOGPROB = -0.5
"""Minimum avg_logprob of a second pass before other words, higher than usual because short audio causes
hallucinations. After the last word the usual one applies, because there the model often just stopped."""
CHARACTERS_PER_S = 25.0
"""Characters per second of the fastest speech; a text that would need more is a hallucination."""


def uncovered_speech(window: Window, words: Sequence[Word]) -> list[Window]:
    """Return the parts of a window with speech that no word covers.

    Args:
        window: the window.
        words: the words of the window, with times in the episode.
    """
    times = np.array([window.episode_s(frame * FRAME_S) for frame in range(len(window.chances))])
    open_frames = window.chances >= SPEECH
    for word in words:
        end_s = min(word.end_s, word.start_s + LONGEST_WORD_S)
        open_frames &= ~((times > word.start_s - REACH_S) & (times < end_s + REACH_S))
    parts: list[Window] = []
    pad = round(PAD_S / FRAME_S)
    for run in _runs(np.flatnonzero(open_frames), round(JOINED_S / FRAME_S)):
        if len(run) * FRAME_S >= SHORTEST_S:
            parts.append(window.part(max(0, int(run[0]) - pad), min(len(times), int(run[-1]) + pad + 1)))
    return parts


def filter_second_pass(part: Window, heard: Sequence[Segment], words: Sequence[Word]) -> list[Segment]:
    """Return the segments of a second pass over a part, or none if they may be hallucinated.

    Args:
        part: the part of a window.
        heard: the segments of the second pass.
        words: the words of the window without these.
    """
    is_after_words = bool(words) and all(word.start_s < part.start_s for word in words)
    minimum = guards.LOGPROB if is_after_words else LOGPROB
    spoken = sum(len(segment.text) for segment in heard) <= CHARACTERS_PER_S * part.length_s
    sure = all(
        segment.avg_logprob > minimum
        and segment.no_speech_prob < guards.NO_SPEECH
        and segment.compression_ratio <= guards.COMPRESSION_RATIO
        for segment in heard
    )
    return list(heard) if spoken and sure else []


def merge_segments(segments: Sequence[Segment], extra: Sequence[Segment]) -> list[Segment]:
    """Return the segments with extra ones inserted by time; a segment around an insertion is split."""
    result = list(segments)
    for new in extra:
        split: list[Segment] = []
        for segment in result:
            before = tuple(word for word in segment.words if word.start_s < new.start_s)
            after = segment.words[len(before) :]
            split += [_of(segment, before), _of(segment, after)] if before and after else [segment]
        result = sorted([*split, new], key=lambda segment: segment.start_s)
    return [segment.model_copy(update={"id": place}) for place, segment in enumerate(result)]


def _of(segment: Segment, words: tuple[Word, ...]) -> Segment:
    return segment.model_copy(
        update={
            "start_s": words[0].start_s,
            "end_s": words[-1].end_s,
            "text": "".join(word.word for word in words),
            "tokens": (),  # the position of the split among the tokens is unknown
            "words": words,
        }
    )


def _runs(frames: NDArray[np.int64], joined: int) -> list[NDArray[np.int64]]:
    if not len(frames):
        return []
    return np.split(frames, np.flatnonzero(np.diff(frames) > joined) + 1)
