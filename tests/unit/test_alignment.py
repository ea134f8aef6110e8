"""Two readings of the same speech beside each other."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.results.alignment import LARGEST_GAP, align, likeness, units

WORDS = st.lists(st.sampled_from(["a", "b", "c", "dee", "eff", "gee", "aitch"]), max_size=40)
ANYTHING = settings(derandomize=True, deadline=None, max_examples=150)


def spoken(count: int, seed: int = 0) -> list[str]:
    """Words about as unlike each other as those of an hour of talk: few are most of it."""
    chance = random.Random(seed)
    return [f"w{int(3000 ** chance.random())}" for _ in range(count)]


def misheard(words: list[str], share: float, seed: int = 1) -> tuple[list[str], list[int | None]]:
    """Return another reading, and where each word of the first one is in it."""
    chance = random.Random(seed)
    other: list[str] = []
    places: list[int | None] = []
    for word in words:
        kind = chance.random() / share
        if kind < 0.3:
            places.append(None)
            continue
        if kind < 0.6:
            other.append("extra")
        places.append(len(other))
        other.append(f"{word}x" if 0.6 <= kind < 1 else word)
    return other, places


@ANYTHING
@given(WORDS, WORDS)
def test_places_ascend_and_are_there(ours: list[str], theirs: list[str]) -> None:
    pairs = [pair for pair in align(ours, theirs) if pair is not None]

    assert pairs == sorted(set(pairs))
    assert all(0 <= pair < len(theirs) for pair in pairs)


@ANYTHING
@given(WORDS)
def test_a_text_is_aligned_to_itself_word_by_word(words: list[str]) -> None:
    assert align(words, words) == list(range(len(words)))


@ANYTHING
@given(WORDS, st.data())
def test_words_left_out_are_found_out(words: list[str], data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    theirs = [word for word, keep in zip(words, kept, strict=True) if keep]

    pairs = align(words, theirs)

    assert sum(pair is not None for pair in pairs) == len(theirs)
    assert all(words[our] == theirs[pair] for our, pair in enumerate(pairs) if pair is not None)


@pytest.mark.parametrize("count", [50, LARGEST_GAP + 1, 6000])
def test_a_reading_of_any_length_is_aligned_as_it_was_misheard(count: int) -> None:
    ours = spoken(count)
    theirs, places = misheard(ours, share=0.15)

    pairs = align(ours, theirs)

    right = sum(pair == place for pair, place in zip(pairs, places, strict=True))
    assert right > 0.97 * count


def test_readings_without_a_common_word_are_compared_piece_by_piece() -> None:
    ours, theirs = [f"a{n}" for n in range(5000)], [f"b{n}" for n in range(4000)]

    pairs = align(ours, theirs)

    assert all(abs(pair - our * 0.8) < LARGEST_GAP for our, pair in enumerate(pairs) if pair is not None)


def test_a_passage_that_is_missing_leaves_the_rest_in_place() -> None:
    ours = spoken(3000)
    theirs = ours[:1000] + ours[1800:]

    pairs = align(ours, theirs)

    assert pairs[:990] == list(range(990))
    assert pairs[1810:] == list(range(1010, 2200))


def test_twice_the_length_takes_about_twice_the_time() -> None:
    def seconds(count: int) -> float:
        ours = spoken(count)
        theirs, _ = misheard(ours, share=0.1)
        started = time.process_time()
        align(ours, theirs)
        return time.process_time() - started

    short_s = min(seconds(8000) for _ in range(3))
    assert min(seconds(32000) for _ in range(2)) < 12 * short_s, "were it quadratic, it would be 16 times"


def test_units_know_where_they_stand() -> None:
    text = "It’s a well-known 3.5 % – 天空 U.S.!"

    found = units(text)

    assert [unit.text for unit in found] == ["it's", "a", "well-known", "3.5", "天", "空", "u.s"]
    assert [text[unit.start : unit.end] for unit in found][:3] == ["It’s", "a", "well-known"]


@pytest.mark.parametrize(
    ("our", "their", "least", "most"), [("sun", "sun", 1, 1), ("plat", "plant", 0.7, 0.9), ("a", "sun", 0, 0.01)]
)
def test_alike_words_are_nearly_the_same(our: str, their: str, least: float, most: float) -> None:
    assert least <= likeness(our, their) <= most
