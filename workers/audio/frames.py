"""Decoded frames of audio tracks, without those that cannot be decoded."""

from collections.abc import Iterator

import av
from av.error import FFmpegError

RATES_HZ = (4_000, 768_000)
"""Hz, lowest and highest. A lower rate cannot carry speech, and multiplies in size when resampled to 16 kHz."""
MAX_CHANNELS = 64
MAX_BROKEN_IN_A_ROW = 10_000
"""Packets, which are minutes of damage; audio after that is not expected to belong to the audio before."""
BREAKS = (FFmpegError, ValueError, NotImplementedError, OSError)
"""Exceptions of PyAV for damage; OSError if a damaged file causes a seek to an impossible position."""


class UnusableError(Exception):
    """The file cannot be used; the message continues a sentence that starts with the file's name."""


def decoded(
    container: av.container.InputContainer, *tracks: av.AudioStream
) -> Iterator[list[tuple[int, av.AudioFrame]] | Exception]:
    """Yield the frames of each packet with the index of their track, or the error that it cannot be decoded."""
    packets = container.demux(tracks)
    broken_in_a_row = 0
    while broken_in_a_row < MAX_BROKEN_IN_A_ROW:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames = [(packet.stream.index, frame) for frame in packet.decode()]
            for _, frame in frames:
                check(frame.sample_rate, frame.layout.nb_channels)
        except (UnusableError, *BREAKS) as error:
            broken_in_a_row += 1
            yield error
            if isinstance(error, av.error.EOFError | OSError) and not isinstance(error, NotImplementedError):
                return  # the demuxer cannot go on
            continue
        broken_in_a_row = 0
        yield frames


def check(rate_hz: int, channels: int) -> None:
    """Raise UnusableError for sound of an impossible rate or number of channels."""
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1] or not 1 <= channels <= MAX_CHANNELS:
        raise UnusableError(
            f"claims a sound of {rate_hz} Hz and {channels} channels, which is no speech that was recorded; "
            "check that the file is complete and is an audio or video file."
        )
