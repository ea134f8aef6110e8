"""Conversion of decoded frames to 16 kHz mono, 16-bit integers."""

import av
from av.audio.resampler import AudioResampler
from av.filter import Graph

SAMPLE_RATE_HZ = 16_000


class Resampler:
    """A converter of frames to 16 kHz mono; rate, layout and format may change between frames, as in spliced files.

    It converts through 16-bit integers, as `whisper.load_audio` does: mixing to mono then preserves the loudness and
    clips, which FFmpeg does not do for floats.
    """

    def __init__(self) -> None:
        self._resampler: AudioResampler | None = None
        self._mixer: Graph | None = None
        self._kind: tuple[int, str, str] | None = None

    def resample(self, frame: av.AudioFrame) -> list[bytes]:
        """Return the complete resampled samples."""
        kind = (frame.sample_rate, frame.layout.name, frame.format.name)
        done = self.rest() if kind != self._kind else []
        if self._resampler is None:
            self._kind = kind
            self._resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
            self._mixer = _mixer(frame)
        if self._mixer:
            self._mixer.push(frame)
            frame = self._mixer.pull()  # type: ignore[assignment]
        return done + [_samples(part) for part in self._resampler.resample(frame)]

    def rest(self) -> list[bytes]:
        """Return the remaining samples, and reset the converter."""
        remaining = self._resampler.resample(None) if self._resampler else []
        self._resampler = None
        return [_samples(part) for part in remaining]


def _mixer(frame: av.AudioFrame) -> Graph | None:
    """Return a mixer for channels whose places nobody knows; FFmpeg would guess them, and leave some out."""
    name, count = frame.layout.name, frame.layout.nb_channels
    if name.startswith("ambisonic"):
        mix = "c0"  # the sound from all around
    elif name.endswith(" channels") and count > 2:
        mix = "+".join(f"c{channel}" for channel in range(count))
    else:
        return None
    graph = Graph()
    source = graph.add_abuffer(sample_rate=frame.sample_rate, format=frame.format.name, layout=name)
    graph.link_nodes(source, graph.add("pan", f"mono|c0<{mix}"), graph.add("abuffersink")).configure()
    return graph


def _samples(frame: av.AudioFrame) -> bytes:
    return bytes(memoryview(frame.planes[0])[: frame.samples * 2])
