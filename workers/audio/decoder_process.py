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
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import av

from workers.audio import tracks
from workers.audio.channels import Channels
from workers.audio.clock import Clock, length_s
from workers.audio.confinement import confine
from workers.audio.frames import BREAKS, UnusableError, check, decoded
from workers.audio.resampler import SAMPLE_RATE_HZ, Resampler
from workers.audio.tags import tags

MEMORY_BYTES = 1 << 30
CPU_S = 3600
"""CPU seconds; a day of audio takes a tenth of them."""
FILES = 64
CONTAINERS = (
    "3gp,aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dss,dts,dtshd,dv,eac3,flac,flv,loas,matroska,mov,mp3,mpc,"
    "mpc8,mpeg,mpegts,mxf,nistsphere,ogg,oma,rm,shn,tak,tta,voc,w64,wav,webm,wv"
)
"""Container formats with audio. Others, such as playlists, refer to further files or addresses and are not opened."""
OPTIONS = {"format_whitelist": CONTAINERS, "protocol_whitelist": "none"}
"""FFmpeg options: the file is open already, and no other may be opened."""

KEPT, HEADER, SOUND, BROKEN, END = b"K", b"H", b"S", b"B", b"E"
"""Kinds of messages: KEPT has the restrictions that failed, HEADER the length in the header in seconds, the number of
the track that is heard, the count of tracks and the file's tags in JSON, SOUND 16-bit samples, and END an error, empty
on success. BROKEN is empty and stands for a skipped packet."""
READ_BYTES = 1 << 18
MAX_MESSAGE_BYTES = 1 << 18
"""Maximum length of a message; the reader may reject longer ones."""
BLOCK_BYTES = SAMPLE_RATE_HZ // 2
"""Bytes of a quarter of a second."""
Send = Callable[[bytes, bytes], None]


class Input(io.FileIO):
    """An open file with its name, whose extension is a hint for ambiguous content."""

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, "rb")
        self.name = name  # FileIO uses the descriptor as the name


def decode(file: Input, send: Send) -> None:
    """Send a file's header, audio and end; undecodable packets are skipped."""
    try:
        with opened(file) as container:
            audio = tracks.in_order(container.streams.audio)
            if not audio:
                raise UnusableError("has no audio track; check that it is the right file.")
            if len(audio) == 1:
                _send_track(container, audio[0], send)
            else:
                heard = tracks.with_sound(container, audio).index
        if len(audio) > 1:
            with opened(file) as container:
                _send_track(container, container.streams[heard], send)  # type: ignore[arg-type]
        send(END, b"")
    except UnusableError as error:
        send(END, str(error).encode())
    except MemoryError:
        send(END, f"needs more than {MEMORY_BYTES >> 20} MB of memory to be decoded; convert it to MP3.".encode())
    except BREAKS as error:
        send(END, str(_undecodable(error)).encode())


def opened(file: Input) -> av.container.InputContainer:
    """Return a file as a container; if its name's ending misleads FFmpeg, none and then that of MP3 are tried."""
    own, failure = file.name, None
    for name in (own, "", "episode.mp3"):
        file.name = name
        file.seek(0)
        try:
            return av.open(file, "r", buffer_size=READ_BYTES, metadata_errors="ignore", options=dict(OPTIONS))
        except BREAKS as error:
            failure = failure or error
        finally:
            file.name = own
    assert failure
    raise failure


def _send_track(container: av.container.InputContainer, track: av.AudioStream, send: Send) -> None:
    """Send the header, and the decodable audio of a track."""
    every = [it.index for it in container.streams.audio]
    numbers = f"{length_s(container, track):.6f} {every.index(track.index) + 1} {len(every)}"
    send(HEADER, f"{numbers} {json.dumps(tags(container.metadata | track.metadata))}".encode())
    reason: Exception = ValueError("it has no sound in it")
    codec = track.codec_context
    if codec is None:
        raise _undecodable(ValueError("no decoder knows this kind of sound"))
    if codec.sample_rate:
        check(codec.sample_rate, codec.layout.nb_channels)
    block = Block(send)
    sound = Sound(Clock(container))
    for frames in decoded(container, track):
        try:
            if isinstance(frames, Exception):
                raise frames
            for _, frame in frames:
                block.add(sound.add(frame))
        except (UnusableError, *BREAKS) as error:
            send(BROKEN, b"")
            reason = error
    block.add(sound.rest())
    block.flush()
    if not block.sent_bytes:
        raise reason if isinstance(reason, UnusableError) else _undecodable(reason)


class Sound:
    """The samples of a track at a player's times: 16 kHz mono, 16-bit integers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._channels = Channels()
        self._resampler = Resampler()

    def add(self, frame: av.AudioFrame) -> Iterator[bytes]:
        """Yield the samples that are complete."""
        yield from self._samples(self._channels.add(frame))

    def rest(self) -> Iterator[bytes]:
        """Yield the remaining samples."""
        yield from self._samples(self._channels.rest())
        yield from self._resampler.rest()

    def _samples(self, frames: Iterable[av.AudioFrame]) -> Iterator[bytes]:
        for frame in frames:
            if silence_s := self._clock.silence_before(frame):
                yield from self._resampler.rest()
                size = 2 * round(silence_s * SAMPLE_RATE_HZ)
                yield from (bytes(min(BLOCK_BYTES, size - at)) for at in range(0, size, BLOCK_BYTES))
            yield from self._resampler.resample(frame)


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


def _undecodable(error: Exception) -> UnusableError:
    return UnusableError(
        f"cannot be decoded as audio ({_short(error)}); check that the file is complete and is an audio or video file."
    )


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
