"""The second reading of unsure windows: which of two readings counts, which windows are searched, how text is split."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from whisper.tokenizer import Tokenizer, get_tokenizer

from workers.whisper import beam, second_reading
from workers.whisper.decoding import Decoded, Prompt
from workers.whisper.segments import sentences
from workers.whisper.word_timing import TimedWord

SAID = " so this is the thick corpus and i have a cold"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return get_tokenizer(multilingual=True, language="en", task="transcribe")


def reading(tokenizer: Tokenizer, text: str, avg_logprob: float = -0.4, no_speech_prob: float = 0.0) -> Decoded:
    tokens = tuple(tokenizer.encode(text))
    return Decoded(tokens, (avg_logprob,) * len(tokens), avg_logprob, no_speech_prob, 0.0)


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        (SAID, " so this is the sick corpus and i have a cold", True),
        (SAID, " so this is the sick corpus and i have cold", True),
        (SAID, " so this is the sick corpus", False),  # it left words out
        (SAID, "", False),
        (SAID, " corpus" * 11, False),  # a loop
        (" corpus" * 40, SAID, True),  # a loop is no measure of length
        ("今天天气很好，我们去公园散步。", "今天天气很好我们去公园散步。", True),
        ("今天天气很好，我们去公园散步。", "今天天气很好。", False),
    ],
)
def test_a_second_reading_counts_if_it_passes_the_checks_and_is_nearly_as_long(
    tokenizer: Tokenizer, first: str, second: str, counts: bool
) -> None:
    before = reading(tokenizer, first)
    after = reading(tokenizer, second)
    assert second_reading.better(before, after, tokenizer) is (after if counts else before)


def test_a_second_reading_that_would_count_as_silence_loses_no_text(tokenizer: Tokenizer) -> None:
    before = reading(tokenizer, SAID, -0.9, no_speech_prob=0.7)
    after = reading(tokenizer, SAID, -1.1, no_speech_prob=0.7)
    assert second_reading.better(before, after, tokenizer) is before


def test_only_unsure_windows_are_searched_half_a_batch_at_a_time(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a sure window, a silent one and four unsure ones
    unsure = reading(tokenizer, " a thick corpus")
    first = [
        reading(tokenizer, " one", -0.1),
        unsure,
        reading(tokenizer, " two", -1.5, no_speech_prob=0.9),
        unsure,
        unsure,
        replace(unsure, avg_logprob=-0.21),
    ]
    searched: list[Any] = []

    def search(decoder: Any, prompt: Prompt, features: Sequence[Any]) -> list[Decoded]:
        searched.append(features)
        assert prompt.tokens[-1] == tokenizer.no_timestamps
        return [reading(tokenizer, f" a sick corpus {window}") for window in features]

    monkeypatch.setattr(beam, "search", search)
    # when they are read again
    best = second_reading.improve(cast(Any, None), Prompt(tokenizer), cast(Any, list(range(6))), first)
    # then half a batch is searched at a time, which the memory plan keeps room for
    assert searched == [[1, 3, 4], [5]]
    assert [one.text(tokenizer) for one in best] == [
        "one", "a sick corpus 1", "two", "a sick corpus 3", "a sick corpus 4", "a sick corpus 5",
    ]  # fmt: skip


def test_a_text_without_timestamps_is_split_after_sentences_and_at_pauses() -> None:
    # given words, one token each, with a title, a quotation and a pause of two seconds
    said = [' "Did', " Mrs.", " Smith", ' come?"', " She", " stayed", " at", " home.", " And", " then", " we", " left"]
    starts_s = [0.0, 0.3, 0.6, 0.9, 1.2, 1.5, 1.8, 2.0, 2.4, 2.7, 5.0, 5.2]
    words = [TimedWord(text, start_s, start_s + 0.2, 1.0, 1) for text, start_s in zip(said, starts_s, strict=True)]
    # when they are split
    spans = sentences(words, range(len(words)))
    # then each part has its tokens and the times of its words
    assert [span.tokens for span in spans] == [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9), (10, 11)]
    assert [(span.start_s, round(span.end_s, 1)) for span in spans] == [(0.0, 1.1), (1.2, 2.2), (2.4, 2.9), (5.0, 5.4)]
