"""The clock of a player: silence stands for the time in which a file has no sound, so that later words keep theirs."""

import av

SHORTEST_GAP_S = 0.1
"""Shorter gaps are rounding, and the delay of encoders."""
OVERLAP_S = 1.0
"""Times that go back further begin to count anew, as where recordings are joined."""
LONGEST_S = 3600.0
"""Silence in all that the times of a file are believed."""
LONGEST_JUMP_S = 10.0
"""Jumps of broadcasts, whose clocks are set anew, as `dts_delta_threshold` of ffmpeg."""
SET_ANEW = 0x0200
"""FFmpeg's AVFMT_TS_DISCONT."""
FROM_ZERO = ("matroska", "mov")
"""Containers whose first moment is 0 for players; others begin with their first frame."""


class Clock:
    """The time in a player at which each frame of a track begins."""

    def __init__(self, container: av.container.InputContainer) -> None:
        start_s = (container.start_time or 0) / av.time_base
        counts_from_zero = container.format.name.startswith(FROM_ZERO) and start_s <= LONGEST_S
        self.zero_s = 0.0 if counts_from_zero else start_s
        """The container's time of the first moment."""
        self._longest_s = LONGEST_JUMP_S if container.format.flags & SET_ANEW else LONGEST_S
        self._left_s = LONGEST_S
        self._now_s = 0.0

    def silence_before(self, frame: av.AudioFrame) -> float:
        """Return the seconds of silence before the next frame."""
        gap_s = self._gap_s(frame)
        self._now_s += gap_s + frame.samples / frame.sample_rate
        return gap_s

    def _gap_s(self, frame: av.AudioFrame) -> float:
        if frame.time is None:
            return 0.0
        ahead_s = frame.time - self.zero_s - self._now_s
        if -OVERLAP_S <= ahead_s < SHORTEST_GAP_S:
            return 0.0
        if not 0 < ahead_s <= min(self._longest_s, self._left_s):
            self.zero_s += ahead_s
            return 0.0
        self._left_s -= ahead_s
        return ahead_s


def length_s(container: av.container.InputContainer, stream: av.AudioStream) -> float:
    """Return the seconds that a player shows for a track according to the file's header, 0.0 if it does not say."""
    zero_s = Clock(container).zero_s
    if stream.duration and stream.time_base:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base) - zero_s
    if tag := stream.metadata.get("DURATION"):
        try:
            hours, minutes, seconds = map(float, tag.split(":"))
        except ValueError:
            pass
        else:
            return 3600 * hours + 60 * minutes + seconds - zero_s
    is_end = container.format.name.startswith(FROM_ZERO)
    return (container.duration or 0) / av.time_base - (zero_s if is_end else 0.0)
