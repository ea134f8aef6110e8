"""Word errors, their uncertainty, and the spelling of names."""

from pathlib import Path

import jiwer
import pytest
from whisper.normalizers import EnglishTextNormalizer

from tests.quality.figures import interval, names_in, rate, spelling, word_errors

EPISODES = Path(__file__).parents[1] / "episodes"


def test_identical_texts_have_no_errors() -> None:
    segments = ["Mr. Brown isn't here.", "Uh.", "He owes twenty-five dollars!"]
    counts = word_errors(segments, "mister brown is not here he owes $25")
    assert [errors for errors, _ in counts] == [0, 0, 0]
    assert counts[1] == (0, 0), "normalization leaves out hesitations"
    assert rate(counts) == 0
    assert interval(counts) == (0, 0)


def test_errors_belong_to_the_segment_in_which_they_are() -> None:
    counts = word_errors(["one two three", "four five six", "seven"], "one too three five six seven eight")
    assert [errors for errors, _ in counts] == [1, 1, 1]
    assert word_errors(["bread", "is life"], "") == [(1, 1), (2, 2)]


def test_the_rate_is_that_of_the_whole_texts() -> None:
    segments = (EPISODES / "science-chat.txt").read_text().splitlines()
    heard = " ".join(segments[1:] + segments[-2:]).replace("light", "sight").replace("the ", "")
    normalize = EnglishTextNormalizer()
    assert rate(word_errors(segments, heard)) == pytest.approx(
        100 * jiwer.wer(normalize(" ".join(segments)), normalize(heard))
    )


def test_the_interval_is_about_the_rate_and_narrower_with_more_segments() -> None:
    few, many = [(1, 10), (3, 10), (0, 10)], [(1, 10), (3, 10), (0, 10)] * 30
    low, high = interval(few)
    assert (low, high) == pytest.approx((0, 30))
    assert low < interval(many)[0] < rate(many) < interval(many)[1] < high


def test_names_are_words_with_capitals_within_sentences() -> None:
    segments = [
        "Printing began late. I met Peter Schoeffer in Strasburg, and Gutenberg's friends.",
        "the printing of a bible",
        "IF THE READER WILL EXCUSE ME",
        "There the Bible was printed; But Then I left.",
        "Helen spoke, and so did Helen's sister.",
    ]
    assert names_in(segments) == ["Peter", "Schoeffer", "Strasburg", "Gutenberg", "Helen"]


def test_names_are_right_or_otherwise_spelt_or_absent() -> None:
    reference = ["We met Peter Schoeffer and Laura in Strasburg with Gutenberg, Lubeck and Sara, not Sarah."]
    heard = "peter met Schöffer's friends and Laura, in Strasbourg. Gutenberg or Guttenberg? Sarah."
    found = spelling(reference, heard)
    assert found.right == ("Peter", "Laura", "Sarah")
    assert found.otherwise == {"Schoeffer": "schöffer", "Strasburg": "strasbourg", "Gutenberg": "guttenberg"}
    assert found.absent == ("Lubeck", "Sara")
