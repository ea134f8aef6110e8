"""The decoder process, `python -m workers.audio.decoder_process NAME < FILE`, which writes samples to standard output.

PyAV (https://pyav.basswood-io.com) bundles FFmpeg's libraries, so no ffmpeg binary is needed. They are a large body of
C code that parses untrusted files. Here they can exhaust or crash only this process, which has access to neither
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
"""CPU seconds; a day of audio takes a tenth of them."""
FILES = 64
RATES_HZ = (4_000, 768_000)
"""Hz, lowest and highest. A lower rate cannot carry speech, and multiplies in size when resampled to 16 kHz."""
MAX_CHANNELS = 64
CONTAINERS = (
    "3gp,aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dss,dts,dtshd,dv,eac3,flac,flv,loas,matroska,mov,mp3,mpc,"
    "mpc8,mpeg,mpegts,mxf,nistsphere,ogg,oma,rm,shn,tak,tta,voc,w64,wav,webm,wv"
)
"""Container formats with audio. Others, such as playlists, refer to further files or addresses and are not opened."""
MAX_BROKEN_IN_A_ROW = 10_000
"""Packets, which are minutes of damage; audio after that is not expected to belong to the audio before."""
OPTIONS = {"format_whitelist": CONTAINERS, "protocol_whitelist": "none"}
"""FFmpeg options: the file is open already, and no other may be opened."""

KEPT, HEADER, SOUND, BROKEN, END = b"K", b"H", b"S", b"B", b"E"
"""Kinds of messages: KEPT has the restrictions that failed, HEADER the length in the header as JSON, SOUND 16-bit
samples, and END an error, empty on success. BROKEN is empty and stands for a skipped packet."""
READ_BYTES = 1 << 18
MAX_MESSAGE_BYTES = 1 << 18
"""Maximum length of a message; the reader may reject longer ones."""
BLOCK_BYTES = SAMPLE_RATE_HZ // 2
"""Bytes of a quarter of a second."""
BREAKS = (FFmpegError, ValueError, NotImplementedError, OSError)
"""Exceptions of PyAV for damage; OSError if a damaged file causes a seek to an impossible position."""
Send = Callable[[bytes, bytes], None]


class UnusableError(Exception):
    """The file cannot be used; the message continues a sentence that starts with the file's name."""


class Input(io.FileIO):
    """An open file with its name, whose extension is a hint for ambiguous content."""

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, "rb")
        self.name = name  # FileIO uses the descriptor as the name


class Resampler:
    """A converter of frames to 16 kHz mono; rate, layout and format may change between frames, as in spliced files.

    It converts through 16-bit integers, as `whisper.load_audio` does: mixing to mono then preserves the loudness and
    clips, which FFmpeg does not do for floats.
    """

    def __init__(self) -> None:
        self._resampler: AudioResampler | None = None
        self._kind: tuple[int, str, str] | None = None

    def resample(self, frame: av.AudioFrame) -> list[bytes]:
        """Return the complete resampled samples."""
        _check(frame.sample_rate, frame.layout.nb_channels)
        kind = (frame.sample_rate, frame.layout.name, frame.format.name)
        done = self.rest() if kind != self._kind else []
        if self._resampler is None:
            self._kind = kind
            self._resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
        return done + [_samples(part) for part in self._resampler.resample(frame)]

    def rest(self) -> list[bytes]:
        """Return the remaining samples, and reset the converter."""
        remaining = self._resampler.resample(None) if self._resampler else []
        self._resampler = None
        return [_samples(part) for part in remaining]


def decode(file: Input, send: Send) -> None:
    """Send a file's header, audio and end; undecodable packets are skipped."""
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
    """Send the decodable audio of the first audio track."""
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
    """A buffer that collects samples into messages of BLOCK_BYTES or more."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._held = bytearray()
        self.sent_bytes = 0

    def add(self, parts: Iterable[bytes]) -> None:
        """Add samples, and send the buffer when it is full."""
        for part in parts:
            self._held += part
            if len(self._held) >= BLOCK_BYTES:
                self.flush()

    def flush(self) -> None:
        """Send the buffered samples."""
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
    """Limit the resources of this process; limits that the system does not support are skipped."""
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CPU: CPU_S,
        resource.RLIMIT_NOFILE: FILES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,  # no processes or threads; not enforced for root
    }
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, hard))


def writer(descriptor: int) -> Send:
    """Return a function that writes messages: the kind in one byte, the length in four bytes, the content."""

    def send(kind: bytes, content: bytes) -> None:
        left = memoryview(kind + len(content).to_bytes(4, "little") + content)
        while left:
            left = left[os.write(descriptor, left) :]

    return send


def main(name: str) -> None:
    """Decode the file on standard input."""
    failed = confine([Path(str(module.__file__)).parent for module in (os, av)])
    limit_resources()
    # When a job is cancelled, the reader is gone and nothing is left to do.
    with contextlib.suppress(BrokenPipeError):
        send = writer(sys.stdout.fileno())
        if failed:
            send(KEPT, ", ".join(failed).encode())
        decode(Input(sys.stdin.fileno(), name), send)


if __name__ == "__main__":
    main(sys.argv[1])
