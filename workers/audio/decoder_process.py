"""The decoder's process, `python -m workers.audio.decoder_process NAME < FILE`: samples go to its standard output.

PyAV (https://pyav.basswood-io.com) carries FFmpeg's libraries, so no ffmpeg binary is needed. They are a large
body of C that reads what strangers made; here they may use up or crash nothing but this process, and find neither
secrets nor a network (`workers.audio.confinement`).
"""

import contextlib
import io
import json
import os
import resource
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import av
from av.audio.resampler import AudioResampler
from av.error import FFmpegError

from workers.audio.confinement import confine

SAMPLE_RATE_HZ = 16_000
MEMORY_BYTES = 1 << 30
CPU_S = 3600
"""A day of audio takes a tenth of it."""
FILES = 64
RATES_HZ = (4_000, 768_000)
"""Sound of a lower rate holds no speech, and grows to a multiple of its size on its way to 16 kHz."""
MAX_CHANNELS = 64
CONTAINERS = (
    "3gp,aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,loas,matroska,mov,mp3,mpeg,mpegts,ogg,"
    "oma,tta,w64,wav,webm,wv"
)
"""Forms that hold sound. Others name further files or addresses, such as playlists, and are not opened."""
MAX_BROKEN_IN_A_ROW = 10_000
"""Minutes of damage, behind which nothing is to be expected that belongs to what was before."""
OPTIONS = {"format_whitelist": CONTAINERS, "protocol_whitelist": "none"}
"""The file is open; no other is opened."""

KEPT, HEADER, SOUND, BROKEN, END = b"K", b"H", b"S", b"B", b"E"
"""What a message is: what the process could not give up; the length that the header claims as JSON; 16-bit samples;
nothing, for a packet that was left out; and why there is no more, empty when that is as it should be."""
READ_BYTES = 1 << 18
MAX_MESSAGE_BYTES = 1 << 18
"""No message is longer; whoever reads them need not take more."""
BLOCK_BYTES = SAMPLE_RATE_HZ // 2
"""A quarter of a second."""
BREAKS = (FFmpegError, ValueError, NotImplementedError, OSError)
"""What PyAV raises for damage; OSError where a damaged file has it seek to where no file has anything."""
Send = Callable[[bytes, bytes], None]


class UnusableError(Exception):
    """The file is of no use; the message goes on after the file's name."""


class Input(io.FileIO):
    """An open file under its name, whose ending is a hint where the content leaves doubts."""

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, "rb")
        self.name = name  # of what is opened by its number, it would be the number


class Resampler:
    """Frames of any rate, layout and format to 16 kHz mono; these may change between frames, as in spliced files.

    Through 16-bit integers, as `whisper.load_audio` does: mixing to mono then keeps the loudness and clips,
    which FFmpeg does not do for floats.
    """

    def __init__(self) -> None:
        self._resampler: AudioResampler | None = None
        self._kind: tuple[int, str, str] | None = None

    def resample(self, frame: av.AudioFrame) -> list[bytes]:
        """Return the resampled samples that are complete."""
        _check(frame.sample_rate, frame.layout.nb_channels)
        kind = (frame.sample_rate, frame.layout.name, frame.format.name)
        done = self.rest() if kind != self._kind else []
        if self._resampler is None:
            self._kind = kind
            self._resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
        return done + [_samples(part) for part in self._resampler.resample(frame)]

    def rest(self) -> list[bytes]:
        """Return the remaining samples, and reset."""
        held = self._resampler.resample(None) if self._resampler else []
        self._resampler = None
        return [_samples(part) for part in held]


def decode(file: Input, send: Send) -> None:
    """Send a file's header, its sound, and its end; what cannot be decoded in it is left out."""
    try:
        with av.open(file, "r", buffer_size=READ_BYTES, metadata_errors="ignore", options=dict(OPTIONS)) as container:
            if not container.streams.audio:
                raise UnusableError("has no audio track; check that it is the right file.")
            send(HEADER, json.dumps((container.duration or 0) / av.time_base).encode())
            _send_sound(container, send)
        send(END, b"")
    except UnusableError as error:
        send(END, str(error).encode())
    except MemoryError:
        send(END, f"needs more than {MEMORY_BYTES >> 20} MB of memory to be decoded; convert it to MP3.".encode())
    except BREAKS as error:
        send(END, str(_undecodable(error)).encode())


def _send_sound(container: av.container.InputContainer, send: Send) -> None:
    """Send what can be decoded of the first audio track."""
    reason: Exception = ValueError("it has no sound in it")
    block = Block(send)
    resampler = Resampler()
    stream = container.streams.audio[0]
    codec = stream.codec_context
    if codec is None:
        raise _undecodable(ValueError("no decoder knows this kind of sound"))
    if codec.sample_rate:
        _check(codec.sample_rate, codec.layout.nb_channels)
    packets = container.demux(stream)
    broken_in_a_row = 0
    while broken_in_a_row < MAX_BROKEN_IN_A_ROW:
        try:
            packet = next(packets, None)
            if packet is None:
                break
            decoded = [part for frame in packet.decode() for part in resampler.resample(frame)]
        except (UnusableError, *BREAKS) as error:
            send(BROKEN, b"")
            broken_in_a_row += 1
            reason = error
            if isinstance(error, av.error.EOFError | OSError) and not isinstance(error, NotImplementedError):
                break  # the demuxer cannot go on
            continue
        broken_in_a_row = 0
        block.add(decoded)
    block.add(resampler.rest())
    block.flush()
    if not block.sent_bytes:
        raise reason if isinstance(reason, UnusableError) else _undecodable(reason)


class Block:
    """Sound that is gathered until it is worth a message."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._held = bytearray()
        self.sent_bytes = 0

    def add(self, parts: Iterable[bytes]) -> None:
        """Add samples."""
        for part in parts:
            self._held += part
            if len(self._held) >= BLOCK_BYTES:
                self.flush()

    def flush(self) -> None:
        """Send what is there."""
        if self._held:
            for begin in range(0, len(self._held), MAX_MESSAGE_BYTES):
                self._send(SOUND, bytes(self._held[begin : begin + MAX_MESSAGE_BYTES]))
        self.sent_bytes += len(self._held)
        self._held.clear()


def _check(rate_hz: int, channels: int) -> None:
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1] or not 1 <= channels <= MAX_CHANNELS:
        raise UnusableError(
            f"claims a sound of {rate_hz} Hz and {channels} channels, which is no speech that was recorded; "
            "check that the file is complete and is an audio or video file."
        )


def _undecodable(error: Exception) -> UnusableError:
    return UnusableError(
        f"cannot be decoded as audio ({_short(error)}); check that the file is complete and is an audio or video file."
    )


def _samples(frame: av.AudioFrame) -> bytes:
    return bytes(memoryview(frame.planes[0])[: frame.samples * 2])


def _short(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).rstrip(".")


def limit_resources() -> None:
    """Bound what this process may use; a limit that the system does not know is left out."""
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CPU: CPU_S,
        resource.RLIMIT_NOFILE: FILES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,  # neither processes nor threads; the system does not hold root to it
    }
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, hard))


def writer(descriptor: int) -> Send:
    """Return a function that writes messages: what it is in one byte, its length in four, its bytes."""

    def send(kind: bytes, content: bytes) -> None:
        left = memoryview(kind + len(content).to_bytes(4, "little") + content)
        while left:
            left = left[os.write(descriptor, left) :]

    return send


def main(name: str) -> None:
    """Decode what is open as standard input."""
    kept = confine([Path(str(module.__file__)).parent for module in (os, av)])
    limit_resources()
    # Gone is the one who reads, when a job is cancelled: then there is nothing to do any more.
    with contextlib.suppress(BrokenPipeError):
        send = writer(sys.stdout.fileno())
        if kept:
            send(KEPT, ", ".join(kept).encode())
        decode(Input(sys.stdin.fileno(), name), send)


if __name__ == "__main__":
    main(sys.argv[1])
