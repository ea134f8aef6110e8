"""The figures of the benchmarks of accuracy: errors counted in the clip they are in."""

import pytest

from tests.benchmarks.word_errors import word_errors

CLIPS = ["the cat sat", "a dog (which was old) barked", "birds sing"]


def test_each_error_counts_in_its_own_clip() -> None:
    # given a transcript that replaces a word of the first clip, drops one of the second and adds one to the third
    errors = word_errors(CLIPS, [0, 1, 2], "the hat sat a dog which was barked birds all sing")
    # then each is in its place, and what is in brackets counts as spoken
    assert errors.kinds.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert errors.words.tolist() == [3, 6, 2]
    assert errors.rate == pytest.approx(100 * 3 / 11)


def test_clips_in_another_order_keep_their_places() -> None:
    # given the clips in another order, and an error in the one that comes first
    errors = word_errors(CLIPS, [2, 0, 1], "birds sang the cat sat a dog which was old barked")
    # then it counts in that clip
    assert errors.kinds.sum(axis=1).tolist() == [0, 0, 1]


def test_a_difference_that_every_clip_shows_is_beyond_its_interval() -> None:
    # given one transcript with an error in every clip, and one without any
    wrong = word_errors(CLIPS, [0, 1, 2], "the hat sat a hog which was old barked birds sang")
    right = word_errors(CLIPS, [0, 1, 2], "the cat sat a dog which was old barked birds sing")
    # when they are compared
    difference, low, high = wrong.difference(right)
    # then even the least difference drawn is more than none
    assert difference == pytest.approx(100 * 3 / 11)
    assert 0 < low <= difference <= high
    assert right.interval() == (0, 0)


def test_a_difference_in_one_clip_of_many_is_within_what_chance_gives() -> None:
    # given twenty clips, one of which was transcribed better
    clips = [f"word{number} again" for number in range(20)]
    right = word_errors(clips, range(20), " ".join(clips))
    wrong = word_errors(clips, range(20), " ".join(clips).replace("word7 again", "word7"))
    # then no difference is claimed
    assert wrong.difference(right)[1] <= 0
