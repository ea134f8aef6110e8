"""What the process that reads strangers' files can still find and reach: nothing."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from pipeline.errors import AudioError
from workers.audio import audio_file, decoder_process
from workers.audio.audio_file import AudioFile, load
from workers.audio.confinement import confine

SECRET = "s3cr3t-of-the-pool"
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's means are Linux's")
TRIES = """
import socket, sys
from workers.audio.confinement import confine
import errno
kept = confine([])
tries = {
    "connect": lambda: socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5),
    "read": lambda: open(sys.argv[2]).read(),
    "environment of the parent": lambda: open(f"/proc/{sys.argv[3]}/environ").read(),
}
for name, attempt in tries.items():
    try:
        attempt()
        print(name, "done")
    except OSError as error:
        print(name, "refused")
print("kept", kept)
"""


@pytest.fixture
def at_work(episodes: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[psutil.Process]:
    """The real decoder's process, with the file's header told and the sound still to come."""
    for name in ("AWS_SECRET_ACCESS_KEY", "DUET_BROKER_URL", "DUET_WEBHOOK_SECRET", "HF_TOKEN"):
        monkeypatch.setenv(name, SECRET)
    file = AudioFile(episodes["garden-hour"])
    (process,) = (it for it in psutil.Process().children() if str(file.path) in it.cmdline())
    yield process
    for _ in file.blocks():
        pass


@linux_only
def test_the_decoder_has_no_secrets_and_can_get_no_privileges(at_work: psutil.Process) -> None:
    environment = Path(f"/proc/{at_work.pid}/environ").read_bytes()
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{at_work.pid}/status").read_text().splitlines() if ":\t" in line
    )

    names = {entry.partition(b"=")[0].decode() for entry in environment.split(b"\0") if entry}
    assert SECRET.encode() not in environment
    assert names <= {*audio_file.INHERITED, "LC_CTYPE"}, "Python itself may set LC_CTYPE"
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) == 0
    assert int(status["CapPrm"], 16) == 0


@linux_only
def test_the_decoder_has_no_network_where_the_kernel_lets_it_have_none(at_work: psutil.Process) -> None:
    if any(it.startswith("the network") for it in _kept()):
        pytest.skip("this system gives no user namespaces")
    assert Path(f"/proc/{at_work.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    interfaces = Path(f"/proc/{at_work.pid}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]


@linux_only
def test_from_inside_nothing_is_reached_and_nothing_is_read(tmp_path: Path) -> None:
    # Given a listener and a file of the pool's
    (tmp_path / "secret").write_text(SECRET)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        argv = [str(listener.getsockname()[1]), str(tmp_path / "secret"), str(os.getpid())]

        # When a confined process asks for them
        done = subprocess.run([sys.executable, "-c", TRIES, *argv], capture_output=True, text=True, check=True)

    # Then it is refused each, but for what this system does not let it give up
    said = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines() if not line.startswith("kept"))
    kept = done.stdout.splitlines()[-1]
    if "the network" not in kept:
        assert said["connect"] == "refused"
        assert said["environment of the parent"] == "refused"
    if "files" not in kept:
        assert said["read"] == "refused"
        assert said["environment of the parent"] == "refused"
    assert "new privileges" not in kept


def test_a_system_that_allows_none_of_it_is_no_reason_not_to_decode(
    episodes: dict[str, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a C library that refuses
    refuses = SimpleNamespace(prctl=lambda *_: -1, unshare=lambda *_: -1, capset=lambda *_: -1, syscall=lambda *_: -1)
    kept = confine(libc=refuses)
    assert [it.partition(" (")[0] for it in kept] == ["new privileges", "the network", "capabilities", "files"]

    # When its decoder tells so, and goes on
    program = (
        f"from workers.audio import decoder_process\ndecoder_process.confine = lambda readable: {kept!r}\n"
        "decoder_process.main('ep.mp3')\n"
    )
    real = subprocess.Popen

    def without_confinement(command: list[str], **options: object) -> object:
        return real([command[0], "-c", program], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(audio_file.subprocess, "Popen", without_confinement)
    audio_file._tell_once.cache_clear()
    with caplog.at_level(logging.DEBUG, "workers.audio.audio_file"):
        assert len(load(episodes["garden-hour"]))
        assert len(load(episodes["garden-hour"]))

    # Then it is said once
    assert len([it for it in caplog.messages if "new privileges" in it]) == 1


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (b"H\0\0\0\x80", "a message of 2147483648 bytes"),
        (
            decoder_process.HEADER
            + (1).to_bytes(4, "little")
            + b"9"
            + decoder_process.SOUND
            + (3).to_bytes(4, "little")
            + b"abc",
            "half",
        ),
    ],
)
def test_a_decoder_that_was_taken_over_harms_no_pool(
    episodes: dict[str, Path], monkeypatch: pytest.MonkeyPatch, message: bytes, what: str
) -> None:
    real, program = subprocess.Popen, f"import sys\nsys.stdout.buffer.write({message!r})\n"
    monkeypatch.setattr(
        audio_file.subprocess, "Popen", lambda command, **options: real([command[0], "-c", program], **options)
    )

    with pytest.raises(AudioError, match=rf"garden-hour\.mp3 made the decoder send {what}"):
        load(episodes["garden-hour"])


@pytest.mark.parametrize("claim", [b"nan", b"inf", b"-5", b"[]", b"\xff"])
def test_a_length_that_is_none_is_none(claim: bytes) -> None:
    assert audio_file._length_s(claim) == 0.0


@pytest.mark.parametrize("claim", [b"", b"2", b"3 2", b"0 1", b"-1 2", b"1 " + b"9" * 5000, b"a b", b"1 2 3"])
def test_tracks_that_cannot_be_are_one(claim: bytes) -> None:
    assert audio_file._tracks(claim) == (1, 1)


def test_a_long_piece_of_sound_is_sent_in_messages_that_are_taken() -> None:
    sent: list[bytes] = []
    block = decoder_process.Block(lambda kind, content: sent.append(content))
    sound = bytes(range(256)) * (3 * decoder_process.MAX_MESSAGE_BYTES // 256)
    block.add([sound[:-2], sound[-2:]])
    block.flush()
    assert b"".join(sent) == sound
    assert max(map(len, sent)) <= decoder_process.MAX_MESSAGE_BYTES


def _kept() -> list[str]:
    program = "from workers.audio.confinement import confine; print(*confine(), sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()
