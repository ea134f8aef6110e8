"""`duet bench` measures with the real processes of both legs."""

import json
from pathlib import Path

import pytest

from tests import voxtral_checkpoint
from tests.duet import TRACEBACK, Duet, excerpt

pytestmark = pytest.mark.xdist_group("bench")
PRICE = ("--price-per-hour", "0.8")
WAYS = ["whisper-only", "voxtral-only", "one-after-the-other", "hybrid"]


def test_with_a_voxtral_that_is_named_every_way_is_measured(
    duet: Duet, episodes: dict[str, Path], tmp_path: Path, whisper_base: Path
) -> None:
    audio = excerpt(episodes["garden-hour"], 8, tmp_path / "short.wav")
    tiny = voxtral_checkpoint.build(tmp_path / "tiny")
    done = duet("bench", audio, "--rounds", "1", "--voxtral", tiny, "--json", *PRICE, DUET_DEVICE="cpu")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    ways = {way["name"]: way for way in found["ways"]}
    assert list(ways) == WAYS
    assert found["voxtral"] == {"model": str(tiny), "device": "cpu"}
    assert ways["voxtral-only"]["first_text_s"] == ways["voxtral-only"]["work_s"]
    assert ways["hybrid"]["first_text_s"] <= ways["hybrid"]["work_s"]
    for way in ways.values():
        assert way["real_time_factor"] == pytest.approx(way["work_s"] / found["audio_s"])
        assert way["cost_per_audio_hour"] == pytest.approx(0.8 * way["real_time_factor"])


def test_bad_usage_is_one_sentence(duet: Duet, tmp_path: Path) -> None:
    done = duet("bench", tmp_path / "none.mp3", DUET_DEVICE="cpu", DUET_VOXTRAL="off")
    assert done.code == 2
    assert "There is no file" in " ".join(done.err.split()), done.err
    assert TRACEBACK not in done.err
