"""Channels that cancel out when they are mixed: one of them is heard instead.

A microphone wired the wrong way, or a balanced plug in a stereo socket, gives two channels of opposite sign. numpy
would start threads, which the decoder's confinement forbids, so that energies are taken from some of the samples.
"""

from collections.abc import Iterator, Sequence
from operator import add, mul
from typing import Any

import av

BLOCK_S = 0.5
"""Seconds about which one decision is made."""
PROBED = 8
"""One of so many frames is measured."""
PROBES_HZ = 1_000
"""Samples measured in a second of such frames."""
CANCELS, MIXES = 0.1, 0.3
"""Energy of the sum against that of the channels, 1 for independent ones, at which a choice begins and ends."""
LOUDER = 10.0
"""Energy against that of the chosen channel from which on another one is chosen."""
SILENCE = 1e-7
"""Energy against full scale (-70 dB) below which there is nothing to decide."""
FADE_S = 0.01
MOST_PLACES = 8
"""Channels of the layouts that cameras and studios use; PyAV does not tell the planes of more apart."""
UNMIXED = frozenset(["LFE", "LFE2", "TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR", "TSL", "TSR", "WL", "WR"])
"""Channels that FFmpeg leaves out of a mix to mono."""
TYPES = {"u8": "B", "s16": "h", "s32": "i", "s64": "q", "flt": "f", "dbl": "d"}
FULL_SCALE = {"B": 128.0, "h": 2.0**15, "i": 2.0**31, "q": 2.0**63}


class Channels:
    """A stream of frames in which all channels become one of them while their mix would cancel out."""

    def __init__(self) -> None:
        self._held: list[av.AudioFrame] = []
        self._held_s = 0.0
        self._kind: tuple[int, str, str] | None = None
        self._chosen: int | None = None

    def add(self, frame: av.AudioFrame) -> Iterator[av.AudioFrame]:
        """Yield the frames about which it is decided; they keep their format, layout and times."""
        if not _is_mixed(frame):
            yield from self.rest()
            yield frame
            return
        kind = (frame.sample_rate, frame.layout.name, frame.format.name)
        if kind != self._kind:
            yield from self.rest()
            self._kind, self._chosen = kind, None
        self._held.append(frame)
        self._held_s += frame.samples / frame.sample_rate
        if self._held_s >= BLOCK_S:
            yield from self.rest()

    def rest(self) -> Iterator[av.AudioFrame]:
        """Yield the frames that are held."""
        held, self._held, self._held_s = self._held, [], 0.0
        before = self._chosen
        if held:
            self._chosen = _choice(held, before)
        for frame in held:
            yield frame if self._chosen is before is None else _replaced(frame, before, self._chosen)
            before = self._chosen


def loudness(frame: av.AudioFrame) -> float:
    """Return the mean energy of the loudest channel against full scale; 0.0 if it cannot be told."""
    return max(_energies(frame)[0], default=0.0) if frame.layout.nb_channels <= MOST_PLACES else 1.0


def _is_mixed(frame: av.AudioFrame) -> bool:
    layout = frame.layout
    return 1 < layout.nb_channels <= MOST_PLACES and not layout.name.startswith("ambisonic")


def _choice(frames: Sequence[av.AudioFrame], before: int | None) -> int | None:
    """Return the channel to hear instead of the mix, None for the mix."""
    measured = [_energies(frame) for frame in frames[::PROBED]]
    each = [sum(energies) / len(measured) for energies in zip(*(energies for energies, _ in measured), strict=True)]
    mixed = sum(energy for _, energy in measured) / len(measured)
    loudest = max(range(len(each)), key=each.__getitem__)
    if each[loudest] < SILENCE:
        return before
    if mixed >= sum(each) * (CANCELS if before is None else MIXES):
        return None
    return loudest if before is None or each[loudest] > LOUDER * each[before] else before


def _energies(frame: av.AudioFrame) -> tuple[list[float], float]:
    """Return the mean energies of the channels and of the sum of those that a mix has, from some of the samples."""
    step = max(1, frame.sample_rate // PROBES_HZ)
    sounds = [view[::step].tolist() for view in _views(frame, frame.planes)]
    code = TYPES[frame.format.packed.name]
    if code == "B":
        sounds = [[sample - 128 for sample in sound] for sound in sounds]
    share = 1 / (FULL_SCALE.get(code, 1.0) ** 2 * max(1, len(sounds[0])))
    total = [0.0] * len(sounds[0])
    for channel, sound in zip(frame.layout.channels, sounds, strict=True):
        if channel.name not in UNMIXED:
            total = list(map(add, total, sound))
    return [share * sum(map(mul, sound, sound)) for sound in sounds], share * sum(map(mul, total, total))


def _views(frame: av.AudioFrame, planes: Sequence[Any]) -> list["memoryview[int]"]:
    """Return each channel's samples as a view of the planes."""
    code, count = TYPES[frame.format.packed.name], frame.layout.nb_channels
    size = frame.format.bytes * frame.samples
    if frame.format.is_planar:
        return [memoryview(plane)[:size].cast("B").cast(code) for plane in planes]  # type: ignore[call-overload]
    whole = memoryview(planes[0])[: size * count].cast(code)  # type: ignore[call-overload]
    return [whole[place::count] for place in range(count)]


def _replaced(frame: av.AudioFrame, before: int | None, chosen: int | None) -> av.AudioFrame:
    """Return a frame whose channels are all the chosen one, None for themselves; what differs before fades over."""
    old = [bytes(plane) for plane in frame.planes]
    new = [bytearray(plane) for plane in old]
    fade = min(frame.samples, int(FADE_S * frame.sample_rate)) if before != chosen else 0
    sounds, targets = _views(frame, old), _views(frame, new)
    whole = frame.format.packed.name not in ("flt", "dbl")
    for place, target in enumerate(targets):
        left, right = (sounds[place if it is None else it] for it in (before, chosen))
        target[:] = right
        for at in range(fade):
            sample = left[at] + (right[at] - left[at]) * at / fade
            target[at] = int(sample) if whole else sample  # type: ignore[assignment]
    copy = av.AudioFrame(format=frame.format, layout=frame.layout, samples=frame.samples)
    copy.sample_rate, copy.pts, copy.time_base = frame.sample_rate, frame.pts, frame.time_base
    for plane, content in zip(copy.planes, new, strict=True):
        plane.update(bytes(content[: plane.buffer_size]).ljust(plane.buffer_size, b"\0"))
    return copy
