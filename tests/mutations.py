"""Audio files that are damaged, or made to do harm, each from a seed that makes it again."""

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import av
import numpy as np

RATE_HZ = 48_000
BASE_S = 1.5
HEADER_BYTES = 256
OPTIONS = {"strict": "experimental", "b": "96000"}
ABSURD = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
CODECS = {
    "mp3": ("mp3", "mp3", "fltp"),
    "m4a": ("ipod", "aac", "fltp"),
    "aac": ("adts", "aac", "fltp"),
    "flac": ("flac", "flac", "s16"),
    "ogg": ("ogg", "vorbis", "fltp"),
    "opus": ("ogg", "libopus", "flt"),
    "wav": ("wav", "pcm_s16le", "s16"),
    "aiff": ("aiff", "pcm_s16be", "s16"),
    "webm": ("webm", "libopus", "flt"),
    "mka": ("matroska", "ac3", "fltp"),
    "wma": ("asf", "wmav2", "fltp"),
}
"""Ending → container, codec and sample format."""
Mutation = Callable[[random.Random, bytes, bytes], bytes]
"""Makes a damaged file from chance, a good file, and another good file."""


@dataclass(frozen=True)
class Mutant:
    """One damaged file."""

    name: str
    data: bytes


def mutants(count: int, seed: int = 0) -> Iterator[Mutant]:
    """Yield damaged files, the same ones for the same seed; each is named after what was done to it."""
    bases = {ending: good_file(ending) for ending in CODECS}
    for number in range(count):
        chance = random.Random(f"{seed}.{number}")
        ending, other = chance.choice(list(bases)), chance.choice(list(bases))
        mutation = chance.choice(MUTATIONS)
        data = mutation(chance, bases[ending], bases[other])
        yield Mutant(f"{number:06d}-{mutation.__name__}.{ending}", data)


def good_file(ending: str) -> bytes:
    """Return a short stereo file of that kind with a rising tone and noise in it."""
    container_name, codec, sample_format = CODECS[ending]
    times = np.arange(int(BASE_S * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(7).normal(0, 0.02, len(times))
    mono = 0.4 * np.sin(2 * np.pi * (200 + 400 * times) * times) + noise
    target = BytesIO()
    with av.open(target, "w", format=container_name) as container:
        stream = container.add_stream(codec, rate=RATE_HZ, layout="stereo", options=OPTIONS)
        whole = np.stack([mono, mono]).astype(np.float32)
        resampler = av.AudioResampler(sample_format, "stereo", RATE_HZ, frame_size=stream.codec_context.frame_size or 0)
        frame = av.AudioFrame.from_ndarray(whole, format="fltp", layout="stereo")
        frame.rate = RATE_HZ
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            for packet in stream.encode(part):
                container.mux(packet)
    return target.getvalue()


def truncated(chance: random.Random, good: bytes, _: bytes) -> bytes:
    return good[: int(len(good) * chance.random() ** 2)]


def bits_flipped(chance: random.Random, good: bytes, _: bytes) -> bytes:
    return _flipped(chance, good, len(good))


def header_bits_flipped(chance: random.Random, good: bytes, _: bytes) -> bytes:
    return _flipped(chance, good, HEADER_BYTES)


def numbers_made_absurd(chance: random.Random, good: bytes, _: bytes) -> bytes:
    data = bytearray(good)
    for _time in range(chance.choice((1, 1, 2, 4))):
        layout = chance.choice(("<H", ">H", "<I", ">I", "<Q", ">Q", "<B"))
        size = struct.calcsize(layout)
        value = chance.choice(ABSURD) & (256**size - 1)
        at = chance.randrange(min(len(data) - size, HEADER_BYTES * 4))
        struct.pack_into(layout, data, at, value)
    return bytes(data)


def wrong_header(chance: random.Random, good: bytes, other: bytes) -> bytes:
    length = chance.choice((4, 12, 44, 128, 1024))
    return other[:length] + good[length:]


def a_piece_zeroed(chance: random.Random, good: bytes, _: bytes) -> bytes:
    start, end = _piece(chance, good)
    return good[:start] + bytes(end - start) + good[end:]


def a_piece_made_noise(chance: random.Random, good: bytes, _: bytes) -> bytes:
    start, end = _piece(chance, good)
    return good[:start] + chance.randbytes(end - start) + good[end:]


def a_piece_left_out(chance: random.Random, good: bytes, _: bytes) -> bytes:
    start, end = _piece(chance, good)
    return good[:start] + good[end:]


def a_piece_repeated(chance: random.Random, good: bytes, _: bytes) -> bytes:
    start, end = _piece(chance, good)
    return good[:end] + good[start:end] * chance.choice((1, 5, 50)) + good[end:]


def spliced(chance: random.Random, good: bytes, other: bytes) -> bytes:
    return good[: chance.randrange(len(good))] + other[chance.randrange(len(other)) :]


def metadata_made_huge(chance: random.Random, good: bytes, _: bytes) -> bytes:
    """Put an ID3 tag before the file: of up to 4 MB, or one that only claims to be of 256 MB."""
    size = chance.choice((1_000, 100_000, 4_000_000))
    claimed = chance.choice((size + 10, size + 10, 0x0FFFFFFF))
    frame = chance.choice((b"TIT2", b"APIC", b"COMM", b"CHAP", b"PRIV")) + struct.pack(">IH", size, 0)
    tag = b"ID3\x04\x00\x00" + bytes((claimed >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return tag + frame + chance.choice((b"A", b"\0", b"\xff")) * size + good


def wav_of_absurd_form(chance: random.Random, _good: bytes, _other: bytes) -> bytes:
    """Return a WAV whose header says what no sound has: rates, channels, widths and lengths out of all measure."""
    tag = chance.choice((1, 1, 3, 6, 7, 0x11, 0x55, 0xFFFE, 0xFFFF))
    channels = chance.choice((0, 1, 2, 63, 64, 65, 255, 4096, 65535))
    rate_hz = chance.choice((0, 1, 7, 8_000, 384_000, 2**24, 2**31 - 1, 2**31, 2**32 - 1))
    bits = chance.choice((0, 1, 8, 16, 24, 32, 64, 65535))
    block = chance.choice((0, 1, 2, channels * bits // 8 & 0xFFFF, 65535))
    size = chance.choice((0, 100_000, 2**31, 2**32 - 1))
    form = struct.pack("<HHIIHH", tag, channels, rate_hz, min(rate_hz * max(block, 1), 2**32 - 1), block, bits)
    sound = chance.choice((bytes(100_000), chance.randbytes(100_000)))
    return (
        b"RIFF" + struct.pack("<I", size) + b"WAVEfmt " + struct.pack("<I", 16) + form
        + b"data" + struct.pack("<I", size) + sound
    )  # fmt: skip


def noise_only(chance: random.Random, good: bytes, _: bytes) -> bytes:
    return good[: chance.choice((0, 4, 16))] + chance.randbytes(chance.choice((1, 100, 20_000)))


MUTATIONS: tuple[Mutation, ...] = (
    truncated,
    bits_flipped,
    bits_flipped,
    header_bits_flipped,
    header_bits_flipped,
    numbers_made_absurd,
    numbers_made_absurd,
    numbers_made_absurd,
    wrong_header,
    a_piece_zeroed,
    a_piece_made_noise,
    a_piece_left_out,
    a_piece_repeated,
    spliced,
    metadata_made_huge,
    wav_of_absurd_form,
    wav_of_absurd_form,
    noise_only,
)


def silent_wav(path: Path, length_s: int, rate_hz: int = 8_000) -> Path:
    """Write silence that takes no space on the disk: a header, and a hole where the sound would be."""
    size = length_s * rate_hz
    form = struct.pack("<HHIIHH", 1, 1, rate_hz, rate_hz, 1, 8)
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", size + 36) + b"WAVEfmt " + struct.pack("<I", 16) + form)
        file.write(b"data" + struct.pack("<I", size))
        file.truncate(44 + size)
    return path


def _flipped(chance: random.Random, good: bytes, reach: int) -> bytes:
    data = bytearray(good)
    for _ in range(chance.choice((1, 3, 10, 30))):
        data[chance.randrange(min(reach, len(data)))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _piece(chance: random.Random, good: bytes) -> tuple[int, int]:
    start = chance.randrange(len(good))
    return start, min(len(good), start + chance.choice((1, 16, 500, 5_000)))
