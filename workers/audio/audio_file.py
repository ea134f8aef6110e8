"""Audio of an episode: any audio or video file as 16 kHz mono float32, block by block.

`workers.audio.decoder_process` decodes the file in a separate process, which costs 0.2 s per file. The model of a pool
takes longer to load than any file to decode, so an untrusted file must not be able to crash the pool. Nor may it get
access to the pool's keys, the broker's address, or its network.
"""

import logging
import math
import os
import select
import signal
import subprocess
import sys
import weakref
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from pipeline.errors import AudioError, TransientError
from pipeline.settings import settings
from pipeline.types import FileTags
from pipeline.types.time_format import hms
from workers.audio.decoder_process import BROKEN, END, HEADER, KEPT, MAX_MESSAGE_BYTES, SOUND
from workers.audio.resampler import SAMPLE_RATE_HZ as SAMPLE_RATE_HZ

logger = logging.getLogger(__name__)
Samples = NDArray[np.float32]
"""Mono audio, shape (samples,), float32 in [-1, 1], at `SAMPLE_RATE_HZ`."""
STALL_S = 120.0
"""Seconds without a message of the decoder after which the file is rejected."""
MAX_TRACKS = 1000
PIPE_BYTES = 1 << 16
INHERITED = ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")
"""The decoder's only environment variables: the paths of its code, if that is not in the installation."""
FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that end a decoder for reasons unrelated to the file."""


class DecoderProcess:
    """A process that decodes one file, and the stream of its messages."""

    def __init__(self, path: Path) -> None:
        self.path = path
        command = [sys.executable, "-P", "-m", "workers.audio.decoder_process", str(path)]
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        with path.open("rb") as file:
            self._process = subprocess.Popen(
                command, env=environment, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout
        self._waiting = select.poll()
        self._waiting.register(self._pipe, select.POLLIN)
        self.close = weakref.finalize(self, _end, self._process)

    def receive(self) -> tuple[bytes, bytes]:
        """Return the kind and the content of the next message.

        Raises:
            AudioError: the file crashed the decoder, stalled it, or made it send an invalid message.
            TransientError: the decoder was ended from outside.
        """
        head = self._read(5)
        kind, length = head[:1], int.from_bytes(head[1:], "little")
        if length > MAX_MESSAGE_BYTES:
            raise self._protocol_error(f"a message of {length} bytes")
        content = self._read(length)
        if kind == KEPT:
            _tell_once(content.decode("utf-8", "replace"))
            return self.receive()
        if kind == SOUND and length % 2:
            raise self._protocol_error("half a sample")
        return kind, content

    def _read(self, size: int) -> bytes:
        read = bytearray()
        while len(read) < size:
            if not self._waiting.poll(STALL_S * 1000):
                self.close()
                raise AudioError(
                    f"{self.path.name} keeps the decoder busy for more than {STALL_S:g} s without a sound; "
                    "convert it to MP3, or leave it out."
                )
            part = os.read(self._pipe.fileno(), min(size - len(read), PIPE_BYTES))
            if not part:
                raise self._exit_error()
            read += part
        return bytes(read)

    def _protocol_error(self, what: str) -> AudioError:
        self.close()
        return AudioError(
            f"{self.path.name} made the decoder send {what}; it is damaged, or made to do harm: "
            "convert it to MP3, or leave it out."
        )

    def _exit_error(self) -> AudioError | TransientError:
        code = self._process.wait()
        self.close()
        if -code in FROM_OUTSIDE:
            return TransientError(f"The decoder of {self.path.name} was ended from outside ({_named(code)}).")
        return AudioError(
            f"{self.path.name} made the decoder end ({_named(code)}); it is damaged, or made to do harm: "
            "convert it to MP3, or leave it out."
        )


class AudioFile:
    """An audio file that is decoded as it is read, so that memory does not grow with its length.

    Frames that cannot be decoded are skipped and counted, so that the rest of a damaged episode is transcribed.
    """

    def __init__(self, path: Path) -> None:
        """Start decoding.

        Raises:
            AudioError: the file is missing, empty, or not audio.
        """
        self.path = path
        self.broken_frames = 0
        """Packets skipped so far because they could not be decoded."""
        self.decoded_s = 0.0
        """Seconds decoded so far."""
        if not path.is_file():
            raise AudioError(f"{path.name}: there is no such file where the worker looks, {path}.")
        if path.stat().st_size == 0:
            raise AudioError(f"{path.name} is empty (0 bytes); copy it again from where it came.")
        self._decoder = DecoderProcess(path)
        kind, content = self._decoder.receive()
        if kind != HEADER:
            raise self._unusable(content)
        length, track, tracks, tags = [*content.split(b" ", 3), b"", b"", b""][:4]
        self.expected_s = _length_s(length)
        """Length in seconds according to the file's header; 0.0 if it has none."""
        self.track, self.tracks = _tracks(track, tracks)
        """Number of the audio track that is heard, from 1, and how many there are."""
        self.tags = _tags(tags)
        """Tags of the file."""

    def blocks(self) -> Iterator[Samples]:
        """Yield the decoded audio in order, block by block; can be iterated once.

        Raises:
            AudioError: nothing in the file can be decoded, it crashed the decoder, or it is longer than allowed.
            TransientError: the decoder was ended from outside.
        """
        try:
            while True:
                kind, content = self._decoder.receive()
                if kind == SOUND:
                    yield self._counted(np.frombuffer(content, "<i2").astype(np.float32) / np.float32(32768))
                elif kind == BROKEN:
                    self.broken_frames += 1
                elif kind == END and not content:
                    return
                else:
                    raise self._unusable(content)
        finally:
            self._decoder.close()

    def _counted(self, samples: Samples) -> Samples:
        self.decoded_s += len(samples) / SAMPLE_RATE_HZ
        if self.decoded_s > settings().audio_limit_s:
            raise AudioError(
                f"{self.path.name} is longer than {hms(settings().audio_limit_s)}; "
                "cut it into pieces, or allow more by DUET_AUDIO_LIMIT_S."
            )
        return samples

    def _unusable(self, reason: bytes) -> AudioError:
        return AudioError(f"{self.path.name} {reason.decode('utf-8', 'replace')}")


def load(path: Path) -> Samples:
    """Return a whole file's audio as one array: 4 bytes per sample, 3.8 MB per minute.

    Raises:
        AudioError: the file is missing, empty, or has no decodable audio.
    """
    return np.concatenate(list(AudioFile(path).blocks()))


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


def _length_s(claim: bytes) -> float:
    try:
        length_s = float(claim)
    except ValueError:
        return 0.0
    return length_s if math.isfinite(length_s) and length_s > 0 else 0.0


def _tracks(*claims: bytes) -> tuple[int, int]:
    try:
        track, tracks = map(int, claims)
    except ValueError:
        return 1, 1
    return (track, tracks) if 1 <= track <= tracks <= MAX_TRACKS else (1, 1)


def _tags(claim: bytes) -> FileTags:
    try:
        return FileTags.from_json(claim)
    except ValidationError:
        return FileTags()


@lru_cache(maxsize=8)
def _tell_once(kept: str) -> None:
    logger.debug("The decoder goes on with what this system does not let it give up: %s.", kept)


def _named(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"
