"""Clusters of made-up voices: how many speakers are found, and which voices are whose."""

import numpy as np
import pytest
from numpy.typing import NDArray

from workers.speakers import clusters
from workers.speakers.clusters import Bounds, VoiceClusters

SIZE = 192


def voices_of(speakers: NDArray[np.int64], seed: int = 0) -> NDArray[np.float32]:
    """Return a voice for each speaker's number: the speaker's own direction and some noise."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((int(speakers.max()) + 1, SIZE))
    return (centres[speakers] + 0.7 * random.standard_normal((len(speakers), SIZE))).astype(np.float32)


def clustered(
    voices: NDArray[np.float32], bounds: Bounds | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    found = VoiceClusters(bounds or Bounds())
    for batch in np.array_split(voices, max(len(voices) // 32, 1)):
        found.add(batch)
    return found.finish()


def is_same_partition(one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    pairs = set(zip(one.tolist(), other.tolist(), strict=True))
    return len(pairs) == len(set(one.tolist())) == len(set(other.tolist()))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_voice_is_given_to_its_speaker(count: int) -> None:
    # Given
    true = np.random.default_rng(1).integers(0, count, 60 * count)

    # When
    found, means = clustered(voices_of(true))

    # Then
    assert is_same_partition(true, found)
    assert means.shape == (count, SIZE)
    assert np.linalg.norm(means, axis=1) == pytest.approx(1.0)


def test_twenty_voices_are_found_where_at_least_twenty_are_told() -> None:
    # Given
    true = np.arange(600) % 20

    # When
    found, _ = clustered(voices_of(true), Bounds(least=20))

    # Then
    assert is_same_partition(true, found)


def test_speakers_are_the_same_in_all_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given: four voices, of which the last begins after many blocks, and a last block that is not full
    monkeypatch.setattr(clusters, "BLOCK", 100)
    true = np.concatenate([np.arange(900) % 3, np.arange(233) % 4])

    # When
    found, means = clustered(voices_of(true))

    # Then
    assert is_same_partition(true, found)
    assert len(means) == 4


def test_no_more_speakers_than_told() -> None:
    # Given
    true = np.arange(200) % 5

    # When
    found, means = clustered(voices_of(true), Bounds(most=2))

    # Then
    assert set(found.tolist()) == {0, 1}
    assert len(means) == 2


def test_no_fewer_speakers_than_told() -> None:
    # When
    found, means = clustered(voices_of(np.zeros(200, np.int64)), Bounds(least=3))

    # Then
    assert set(found.tolist()) == {0, 1, 2}
    assert len(means) == 3


def test_fewer_than_ten_voices_are_one_speakers() -> None:
    # When
    found, means = clustered(voices_of(np.arange(9) % 2))

    # Then
    assert found.tolist() == [0] * 9
    assert len(means) == 1


def test_no_voices_are_no_speakers() -> None:
    # When
    found, means = VoiceClusters(Bounds()).finish()

    # Then
    assert len(found) == len(means) == 0


def test_a_few_odd_voices_are_no_speaker() -> None:
    # Given: two voices of a third speaker among two that speak
    true = np.concatenate([np.arange(120) % 2, [2, 2]])

    # When
    found, means = clustered(voices_of(true))

    # Then
    assert len(means) == 2
    assert is_same_partition(true[:120], found[:120])


def test_memory_holds_two_blocks_of_voices_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr(clusters, "BLOCK", 50)
    found = VoiceClusters(Bounds())

    # When
    held = []
    for batch in np.array_split(voices_of(np.arange(1000) % 3), 40):
        found.add(batch)
        held.append(len(found._waiting))

    # Then
    assert max(held) < 2 * 50
