"""Sections: nothing lost, nothing too long, cut where it is quiet."""

from collections.abc import Iterator

import numpy as np
import pytest

from pipeline.types import TimeSpan
from tests.voxtral_sound import noise, with_pauses
from workers.audio.audio_file import SAMPLE_RATE_HZ, Samples
from workers.voxtral.sections import Section, batches, cut, excerpts, section_length_s


def blocks(samples: Samples, size: int = 1024 * 7) -> Iterator[Samples]:
    for start in range(0, len(samples), size):
        yield samples[start : start + size]


@pytest.mark.parametrize("seconds", [0.1, 29.9, 30.0, 30.001, 65.0, 90.5, 600.0, 1860.0])
@pytest.mark.parametrize("length_s", [30.0, 60.0, 600.0])
def test_sections_are_the_whole_audio_and_none_is_too_long(seconds: float, length_s: float) -> None:
    samples = with_pauses(seconds, every_s=7)
    sections = list(cut(blocks(samples), length_s))
    assert np.array_equal(np.concatenate([section.samples for section in sections]), samples)
    assert all(0 < section.length_s <= length_s for section in sections)
    starts = np.cumsum([0, *(len(section.samples) for section in sections)])[:-1] / SAMPLE_RATE_HZ
    assert [section.start_s for section in sections] == pytest.approx(list(starts))
    if length_s > 30:
        assert {section.chunks for section in sections[:-1]} <= {length_s / 30}


def test_sections_end_in_pauses() -> None:
    samples = with_pauses(300, every_s=11, pause_s=0.6)
    for section in list(cut(blocks(samples), 60.0))[:-1]:
        end = round((section.start_s + section.length_s) * SAMPLE_RATE_HZ)
        around = samples[end - 1600 : end + 1600]
        assert np.abs(around).max() == 0, f"cut at {end / SAMPLE_RATE_HZ} s, where someone speaks"


def test_plain_silence_is_cut_as_late_as_can_be() -> None:
    sections = list(cut(blocks(np.zeros(100 * SAMPLE_RATE_HZ, np.float32)), 60.0))
    assert len(sections) == 2
    assert sections[0].length_s > 59
    assert all(section.is_silent for section in sections)


def test_the_faintest_sound_is_no_silence() -> None:
    samples = np.zeros(10 * SAMPLE_RATE_HZ, np.float32)
    samples[80_000:81_000] = noise(1000 / SAMPLE_RATE_HZ) * 0.1
    assert not Section(0.0, samples).is_silent
    assert Section(0.0, np.zeros(0, np.float32)).is_silent


def test_the_audio_streams_by() -> None:
    taken = 0

    def stream() -> Iterator[Samples]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield np.ones(SAMPLE_RATE_HZ, np.float32)

    next(cut(stream(), 60.0))
    assert taken == 61


@pytest.mark.parametrize(
    ("expected_s", "longest_s", "length_s"),
    [(0, 600, 600), (90, 600, 600), (600, 600, 600), (605, 600, 360), (10_800, 600, 600), (1210, 600, 450)],
)
def test_the_last_section_is_no_scrap(expected_s: float, longest_s: float, length_s: float) -> None:
    assert section_length_s(expected_s, longest_s) == length_s


def test_only_neighbours_of_equal_shape_make_a_batch() -> None:
    sections = [Section(0.0, np.zeros(round(s * SAMPLE_RATE_HZ), np.float32)) for s in (55, 58, 60, 31, 29, 3)]
    shapes = [[section.chunks for section in batch] for batch in batches(sections, lambda: 2)]
    assert shapes == [[2, 2], [2, 2], [1, 1]]


def test_a_batch_is_as_large_as_memory_allows_by_then() -> None:
    sections = [Section(30.0 * place, np.zeros(30 * SAMPLE_RATE_HZ, np.float32)) for place in range(6)]
    rows, sizes = [2], []
    for batch in batches(sections, lambda: rows[-1]):
        sizes.append(len(batch))
        rows.append(1)  # memory ran out at the first
    assert sizes == [2, 1, 1, 1, 1]


def test_excerpts_are_the_audio_of_their_stretches() -> None:
    samples = noise(60)
    stretches = [
        TimeSpan(start_s=start_s, end_s=end_s)
        for start_s, end_s in [(0.0, 2.0), (1.5, 3.0), (20.0, 48.0), (59.0, 61.0), (70.0, 71.0)]
    ]

    found = list(excerpts(blocks(samples), stretches))

    padded = np.concatenate([samples, np.zeros(11 * SAMPLE_RATE_HZ, np.float32)])
    for stretch, section in zip(stretches, found, strict=True):
        first, after = round(stretch.start_s * SAMPLE_RATE_HZ), round(stretch.end_s * SAMPLE_RATE_HZ)
        assert section.start_s == stretch.start_s
        assert np.array_equal(section.samples, padded[first:after])
