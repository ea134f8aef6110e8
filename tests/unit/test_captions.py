"""Captions that a person can read, whatever the words are."""

import math
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wcwidth import iter_graphemes

from pipeline.results.captions import (
    AFTER_MS,
    FLASH_MS,
    LATE_MS,
    LINES,
    SHORTEST_MS,
    captions,
    labelled_captions,
)
from pipeline.results.line_breaks import LINE_CHARACTERS
from pipeline.results.word_times import CHARACTERS_PER_S
from pipeline.types import MergedSegment, MergedTranscript, MergedWord, Speaker
from pipeline.types.graphemes import columns, graphemes
from tests.results import dialogue

letters = st.characters(categories=("L", "N", "P", "S"))
spellings = st.one_of(
    st.text(st.sampled_from("abcdefgh-'.,?"), min_size=1, max_size=12),
    st.text(letters, min_size=1, max_size=60),
    st.text(letters, min_size=100, max_size=130),
)
SHORT = st.text(st.sampled_from("abcdefgh.,?"), min_size=1, max_size=10)
ANYTHING = settings(derandomize=True, deadline=None, max_examples=60)


@st.composite
def transcripts(
    draw: st.DrawFn, shortest_word_cs: int = 0, spelling: st.SearchStrategy[str] = spellings
) -> MergedTranscript:
    """Segments in order, as Whisper gives them: hundredths of a second, a space before each word."""
    now_cs, segments = 0, []
    for number in range(draw(st.integers(0, 5))):
        now_cs += draw(st.integers(0, 300))
        words = []
        for text in draw(st.lists(spelling, max_size=25)):
            start_cs = now_cs + draw(st.integers(0, 30))
            now_cs = start_cs + draw(st.integers(shortest_word_cs, 80))
            words.append(word(f" {text}", start_cs / 100, now_cs / 100))
        segments.append(segment(words, number))
    return transcript(segments)


def word(text: str, start_s: float, end_s: float) -> MergedWord:
    return MergedWord(word=text, start_s=start_s, end_s=end_s, probability=0.9)


def segment(words: list[MergedWord], number: int = 0) -> MergedSegment:
    start_s, end_s = (words[0].start_s, words[-1].end_s) if words else (0.0, 0.0)
    text = "".join(it.word for it in words)
    return MergedSegment(id=number, start_s=start_s, end_s=end_s, text=text, words=tuple(words))


def transcript(segments: list[MergedSegment]) -> MergedTranscript:
    empty = MergedTranscript(text="", language="en", segments=(), audio_s=3600.0, model="base")
    return empty.with_segments(segments)


def said(text: str, word_s: float = 0.3, start_s: float = 0.0) -> MergedTranscript:
    """A segment a sentence, words of one length, no pauses."""
    words = [
        word(f" {it}", round(start_s + n * word_s, 2), round(start_s + (n + 1) * word_s, 2))
        for n, it in enumerate(text.split())
    ]
    return transcript([segment(words)])


def letters_of(text: str) -> str:
    return "".join(text.split())


@ANYTHING
@given(transcripts())
def test_captions_ascend_and_never_overlap(spoken: MergedTranscript) -> None:
    shown = captions(spoken)

    assert all(it.start_ms < it.end_ms for it in shown)
    assert all(one.end_ms <= following.start_ms for one, following in pairwise(shown))


@ANYTHING
@given(transcripts())
def test_every_word_is_shown_once_and_in_order(spoken: MergedTranscript) -> None:
    shown = captions(spoken)

    assert letters_of("".join(it.text for it in shown)) == letters_of(spoken.text)


@ANYTHING
@given(transcripts())
def test_lines_are_short_and_few(spoken: MergedTranscript) -> None:
    for caption in captions(spoken):
        assert max(map(columns, caption.lines)) <= LINE_CHARACTERS
        assert len(caption.lines) <= LINES


@ANYTHING
@given(transcripts(spelling=SHORT))
def test_no_word_is_cut(spoken: MergedTranscript) -> None:
    shown = [it for caption in captions(spoken) for line in caption.lines for it in line.split()]

    assert shown == spoken.text.split()


@ANYTHING
@given(transcripts(shortest_word_cs=10, spelling=SHORT))
def test_a_caption_is_read_at_17_characters_a_second_unless_it_is_said_faster(spoken: MergedTranscript) -> None:
    shown = captions(spoken)
    starts = {it.start_s for segment in spoken.segments for it in segment.words}
    for caption, following in pairwise(shown):
        shown_ms = caption.end_ms - caption.start_ms
        needed_ms = min(7000, max(SHORTEST_MS, round(sum(map(columns, caption.lines)) / CHARACTERS_PER_S * 1000)))
        is_hurried = following.start_ms <= caption.end_ms and caption.end_ms >= LATE_MS
        assert shown_ms >= needed_ms or is_hurried or shown_ms >= AFTER_MS
    assert all(any(abs(it.start_ms / 1000 - start_s) <= LATE_MS / 1000 + 1e-6 for start_s in starts) for it in shown)


@ANYTHING
@given(transcripts(shortest_word_cs=20, spelling=SHORT))
def test_a_caption_is_never_more_than_half_a_second_late(spoken: MergedTranscript) -> None:
    words = iter([it for segment in spoken.segments for it in segment.words])
    for caption in captions(spoken):
        first, *_ = [next(words) for _ in caption.text.split()]
        assert 0 <= caption.start_ms - round(first.start_s * 1000) <= LATE_MS


def test_a_caption_begins_with_its_first_word_and_stays_until_it_can_be_read() -> None:
    spoken = transcript([segment([word(" Good", 1.0, 1.3), word(" morning.", 1.4, 1.5)])])

    (shown,) = captions(spoken)

    assert (shown.start_ms, shown.end_ms, shown.lines) == (1000, 2000, ("Good morning.",))


def test_captions_are_cut_where_clauses_end() -> None:
    spoken = said(
        "When the light from the sun reaches the air, it hits many small particles. "
        "Blue light is scattered much more than red, and that is why the sky is blue."
    )

    assert all(it.text.endswith((".", ",")) for it in captions(spoken))


def test_an_article_stays_with_its_noun() -> None:
    spoken = said("They decided that very same evening to sell the old house beside the river to a friend of Laura")

    for caption in captions(spoken):
        for line in caption.lines:
            assert not line.endswith((" the", " a", " of", " to"))


def test_two_lines_are_about_equally_long() -> None:
    (shown,) = captions(said("Many people put their tomatoes outside on the first morning"))

    assert shown.lines == ("Many people put their tomatoes", "outside on the first morning")


def test_a_new_caption_begins_after_a_pause() -> None:
    words = [word(" Yes", 0.0, 0.4), word(" no", 3.0, 3.4)]

    assert [it.text for it in captions(transcript([segment(words)]))] == ["Yes", "no"]


def test_a_sentence_may_run_over_the_segments_of_whisper() -> None:
    first = segment([word(" ask", 0.0, 0.4), word(" what", 0.4, 0.8), word(" you", 0.8, 1.0)])
    second = segment([word(" can", 1.0, 1.3), word(" do.", 1.3, 1.6)], 1)

    assert [it.text for it in captions(transcript([first, second]))] == ["ask what you can do."]


def test_a_segment_without_words_is_shown_too() -> None:
    spoken = transcript([MergedSegment(id=0, start_s=3.0, end_s=5.0, text=" Hello there. ")])

    (shown,) = captions(spoken)

    assert (shown.start_ms, shown.end_ms, shown.text) == (3000, 5000, "Hello there.")


def test_what_was_dropped_is_not_shown() -> None:
    loop = segment([word(" you", 0.0, 1.0)]).model_copy(update={"dropped": "A loop."})

    assert captions(transcript([loop])) == ()


def test_a_segment_of_blanks_is_not_shown() -> None:
    assert captions(transcript([segment([word(" ", 0.0, 1.0)])])) == ()


@pytest.mark.parametrize("spelling", ["well-known", "twenty-seven", "long-term"])
def test_a_word_with_a_hyphen_stays_on_one_line(spelling: str) -> None:
    spoken = said(f"{'x' * (LINE_CHARACTERS - len(spelling))} {spelling} thing")

    assert spelling in [it for caption in captions(spoken) for line in caption.lines for it in line.split()]


def test_chinese_takes_two_columns_a_letter_and_no_blanks() -> None:
    words = [word(letter, n * 0.2, n * 0.2 + 0.2) for n, letter in enumerate("今天我们来谈谈天空为什么是蓝色的。" * 4)]

    shown = captions(transcript([segment(words)]))

    assert all(columns(line) <= LINE_CHARACTERS for it in shown for line in it.lines)
    assert all(" " not in it.text for it in shown)
    assert all(it.text.endswith("。") for it in shown), "a sentence stays whole where it fits"


def test_a_word_longer_than_a_line_is_broken() -> None:
    (shown,) = captions(said("x" * (LINE_CHARACTERS + 1)))

    assert [len(line) for line in shown.lines] == [LINE_CHARACTERS, 1]


@st.composite
def dialogues(draw: st.DrawFn) -> MergedTranscript:
    """Segments of up to three speakers, whose names are short, longer than a line, or unknown."""
    spoken = draw(transcripts(spelling=st.one_of(SHORT, st.text(letters, min_size=30, max_size=60))))
    names = [
        draw(st.sampled_from([None, "Ada", "Ada Brook-Example of the Long Name Society", "x" * 50])) for _ in "123"
    ]
    segments = [
        it.model_copy(update={"speaker": draw(st.sampled_from(["S1", "S2", "S3", None]))}) for it in spoken.segments
    ]
    speakers = tuple(Speaker(id=f"S{number}", name=name) for number, name in enumerate(names, start=1))
    return spoken.with_segments(segments).model_copy(update={"speakers": speakers})


@ANYTHING
@given(dialogues())
def test_captions_of_a_dialogue_never_mix_speakers_and_lose_no_word(spoken: MergedTranscript) -> None:
    shown = captions(spoken)
    for speaker in {it.speaker for it in shown}:
        own = [it.text for it in spoken.spoken if it.speaker == speaker or not spoken.labels]
        assert letters_of("".join(it.text for it in shown if it.speaker == speaker)) == letters_of("".join(own))
    assert letters_of("".join(it.text for it in shown)) == letters_of(spoken.text)


@ANYTHING
@given(dialogues())
def test_a_name_is_shown_once_a_turn_and_leaves_the_lines_short(spoken: MergedTranscript) -> None:
    shown = labelled_captions(spoken)
    labels, expected, speaker = spoken.labels, "", None
    for it in (it for it in spoken.spoken if it.text.strip()):
        label = labels.get(it.speaker or "") if it.speaker != speaker else None
        expected, speaker = expected + (f"{label}:" if label else "") + it.text, it.speaker

    assert letters_of("".join(it.text for it in shown)) == letters_of(expected)
    for caption in shown:
        assert max(map(columns, caption.lines)) <= LINE_CHARACTERS
        assert len(caption.lines) <= LINES


def test_a_change_of_speaker_starts_a_new_caption() -> None:
    spoken = dialogue(("a", "Is it warm?"), ("b", "No."), ("b", "It is cold."), names={"b": "Tom Reed"}, pause_s=0.0)

    assert [(it.speaker, it.text) for it in captions(spoken)] == [("S1", "Is it warm?"), ("S2", "No. It is cold.")]
    assert [it.text for it in labelled_captions(spoken)] == ["Speaker 1: Is it warm?", "Tom Reed: No. It is cold."]


def test_a_name_counts_for_the_width_of_its_line() -> None:
    text = "Many people put tomatoes outside in May."
    spoken = dialogue(("a", text), ("b", "Yes, they do."), names={"a": "Ada Brook"})

    assert captions(spoken)[0].lines == (text,)
    assert labelled_captions(spoken)[0].lines == ("Ada Brook: Many people", "put tomatoes outside in May.")


def test_one_speaker_has_captions_as_nobody_has() -> None:
    spoken = dialogue(("a", "Is it warm?"), ("a", "Yes."))

    assert labelled_captions(spoken) == captions(spoken)
    assert {it.speaker for it in captions(spoken)} == {None}


SCRIPTS = {
    "Thai": "สวัสดีครับวันนี้เราจะพูดถึงเรื่องน้ำท่วมที่กรุงเทพฯ",
    "Lao": "ສະບາຍດີມື້ນີ້ພວກເຮົາຈະເວົ້າກ່ຽວກັບນ້ຳຖ້ວມ",
    "Burmese": "မင်္ဂလာပါဒီနေ့ကျွန်တော်တို့ပြောမယ့်အကြောင်းအရာ",
    "Khmer": "សួស្តីថ្ងៃនេះយើងនឹងនិយាយអំពីទឹកជំនន់",
    "Devanagari": "नमस्तेआजहमक्षत्रियोंकेबारेमेंबातकरेंगे",
    "Tamil": "வணக்கம்இன்றுநாம்வெள்ளத்தைப்பற்றிபேசுவோம்",
    "Arabic": "مَرْحَبًابِكُمْفِيهَذَاالبَرْنَامَجِ",
    "Hebrew": "שָׁלוֹםוּבְרָכָהלְכֻלָּם",
    "emoji": "👨\u200d👩\u200d👧👍🏽🇩🇪🇫🇷🏴\U000e0067\U000e0062\U000e007f❤️1️⃣",
    "jamo": unicodedata.normalize("NFD", "안녕하세요오늘은홍수에대해"),
    "Latin": unicodedata.normalize("NFD", "Ầéñçößå"),
}
joined_letters = st.sampled_from("".join(SCRIPTS.values()))


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("pieces", [1, 2, 7, 1000])
def test_no_letter_is_torn_however_the_words_are(script: str, pieces: int) -> None:
    text = SCRIPTS[script] * 5
    parts = [text[at : at + pieces] for at in range(0, len(text), pieces)]
    words = [word(part, n * 0.2, n * 0.2 + 0.2) for n, part in enumerate(parts)]

    lines = [line for it in captions(transcript([segment(words)])) for line in it.lines]

    assert "".join(lines) == text
    assert [letter for line in lines for letter in graphemes(line)] == graphemes(text)
    assert sum(len(list(iter_graphemes(line))) for line in lines) == len(list(iter_graphemes(text)))
    assert max(map(columns, lines)) <= LINE_CHARACTERS


@ANYTHING
@given(transcripts(spelling=st.text(joined_letters, min_size=1, max_size=60)))
def test_lines_of_marks_are_short_and_begin_with_letters(spoken: MergedTranscript) -> None:
    shown = captions(spoken)
    lines = [line for it in shown for line in it.lines]

    assert letters_of("".join(lines)) == letters_of(spoken.text)
    assert not [line for line in lines[1:] if unicodedata.category(line[0]).startswith("M")]
    assert all(columns(line) <= LINE_CHARACTERS or len(graphemes(line)) == 1 for line in lines)


def test_marks_take_no_column() -> None:
    assert [columns(it) for it in ("ที่", "e\u0301", "👨\u200d👩\u200d👧", "🇩🇪", "שָׁ", "한", "\u200b")] == [
        1,
        1,
        2,
        2,
        1,
        2,
        0,
    ]


@st.composite
def wild_times(draw: st.DrawFn) -> MergedTranscript:
    """Segments whose words have any times, before, within and after the audio, or none."""
    times = st.one_of(st.integers(-100, 3000).map(lambda it: it / 100), st.sampled_from([5.0, 9.9, 1e6, math.inf]))
    segments = []
    for number in range(draw(st.integers(0, 6))):
        spellings = draw(st.lists(SHORT, min_size=1, max_size=25))
        words = [word(f" {it}", draw(times), draw(times)) for it in spellings]
        if draw(st.booleans()):
            at_s = draw(times)
            words = [it.model_copy(update={"start_s": at_s, "end_s": draw(st.just(at_s))}) for it in words]
        whole = segment(words, number)
        segments.append(draw(st.sampled_from([whole, whole.model_copy(update={"words": ()})])))
    return transcript(segments).model_copy(update={"audio_s": draw(st.sampled_from([30.0, 10.0, 0.0, math.nan]))})


@ANYTHING
@given(wild_times())
def test_whatever_the_times_are_captions_ascend_last_and_end_with_the_audio(spoken: MergedTranscript) -> None:
    shown = captions(spoken)

    assert letters_of("".join(it.text for it in shown)) == letters_of(spoken.text)
    assert all(it.start_ms >= 0 and it.end_ms - it.start_ms >= FLASH_MS for it in shown)
    assert all(one.end_ms <= following.start_ms for one, following in pairwise(shown))
    if shown and spoken.audio_s > 0:
        assert shown[-1].end_ms <= max(spoken.audio_s * 1000, FLASH_MS * len(shown))


def crowd(at_s: float, count: int = 60) -> MergedSegment:
    return segment([word(" bread.", at_s, at_s) for _ in range(count)])


@pytest.mark.parametrize(("at_s", "audio_s"), [(0.0, 60.0), (20.0, 60.0), (60.0, 60.0), (90.0, 60.0), (math.nan, 60.0)])
def test_words_of_one_time_share_the_free_time_around_it(at_s: float, audio_s: float) -> None:
    shown = captions(transcript([crowd(at_s)]).model_copy(update={"audio_s": audio_s}))

    assert all(it.end_ms - it.start_ms >= SHORTEST_MS for it in shown)
    assert shown[0].start_ms >= 0
    assert shown[-1].end_ms <= audio_s * 1000


def test_words_without_free_time_delay_what_follows_no_longer_than_needed() -> None:
    before, after = said("x" * 8, 5.0), said("a quiet morning by the sea " * 3, 0.5, start_s=5.0)
    spoken = transcript([*before.segments, crowd(5.0, 12), *after.segments])

    shown = captions(spoken)

    assert all(it.end_ms - it.start_ms >= FLASH_MS for it in shown)
    assert shown[-1].start_ms - 12_000 < 3000


def test_a_word_of_a_wrong_time_moves_no_other() -> None:
    words = [
        word(f" {it}", n * 0.5, n * 0.5 + 0.5) for n, it in enumerate(["one", "two", "three", "four", "five", "six"])
    ]
    words[2] = words[2].model_copy(update={"start_s": 900.0, "end_s": 901.0})

    (shown,) = captions(transcript([segment(words)]))

    assert (shown.start_ms, shown.end_ms, shown.text) == (0, 3000, "one two three four five six")


def test_overlapping_segments_are_shown_in_their_order() -> None:
    first, second = said("one two three four.", 2.0).segments[0], said("five six.", 0.5, start_s=3.0).segments[0]

    assert " ".join(it.text for it in captions(transcript([first, second]))).split() == (
        ["one", "two", "three", "four.", "five", "six."]
    )


def test_a_script_without_blanks_is_cut_in_time_and_not_after_a_vowel_that_belongs_to_what_follows() -> None:
    words = [word(letter, n * 0.1, n * 0.1 + 0.1) for n, letter in enumerate(SCRIPTS["Thai"] * 6)]

    shown = captions(transcript([segment(words)]))

    assert all(it.end_ms - it.start_ms <= 9000 for it in shown)
    assert not [line for it in shown for line in it.lines if line.endswith(tuple("เแโใไ"))]
