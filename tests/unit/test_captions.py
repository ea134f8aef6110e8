"""Captions that a person can read, whatever the words are."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.captions import LINE_CHARACTERS, LINES, Caption, captions
from pipeline.types import Segment, Transcript, Word

letters = st.characters(categories=("L", "N", "P", "S"))
spellings = st.one_of(
    st.text(st.sampled_from("abcdefgh-'.,?"), min_size=1, max_size=12),
    st.text(letters, min_size=1, max_size=60),
    st.text(letters, min_size=100, max_size=130),
)


@st.composite
def transcripts(draw: st.DrawFn, shortest_word_cs: int) -> Transcript:
    """Segments in order, as Whisper gives them: hundredths of a second, a space before each word."""
    now_cs, segments = 0, []
    for number in range(draw(st.integers(0, 5))):
        now_cs += draw(st.integers(0, 300))
        words = []
        for spelling in draw(st.lists(spellings, max_size=25)):
            start_cs = now_cs + draw(st.integers(0, 30))
            now_cs = start_cs + draw(st.integers(shortest_word_cs, 80))
            words.append(word(f" {spelling}", start_cs / 100, now_cs / 100))
        segments.append(segment(words, number))
    return transcript(segments)


def word(text: str, start_s: float, end_s: float) -> Word:
    return Word(word=text, start_s=start_s, end_s=end_s, probability=0.9)


def segment(words: list[Word], number: int = 0) -> Segment:
    start_s, end_s = (words[0].start_s, words[-1].end_s) if words else (0.0, 0.0)
    return Segment(id=number, start_s=start_s, end_s=end_s, text="".join(it.word for it in words), words=tuple(words))


def transcript(segments: list[Segment]) -> Transcript:
    text = "".join(it.text for it in segments)
    return Transcript(text=text, language="en", segments=tuple(segments), audio_s=3600.0, model="base")


def letters_of(text: str) -> str:
    return "".join(text.split())


@settings(derandomize=True, deadline=None, max_examples=60)
@given(transcripts(shortest_word_cs=0))
def test_captions_ascend_and_never_overlap(spoken: Transcript) -> None:
    shown = list(captions(spoken))

    assert all(it.start_s < it.end_s for it in shown)
    assert all(one.end_s <= following.start_s for one, following in pairwise(shown))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(transcripts(shortest_word_cs=1))
def test_every_word_is_shown_once_and_in_order(spoken: Transcript) -> None:
    shown = list(captions(spoken))

    assert " ".join(it.text for it in shown).split() == spoken.text.split()
    assert letters_of("".join(it.lines for it in shown)) == letters_of(spoken.text)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(transcripts(shortest_word_cs=0))
def test_words_without_length_are_shown_too(spoken: Transcript) -> None:
    assert " ".join(it.text for it in captions(spoken)).split() == spoken.text.split()


@settings(derandomize=True, deadline=None, max_examples=60)
@given(transcripts(shortest_word_cs=1))
def test_lines_are_short_and_few(spoken: Transcript) -> None:
    for caption in captions(spoken):
        lines = caption.lines.split("\n")

        assert max(map(len, lines)) <= LINE_CHARACTERS
        assert len(lines) <= LINES or len(caption.text.split()) == 1


def test_a_caption_runs_from_its_first_word_to_its_last() -> None:
    spoken = transcript([segment([word(" Good", 1.0, 1.3), word(" morning.", 1.4, 2.1)])])

    assert list(captions(spoken)) == [Caption(1.0, 2.1, "Good morning.")]


def test_a_long_segment_becomes_several_captions() -> None:
    words = [word(" gardening", n * 0.5, n * 0.5 + 0.4) for n in range(20)]

    shown = list(captions(transcript([segment(words)])))

    assert len(shown) == 3  # four words a line, two lines a caption
    assert shown[0].lines == "\n".join(["gardening gardening gardening gardening"] * LINES)


def test_a_segment_without_words_is_one_caption() -> None:
    spoken = transcript([Segment(id=0, start_s=3.0, end_s=5.0, text=" Hello there. ")])

    assert list(captions(spoken)) == [Caption(3.0, 5.0, "Hello there.")]


def test_a_segment_of_blanks_is_not_shown() -> None:
    assert list(captions(transcript([segment([word(" ", 0.0, 1.0)])]))) == []


def test_a_caption_ends_where_the_next_begins() -> None:
    first, second = segment([word(" One", 0.0, 2.5)]), segment([word(" Two", 2.0, 3.0)], 1)

    shown = list(captions(transcript([first, second])))

    assert [(it.start_s, it.end_s) for it in shown] == [(0.0, 2.0), (2.0, 3.0)]


def test_two_captions_that_begin_at_once_are_both_shown() -> None:
    first, second = segment([word(" Yes.", 1.0, 1.0)]), segment([word(" No.", 1.0, 2.0)], 1)

    shown = " ".join(it.text for it in captions(transcript([first, second])))

    assert shown.split() == ["Yes.", "No."]


@pytest.mark.parametrize("spelling", ["well-known", "twenty-seven", "long-term"])
def test_a_word_with_a_hyphen_stays_on_one_line(spelling: str) -> None:
    caption = Caption(0.0, 1.0, f"{'x' * (LINE_CHARACTERS - len(spelling))} {spelling} thing")

    assert spelling in caption.lines.split()


def test_a_word_longer_than_a_line_is_broken() -> None:
    caption = Caption(0.0, 1.0, "x" * (LINE_CHARACTERS + 1))

    assert [len(line) for line in caption.lines.split("\n")] == [LINE_CHARACTERS, 1]
