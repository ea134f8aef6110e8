"""A second look at speech that got no words: the model ends some windows before their speech ends."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.types import Segment, Word
from workers.whisper import guards
from workers.whisper.vad import FRAME_S
from workers.whisper.windows import Window

SPEECH = 0.5
"""Probability from which on a frame counts as speech that should have words."""
SHORTEST_S = 1.0
"""Less speech than this without words is breath, or a word's own edge."""
REACH_S = 0.25
"""A word accounts for speech this long before and after it; its times are no better."""
LONGEST_WORD_S = 1.2
"""More of a word than this is not the word, but what it was stretched over."""
JOINED_S = 0.6
PAD_S = 0.3
LOGPROB = -0.5
"""What is heard on a second look has to be surer than usual: short audio invites inventions."""
CHARACTERS_PER_S = 25.0
"""Nobody speaks faster; a text that would have to be was not said there."""


def uncovered_speech(window: Window, words: Sequence[Word]) -> list[Window]:
    """Return the parts of a window with speech that none of the words accounts for.

    Args:
        window: the window.
        words: what was heard in it, times in the episode.
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


def filter_second_pass(part: Window, heard: Sequence[Segment]) -> list[Segment]:
    """Return the segments of a second pass over a part, or none where they may be made up."""
    spoken = sum(len(segment.text) for segment in heard) <= CHARACTERS_PER_S * part.length_s
    sure = all(
        segment.avg_logprob > LOGPROB
        and segment.no_speech_prob < guards.NO_SPEECH
        and segment.compression_ratio <= guards.COMPRESSION_RATIO
        for segment in heard
    )
    return list(heard) if spoken and sure else []


def merge_segments(segments: Sequence[Segment], extra: Sequence[Segment]) -> list[Segment]:
    """Return the segments with others put in where they were said; one that spans the place is split."""
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
            "tokens": (),  # where they divide is not known any more
            "words": words,
        }
    )


def _runs(frames: NDArray[np.int64], joined: int) -> list[NDArray[np.int64]]:
    if not len(frames):
        return []
    return np.split(frames, np.flatnonzero(np.diff(frames) > joined) + 1)
