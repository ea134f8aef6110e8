"""`duet bench` measures with the real processes of both legs."""

import json
from pathlib import Path

import pytest

from tests import voxtral_checkpoint
from tests.duet import TRACEBACK, Duet, excerpt

pytestmark = pytest.mark.xdist_group("bench")
WAYS = ["whisper-only", "voxtral-only", "one-after-the-other", "hybrid"]


def test_without_a_card_whisper_is_measured_and_the_rest_is_said_to_be_skipped(
    duet: Duet, episodes: dict[str, Path], tmp_path: Path, whisper_base: Path
) -> None:
    audio = excerpt(episodes["garden-hour"], 12, tmp_path / "short.wav")
    done = duet("bench", "--paths", audio, "--rounds", "1", "--price-per-hour", "0.8", DUET_DEVICE="cpu")
    assert done.code == 0, done.err
    assert "Skipped: voxtral-only, one-after-the-other, hybrid. Voxtral needs a CUDA device" in done.out
    (line,) = [line.split() for line in done.out.splitlines() if line.startswith("whisper-only")]
    seconds, factor, times, first_text, cost = map(float, line[1:])
    assert seconds == pytest.approx(12 * factor, rel=0.02)
    assert times == pytest.approx(1 / factor, rel=0.1)
    assert 0 < first_text <= seconds
    assert cost == pytest.approx(0.8 * factor, rel=0.02)


def test_a_voxtral_that_is_named_is_measured_in_every_way(
    duet: Duet, episodes: dict[str, Path], tmp_path: Path, whisper_base: Path
) -> None:
    audio = excerpt(episodes["garden-hour"], 8, tmp_path / "short.wav")
    tiny = voxtral_checkpoint.build(tmp_path / "tiny")
    done = duet("bench", "--paths", audio, "--rounds", "1", "--voxtral", tiny, "--json", DUET_DEVICE="cpu")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    ways = {way["name"]: way for way in found["ways"]}
    assert list(ways) == WAYS
    assert found["voxtral"] == {"model": str(tiny), "device": "cpu"}
    longest_s = max(ways["whisper-only"]["work_s"], ways["voxtral-only"]["work_s"])
    assert ways["one-after-the-other"]["work_s"] > 0.9 * longest_s
    assert ways["voxtral-only"]["first_text_s"] == ways["voxtral-only"]["work_s"]
    assert ways["hybrid"]["first_text_s"] <= ways["hybrid"]["work_s"]
    assert ways["hybrid"]["cost_per_audio_hour"] is None


def test_bad_usage_is_one_sentence(duet: Duet, tmp_path: Path) -> None:
    for arguments, sentence in (
        ([tmp_path / "none.mp3", "--paths"], "There is no file"),
        ([Path(__file__)], "Say what is to be measured: --paths."),
        ([Path(__file__), "--paths"], "none of it could be decoded"),
    ):
        done = duet("bench", *arguments, DUET_DEVICE="cpu", DUET_VOXTRAL="off")
        assert done.code in (1, 2)
        assert sentence in " ".join(done.err.split()), done.err
        assert TRACEBACK not in done.err
