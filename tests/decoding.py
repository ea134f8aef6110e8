"""Decodes damaged files, each in a process of its own with the decoder's limits, and tells how each ended.

`python -m tests.decoding FOLDER COUNT [SEED]`; a line of JSON for each. Forking saves the 0.2 s that starting a
decoder takes; this process has nothing that does not survive it.
"""

import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.mutations import mutants, silent_wav
from workers.audio import decoder_process

WALL_S = 30.0
CPU_S = 20


def main(folder: Path, count: int, seed: int) -> None:
    for path in files(folder, count, seed):
        print(json.dumps(outcome(path)), flush=True)
        path.unlink()


def files(folder: Path, count: int, seed: int) -> Iterator[Path]:
    """Write each file and yield its path, to begin with the ones that grow when they are unpacked."""
    yield silent_wav(folder / "a-week-of-silence.wav", 7 * 24 * 3600, rate_hz=1_000)
    yield silent_wav(folder / "slow-silence.wav", 100_000, rate_hz=1)
    yield silent_wav(folder / "an-hour-of-silence.wav", 3600)
    for mutant in mutants(count, seed):
        path = folder / mutant.name
        path.write_bytes(mutant.data)
        yield path


def outcome(path: Path) -> dict[str, Any]:
    """Return how decoding a file ended, in a process of its own."""
    started = time.monotonic()
    receiving, sending = os.pipe()
    child = os.fork()
    if not child:
        _decode(path, sending)
    os.close(sending)
    try:
        sound_bytes, broken, end = _received(receiving, started + WALL_S)
    except TimeoutError:
        os.kill(child, signal.SIGKILL)
        sound_bytes, broken, end = 0, 0, None
    os.close(receiving)
    _, status, used = os.wait4(child, 0)
    return {
        "name": path.name,
        "exit": os.waitstatus_to_exitcode(status),
        "sound_s": sound_bytes / 2 / decoder_process.SAMPLE_RATE_HZ,
        "broken": broken,
        "end": end,
        "memory_mb": used.ru_maxrss / (1 << 10 if sys.platform == "linux" else 1 << 20),
        "cpu_s": used.ru_utime + used.ru_stime,
        "wall_s": time.monotonic() - started,
    }


def _decode(path: Path, descriptor: int) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    decoder_process.limit_resources()
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    code = 1
    try:
        decoder_process.decode(
            decoder_process.Input(os.open(path, os.O_RDONLY), str(path)), decoder_process.writer(descriptor)
        )
        code = 0
    finally:
        os._exit(code)


def _received(descriptor: int, deadline: float) -> tuple[int, int, str | None]:
    """Return how many bytes of sound came, how many packets were left out, and the last word, None without one."""
    sound_bytes = broken = 0
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    with os.fdopen(os.dup(descriptor), "rb", buffering=0) as pipe:

        def read(size: int) -> bytes:
            content = b""
            while len(content) < size:
                if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
                    raise TimeoutError
                part = pipe.read(size - len(content))
                if not part:
                    raise EOFError
                content += part
            return content

        try:
            while True:
                head = read(5)
                content = read(int.from_bytes(head[1:], "little"))
                sound_bytes += len(content) if head[:1] == decoder_process.SOUND else 0
                broken += head[:1] == decoder_process.BROKEN
                if head[:1] == decoder_process.END:
                    return sound_bytes, broken, content.decode()
        except EOFError:
            return sound_bytes, broken, None


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
