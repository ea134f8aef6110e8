"""Small recordings in many containers, made from the first sentence of a sample episode."""

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from workers.audio.audio_file import SAMPLE_RATE_HZ, load

EPISODE = Path(__file__).parents[1] / "episodes" / "corner-shop.m4a"
SAID = "good morning and welcome to the small business podcast"
SAID_S = 3.5
BIT_RATE = 32_000
"""Bits a second of codecs that have a choice."""
Track = NDArray[np.float32]
"""Sound at `SAMPLE_RATE_HZ`, shape (samples,) or (channels, samples), -1 to 1."""


@cache
def speech() -> Track:
    """Return the sentence `SAID`."""
    return load(EPISODE)[: int(SAID_S * SAMPLE_RATE_HZ)]


def silence(seconds: float = SAID_S) -> Track:
    """Return a sound of nothing."""
    return np.zeros(int(seconds * SAMPLE_RATE_HZ), np.float32)


def encoded(
    tracks: Track | Sequence[Track],
    container: str,
    codec: str,
    *,
    rate_hz: int = SAMPLE_RATE_HZ,
    layout: str = "mono",
    begins_s: float = 0.0,
    gap: tuple[float, float] | None = None,
    default: int = 0,
    **options: str,
) -> bytes:
    """Return a file with one or several tracks.

    Args:
        tracks: the sounds of its tracks.
        container: FFmpeg's name of the format.
        codec: FFmpeg's name of the encoder.
        rate_hz: sample rate in the file.
        layout: FFmpeg's name of the channels, as many as each track has.
        begins_s: time of the first sample in the container.
        gap: second of the sound from which on all times are later, and by how many seconds.
        default: index of the track that players choose.
        options: options of the muxer.
    """
    file = io.BytesIO()
    own = [tracks] if isinstance(tracks, np.ndarray) else list(tracks)
    with av.open(file, "w", format=container, options=options) as output:
        streams = [output.add_stream(codec, rate=rate_hz, layout=layout) for _ in own]
        for stream in streams:
            stream.disposition = av.stream.Disposition.default if stream.index == default else 0
            stream.codec_context.bit_rate = BIT_RATE
            stream.codec_context.open()
        for stream, track in zip(streams, own, strict=True):
            for frame in _frames(track, layout, rate_hz, stream.codec_context):
                time_s = float(frame.pts * frame.time_base)
                late_s = gap[1] if gap and time_s >= gap[0] else 0.0
                frame.pts += round((begins_s + late_s) * rate_hz)
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    return file.getvalue()


def _frames(track: Track, layout: str, rate_hz: int, codec: av.AudioCodecContext) -> list[av.AudioFrame]:
    samples = np.atleast_2d(track)
    whole = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples, np.float32), format="fltp", layout=layout)
    whole.sample_rate, whole.pts = SAMPLE_RATE_HZ, 0
    resampler = av.AudioResampler(codec.format, layout, rate_hz, frame_size=codec.frame_size or 1024)
    return [*resampler.resample(whole), *resampler.resample(None)]
