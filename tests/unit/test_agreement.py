"""How far the second reading of some segments agrees with the first."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.results.agreement import compared
from tests.results import merged, segment

SENTENCES = st.lists(
    st.lists(st.sampled_from(["sky", "is", "blue,", "Light", "red.", "–", "it's"]), min_size=1, max_size=8).map(
        " ".join
    ),
    min_size=1,
    max_size=4,
)


def compare(reading: str, *texts: str) -> list[tuple[float | None, str | None]]:
    spoken = merged(*(segment(text, 10.0 * n) for n, text in enumerate(texts)))
    return [(it.agreement, it.second_reading) for it in compared(spoken.segments, reading)]


def test_the_same_words_agree_whatever_their_case_and_punctuation() -> None:
    assert compare("Good morning and welcome", "Good morning, and welcome.") == [(1.0, None)]


def test_another_word_is_kept_and_lowers_the_agreement() -> None:
    ((agreement, reading),) = compare("The answer is in the light.", "The answer is in the night.")

    assert reading == "The answer is in the light."
    assert agreement is not None
    assert 0.9 < agreement < 1


def test_each_word_says_whether_the_other_model_heard_it() -> None:
    spoken = merged(segment("I'm sidejo joined by Costa.", 0.0))

    (found,) = compared(spoken.segments, "I'm joined by Costa.")

    assert [word.agreement for word in found.words] == [1.0, 0.0, 1.0, 1.0, 1.0]


def test_a_reading_is_shared_out_among_its_segments() -> None:
    found = compare(
        "The sky is blue. Why is the sun set red? Nobody knows.",
        "The sky is blue.", "Why is the sunset red?", "Nobody nose.",
    )  # fmt: skip

    assert found[0] == (1.0, None)
    assert found[1][1] == "Why is the sun set red?"
    assert found[2][1] == "Nobody knows."


def test_nothing_heard_agrees_with_nothing() -> None:
    assert compare("", "Thank you.") == [(0.0, "")]


def test_words_that_only_the_other_model_heard_lower_the_agreement() -> None:
    ((agreement, _),) = compare("one two three four five six", "one two three")

    assert agreement == 0.5


def test_chinese_is_compared_letter_by_letter() -> None:
    ((agreement, reading),) = compare("天空是蓝的。", "天空是兰的。")

    assert agreement == 0.8
    assert reading == "天空是蓝的。"


@settings(derandomize=True, deadline=None, max_examples=100)
@given(SENTENCES, SENTENCES)
def test_agreements_are_shares_and_no_word_of_the_reading_is_lost(ours: list[str], theirs: list[str]) -> None:
    spoken = merged(*(segment(text, 10.0 * n) for n, text in enumerate(ours)))

    found = compared(spoken.segments, " ".join(theirs))

    assert all(it.agreement is not None and 0 <= it.agreement <= 1 for it in found)
    assert all(word.agreement is None or 0 <= word.agreement <= 1 for it in found for word in it.words)
    assert [it.text for it in found] == [it.text for it in spoken.segments]
    kept = sum(len((it.second_reading or it.text).split()) for it in found)
    assert kept >= sum(text.count(" ") + 1 - text.split().count("–") for text in theirs) - sum(
        it.second_reading == "" for it in found
    )
