"""The cache of encodings: within the limit, for a day, gone when the episode is forgotten."""

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.settings import settings
from pipeline.storage.encodings import KEPT_S, Encodings, remove_unused

ONE, OTHER = "0123456789abcdef", "fedcba9876543210"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("DUET_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("DUET_CACHE_LIMIT_BYTES", "1000")
    settings.cache_clear()
    yield tmp_path / "audio"
    settings.cache_clear()


def test_what_is_saved_is_loaded_by_its_key_and_episode(cache: Path) -> None:
    Encodings(ONE).save("a", b"features")

    assert Encodings(ONE).load("a") == b"features"
    assert Encodings(ONE).load("b") is None
    assert Encodings(OTHER).load("a") is None


def test_the_least_recently_used_makes_room(cache: Path) -> None:
    kept = Encodings(ONE)
    for age_s, key in ((20, "a"), (10, "b")):
        kept.save(key, key.encode() * 400)
        used_at = time.time() - age_s  # a file system's clock may give both the same time
        os.utime(next(it for it in cache.iterdir() if it.read_bytes()[:1] == key.encode()), (used_at, used_at))

    kept.save("c", b"c" * 400)

    assert [key for key in "abc" if kept.load(key)] == ["b", "c"]
    assert sum(it.stat().st_size for it in cache.iterdir()) <= 1000


def test_what_nobody_has_used_for_a_day_goes(cache: Path) -> None:
    kept = Encodings(ONE)
    kept.save("old", b"1")
    kept.save("new", b"2")
    long_ago = time.time() - KEPT_S - 60
    old = next(it for it in cache.iterdir() if it.read_bytes() == b"1")
    os.utime(old, (long_ago, long_ago))

    remove_unused(time.time())

    assert kept.load("old") is None
    assert kept.load("new") == b"2"


def test_an_episode_is_forgotten_alone(cache: Path) -> None:
    for episode in (ONE, OTHER):
        Encodings(episode).save("a", b"features")

    assert Encodings(ONE).forget() == 1

    assert Encodings(ONE).load("a") is None
    assert Encodings(OTHER).load("a") == b"features"


def test_a_cache_that_cannot_be_written_costs_no_answer(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache.parent.mkdir(exist_ok=True)
    cache.write_text("a file in the place of the folder")

    with caplog.at_level(logging.WARNING):
        Encodings(ONE).save("a", b"features")

    assert "is not kept" in caplog.text
    assert Encodings(ONE).load("a") is None
