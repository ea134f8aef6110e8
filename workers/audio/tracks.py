"""Choice of one of several audio tracks: the one that a player would play, unless it is silent."""

import re
from collections import defaultdict
from collections.abc import Sequence

import av
from av.stream import Disposition

from workers.audio.channels import SILENCE, loudness
from workers.audio.frames import decoded

LOOK_S = 1800.0
"""Seconds in which the tracks are compared; that takes a few seconds."""
SOUND_S = 0.5
"""Seconds of sound from which on a track is not silent."""
ASIDE = Disposition.comment | Disposition.visual_impaired | Disposition.descriptions
ASIDE_TITLE = re.compile(r"comment|descri", re.IGNORECASE)


def in_order(tracks: Sequence[av.AudioStream]) -> list[av.AudioStream]:
    """Return the tracks, first the default one; commentaries, descriptions and unknown codecs are the last."""

    def rank(track: av.AudioStream) -> tuple[bool, bool, bool]:
        is_aside = bool(track.disposition & ASIDE or ASIDE_TITLE.search(track.metadata.get("title", "")))
        return track.codec_context is None, is_aside, not track.disposition & Disposition.default

    return sorted(tracks, key=rank)


def with_sound(container: av.container.InputContainer, tracks: Sequence[av.AudioStream]) -> av.AudioStream:
    """Return the first of the tracks that has sound in the file's first half hour, else the first."""
    sound_s: defaultdict[int, float] = defaultdict(float)
    length_s: defaultdict[int, float] = defaultdict(float)
    for frames in decoded(container, *(track for track in tracks if track.codec_context)):
        for index, frame in [] if isinstance(frames, Exception) else frames:
            frame_s = frame.samples / frame.sample_rate
            length_s[index] += frame_s
            sound_s[index] += frame_s if loudness(frame) >= SILENCE else 0.0
        if sound_s[tracks[0].index] >= SOUND_S or max(length_s.values(), default=0.0) >= LOOK_S:
            break
    return next((track for track in tracks if sound_s[track.index] >= SOUND_S), tracks[0])
