"""Speech made worse in known ways with fixed seeds, for measuring recognition where it is hard.

Each way maps the clips of a recording (float32, 16 kHz mono) to one new recording and the order of its clips, so
that the reference follows. Two calls give the same samples.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from tests.benchmarks.made_up import beside, by_telephone, music
from workers.audio.audio_file import SAMPLE_RATE_HZ

Sound = NDArray[np.float32]

BELOW_DB = 10.0
"""Level of music and of other voices, below the speech."""
VOICES = 5
"""Speakers in babble."""
REVERBERATION_S = 0.6
"""Time in which an echo falls by 60 dB: a large living room."""
FAST = 1.5
"""Speed of the faster recording; the pitch is kept."""
MP3_BIT_RATE = 24_000
PAUSES_S = (5.0, 20.0)
GAPS_S = (0.3, 1.0)
"""Pauses between shuffled clips."""
FLOOR = 1e-4
"""Amplitude of the noise in added pauses."""


@dataclass(frozen=True)
class Degraded:
    """A recording with the places of its clips in the original."""

    samples: Sound
    order: tuple[int, ...]


Degradation = Callable[[Sequence[Sound]], Degraded]


def whole(clips: Sequence[Sound]) -> Degraded:
    """Leave it as it is."""
    return _in_order(clips, np.concatenate(clips))


def telephone(clips: Sequence[Sound]) -> Degraded:
    """Keep 300 to 3,400 Hz, and clip the loudest."""
    return _in_order(clips, by_telephone(np.concatenate(clips)))


def low_bit_rate(clips: Sequence[Sound]) -> Degraded:
    """Encode as MP3 with 24 kbit/s, and decode again."""
    samples = np.concatenate(clips)
    encoded = io.BytesIO()
    with av.open(encoded, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=SAMPLE_RATE_HZ, layout="mono", bit_rate=MP3_BIT_RATE)
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        resampler = av.AudioResampler(
            format=stream.format, layout="mono", rate=SAMPLE_RATE_HZ, frame_size=stream.frame_size
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    encoded.seek(0)
    with av.open(encoded) as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return _in_order(clips, np.concatenate(frames).astype(np.float32))


def with_music(clips: Sequence[Sound]) -> Degraded:
    """Put music under it, 10 dB below the speech."""
    samples = np.concatenate(clips)
    return _in_order(clips, beside(samples, music(len(samples) / SAMPLE_RATE_HZ), BELOW_DB))


def with_babble(clips: Sequence[Sound]) -> Degraded:
    """Put five other voices under it, 10 dB below the speech; each is the recording from another moment on."""
    samples = np.concatenate(clips)
    starts = np.random.default_rng(1).integers(len(samples) // 10, len(samples) * 9 // 10, VOICES)
    babble = np.sum([np.roll(samples, -int(start)) for start in starts], axis=0)
    return _in_order(clips, beside(samples, babble, BELOW_DB))


def with_echo(clips: Sequence[Sound]) -> Degraded:
    """Convolve it with noise that decays as a room's echo does, its energy equal to the direct sound's."""
    seconds = np.arange(round(REVERBERATION_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    echo = np.random.default_rng(2).standard_normal(len(seconds)) * 10 ** (-3 * seconds / REVERBERATION_S)
    echo /= np.sqrt((echo**2).sum())
    echo[0] += 1
    samples = np.concatenate(clips)
    return _in_order(clips, _limited(fftconvolve(samples, echo)[: len(samples)]))


def fast(clips: Sequence[Sound]) -> Degraded:
    """Speed it up by half, with FFmpeg's `atempo`."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        format="fltp", sample_rate=SAMPLE_RATE_HZ, layout="mono", time_base=f"1/{SAMPLE_RATE_HZ}"
    )
    tempo, sink = graph.add("atempo", str(FAST)), graph.add("abuffersink")
    source.link_to(tempo)
    tempo.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(np.concatenate(clips)[None], format="fltp", layout="mono")
    frame.sample_rate = SAMPLE_RATE_HZ
    frame.pts = 0
    graph.push(frame)
    graph.push(None)
    parts = []
    while True:
        try:
            parts.append(graph.pull().to_ndarray()[0])
        except (av.BlockingIOError, av.EOFError):
            break
    return _in_order(clips, np.concatenate(parts).astype(np.float32))


def long_pauses(clips: Sequence[Sound]) -> Degraded:
    """Put 5 to 20 s of almost silence after each clip."""
    return _in_order(clips, _with_pauses(clips, PAUSES_S, seed=3))


def shuffled(clips: Sequence[Sound]) -> Degraded:
    """Put the clips into another order, with short pauses between them."""
    order = np.random.default_rng(4).permutation(len(clips)).tolist()
    return Degraded(_with_pauses([clips[place] for place in order], GAPS_S, seed=5), tuple(order))


DEGRADATIONS: dict[str, Degradation] = {
    "whole": whole,
    "telephone": telephone,
    "mp3 24 kbit/s": low_bit_rate,
    "music": with_music,
    "babble": with_babble,
    "echo": with_echo,
    "1.5x speed": fast,
    "long pauses": long_pauses,
    "shuffled": shuffled,
}


def _in_order(clips: Sequence[Sound], samples: NDArray[np.floating]) -> Degraded:
    return Degraded(samples.astype(np.float32), tuple(range(len(clips))))


def _limited(samples: NDArray[np.floating]) -> NDArray[np.floating]:
    return samples / max(1.0, float(np.abs(samples).max()))


def _with_pauses(clips: Sequence[Sound], range_s: tuple[float, float], seed: int) -> Sound:
    random = np.random.default_rng(seed)
    parts: list[Sound] = []
    for clip in clips:
        length = round(random.uniform(*range_s) * SAMPLE_RATE_HZ)
        parts += [clip, (FLOOR * random.standard_normal(length)).astype(np.float32)]
    return np.concatenate(parts)
