"""Damaged files by the thousand, and files that are made to do harm: each ends with a reason, in bounds."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.errors import AudioError, TransientError
from pipeline.settings import settings
from tests.mutations import silent_wav
from workers.audio.audio_file import AudioFile, load
from workers.audio.decoder_process import MEMORY_BYTES

pytestmark = pytest.mark.xdist_group("bad-audio")
COUNT = int(os.environ.get("DUET_TEST_MUTANTS", "1000"))
SEED = int(os.environ.get("DUET_TEST_SEED", "0"))
FILE_TIMEOUT_S = 25.0


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("mutants")
    command = [sys.executable, "-m", "tests.decoding", str(folder), str(COUNT), str(SEED)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.timeout(300 + COUNT)
def test_every_damaged_file_ends_with_sound_or_a_reason(outcomes: list[dict[str, Any]]) -> None:
    assert len(outcomes) == COUNT + 3

    without = [it for it in outcomes if it["end"] is None or it["exit"] != 0]
    vague = [it for it in outcomes if it["end"] == "" and not it["sound_s"]]

    assert not without, f"no last word from: {without[:3]}"
    assert not vague, f"neither sound nor reason: {vague[:3]}"
    reasons = [it["end"] for it in outcomes if it["end"]]
    assert all(reason.endswith(".") and "; " in reason for reason in reasons), "a reason says what to do"
    assert COUNT / 4 < len(reasons) < COUNT, "some are past help, and some are not"


def test_no_damaged_file_takes_more_than_its_share(outcomes: list[dict[str, Any]]) -> None:
    most = max(outcomes, key=lambda it: float(it["memory_mb"]))
    longest = max(outcomes, key=lambda it: float(it["wall_s"]))

    assert most["memory_mb"] < MEMORY_BYTES >> 20, most
    assert longest["wall_s"] < FILE_TIMEOUT_S, longest


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], None]]:
    def set_limit(longest_s: float) -> None:
        monkeypatch.setenv("DUET_AUDIO_LIMIT_S", str(longest_s))
        settings.cache_clear()

    yield set_limit
    settings.cache_clear()


def test_silence_that_unpacks_to_more_than_an_episode_is_refused(
    tmp_path: Path, limit: Callable[[float], None]
) -> None:
    limit(600)
    path = silent_wav(tmp_path / "bomb.wav", 4 * 24 * 3600)

    with pytest.raises(AudioError, match=r"bomb\.wav is longer than 10:00; .*DUET_AUDIO_LIMIT_S"):
        for _ in AudioFile(path).blocks():
            pass


def test_a_sound_of_a_rate_that_nobody_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"slow\.wav claims a sound of 1 Hz and 1 channels"):
        load(silent_wav(tmp_path / "slow.wav", 100_000, rate_hz=1))


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{secret}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {secret}\n",
        "v=0\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
    ],
)
def test_a_file_that_names_other_files_reads_none_of_them(
    episodes: dict[str, Path], tmp_path: Path, playlist: str
) -> None:
    path = tmp_path / "ep.mp3"
    path.write_text(playlist.format(secret=episodes["garden-hour"]))

    with pytest.raises(AudioError, match=r"ep\.mp3 cannot be decoded as audio"):
        load(path)


def process_of(file: AudioFile) -> psutil.Process:
    (child,) = (it for it in psutil.Process().children() if str(file.path) in it.cmdline())
    return child


def test_a_file_that_crashes_the_decoder_is_named_and_the_pool_goes_on(episodes: dict[str, Path]) -> None:
    file = AudioFile(episodes["garden-hour"])
    blocks = file.blocks()
    next(blocks)

    process_of(file).send_signal(11)

    with pytest.raises(AudioError, match=r"garden-hour\.mp3 made the decoder end \(SIGSEGV\)"):
        list(blocks)
    assert len(load(episodes["garden-hour"]))


def test_a_decoder_that_somebody_killed_may_be_tried_again(episodes: dict[str, Path]) -> None:
    file = AudioFile(episodes["garden-hour"])
    blocks = file.blocks()
    next(blocks)

    process_of(file).kill()

    with pytest.raises(TransientError, match=r"ended from outside \(SIGKILL\)"):
        list(blocks)


def test_a_decoder_that_stalls_is_given_up(episodes: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    file = AudioFile(episodes["garden-hour"])
    process = process_of(file)

    process.suspend()
    monkeypatch.setattr("workers.audio.audio_file.STALL_S", 0.2)

    with pytest.raises(AudioError, match=r"garden-hour\.mp3 keeps the decoder busy"):
        list(file.blocks())
    assert not process.is_running()


def test_no_decoder_is_left_when_nobody_listens_any_more(episodes: dict[str, Path]) -> None:
    file = AudioFile(episodes["garden-hour"])
    process = process_of(file)
    blocks = file.blocks()
    next(blocks)

    blocks.close()

    assert not process.is_running()
