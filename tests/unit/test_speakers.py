"""Words given to the speakers whose turns cover them."""

from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.results.second_opinion import apply_alternatives
from pipeline.results.speakers import name_at, with_linked_people, with_speakers, without_speakers
from pipeline.results.uncertainty import flag_uncertain
from pipeline.types import (
    AlternativeTranscript,
    Analysis,
    Diarization,
    Mention,
    MergedTranscript,
    Quote,
    Segment,
    SpeakerTurn,
    Transcript,
    Word,
)
from tests.results import dialogue, merged, segment, told_apart, transcript

ANYTHING = settings(derandomize=True, deadline=None, max_examples=80)


def said(spoken: MergedTranscript) -> list[tuple[str | None, str]]:
    """The words of each speaker in a row, whatever the segments."""
    words = [it for one in spoken.spoken for it in one.words]
    runs = groupby(words, key=lambda it: it.speaker)
    return [(speaker, "".join(it.word for it in run).strip()) for speaker, run in runs]


def timed(*words: tuple[str, float, float]) -> Segment:
    """A segment of words with their times."""
    return Segment(
        id=0,
        start_s=words[0][1],
        end_s=words[-1][2],
        text="".join(f" {text}" for text, _, _ in words),
        tokens=(1, 2, 3),
        avg_logprob=-0.2,
        words=tuple(Word(word=f" {text}", start_s=at, end_s=to, probability=0.9) for text, at, to in words),
    )


def test_a_word_is_the_speakers_whose_turn_covers_most_of_it() -> None:
    heard = merged(segment("One two three four.", 0.0, word_s=1.0), segment("Five six seven eight.", 4.0, word_s=1.0))

    spoken = with_speakers(heard, told_apart(("a", 0.0, 4.4), ("b", 4.4, 8.0)))

    assert said(spoken) == [("S1", "One two three four."), ("S2", "Five six seven eight.")]
    assert [it.speaker for it in spoken.segments] == ["S1", "S2"]


def test_a_word_without_a_turn_is_the_nearest_speakers_and_nobodys_far_from_all() -> None:
    heard = merged(timed(("Yes.", 1.0, 1.4)), timed(("No.", 3.0, 3.3)), timed(("So?", 30.0, 30.3)))

    spoken = with_speakers(heard, told_apart(("a", 0.0, 0.9), ("b", 3.6, 5.0)))

    assert said(spoken) == [("S1", "Yes."), ("S2", "No."), (None, "So?")]


def test_a_word_far_from_all_turns_is_its_sentences_speakers() -> None:
    heard = merged(timed(("It", 0.0, 0.3), ("takes", 0.3, 0.6), ("time.", 3.0, 3.3)))

    assert said(with_speakers(heard, told_apart(("a", 0.0, 0.7)))) == [("S1", "It takes time.")]


def test_who_interjects_has_the_shorter_turn_and_both_turns_stay() -> None:
    heard = merged(segment("This is what I wanted to say about the bread and the yeast today", 0.0))

    spoken = with_speakers(heard, told_apart(("a", 0.0, 4.2), ("b", 1.2, 2.1)))

    assert {speaker for speaker, _ in said(spoken)} == {"S1"}
    assert [(it.speaker, it.start_s, it.end_s) for it in spoken.turns] == [("S1", 0.0, 4.2), ("S2", 1.2, 2.1)]


def test_a_turn_of_the_whole_episode_covers_words_far_from_its_start() -> None:
    heard = merged(*(segment("So it is.", at) for at in (0.0, 50.0, 99.0)))

    spoken = with_speakers(heard, told_apart(("a", 0.0, 100.0), ("b", 48.0, 55.0), ("b", 99.95, 120.0)))

    assert {speaker for speaker, _ in said(spoken)} == {"S1"}


def test_an_island_within_a_sentence_is_the_speakers_around_it() -> None:
    heard = merged(segment("We put the bread into the oven.", 0.0))

    spoken = with_speakers(heard, told_apart(("a", 0.0, 0.9), ("b", 0.9, 1.2), ("a", 1.2, 2.1)))

    assert said(spoken) == [("S1", "We put the bread into the oven.")]


def test_an_island_with_pauses_and_a_turn_of_its_times_is_real() -> None:
    heard = merged(timed(("We", 0.0, 0.3), ("put", 0.3, 0.6), ("what", 1.0, 1.3), ("it", 1.7, 1.9), ("in.", 1.9, 2.1)))

    spoken = with_speakers(heard, told_apart(("a", 0.0, 0.6), ("b", 1.05, 1.25), ("a", 1.7, 2.1)))

    assert said(spoken) == [("S1", "We put"), ("S2", "what"), ("S1", "it in.")]


def test_a_sentence_of_one_word_is_no_island() -> None:
    heard = merged(segment("Is it warm enough? Yes. Then we can begin.", 0.0))

    spoken = with_speakers(heard, told_apart(("a", 0.0, 1.2), ("b", 1.2, 1.5), ("a", 1.5, 2.7)))

    assert said(spoken) == [("S1", "Is it warm enough?"), ("S2", "Yes."), ("S1", "Then we can begin.")]


@pytest.mark.parametrize("turn_s", [0.9, 1.5, 1.8])
def test_a_change_moves_to_the_sentences_end_nearby(turn_s: float) -> None:
    heard = merged(segment("Is it warm enough? I think it is not.", 0.0))

    spoken = with_speakers(heard, told_apart(("a", 0.0, turn_s), ("b", turn_s, 2.7)))

    assert said(spoken) == [("S1", "Is it warm enough?"), ("S2", "I think it is not.")]


def test_a_change_far_from_the_sentences_end_stays() -> None:
    heard = merged(segment("And so I thought about the whole thing no you did not at all ever. Right.", 0.0))

    spoken = with_speakers(heard, told_apart(("a", 0.0, 2.4), ("b", 2.4, 4.8)))

    assert said(spoken)[0] == ("S1", "And so I thought about the whole thing")


def test_a_change_moves_to_a_pause_where_no_sentence_ends() -> None:
    heard = merged(
        timed(
            ("and", 0.0, 0.3), ("then", 0.3, 0.6), ("we", 0.6, 0.9), ("no", 1.3, 1.6), ("you", 1.6, 1.9), ("did", 2, 3)
        )
    )

    spoken = with_speakers(heard, told_apart(("a", 0.0, 1.6), ("b", 1.6, 3.0)))

    assert said(spoken) == [("S1", "and then we"), ("S2", "no you did")]


def test_a_segment_is_split_where_the_speaker_changes() -> None:
    one = segment("Is it warm enough? I think it is not.", 0.0).model_copy(update={"tokens": (7, 8, 9)})
    heard = merged(one, segment("Well.", 5.0))

    spoken = with_speakers(heard, told_apart(("a", 0.0, 1.2), ("b", 1.2, 6.0)))

    first, second, third = spoken.segments
    assert [it.id for it in spoken.segments] == [0, 1, 2]
    assert [it.text for it in spoken.segments] == [" Is it warm enough?", " I think it is not.", " Well."]
    assert [(it.start_s, it.end_s) for it in (first, second)] == [(0.0, 1.2), (1.2, 2.7)]
    assert (first.tokens, second.tokens) == ((7, 8, 9), ())
    assert (first.continues, second.continues, third.continues) == (False, True, False)
    assert first.avg_logprob == second.avg_logprob == one.avg_logprob
    assert spoken.text == heard.text


def test_voxtrals_reading_is_divided_among_the_parts() -> None:
    heard = merged(segment("Is it worm enough? I think it is not.", 0.0))
    heard = apply_alternatives(
        heard, [AlternativeTranscript(start_s=0, end_s=3, text="Is it warm enough? I think it is not.", segments=(0,))]
    )

    first, second = with_speakers(heard, told_apart(("a", 0.0, 1.2), ("b", 1.2, 6.0))).segments

    assert (first.second_reading, second.second_reading) == ("Is it warm enough?", None)
    assert first.agreement is not None
    assert first.agreement < 1.0
    assert second.agreement == 1.0


def test_voxtrals_words_have_speakers_and_ids_after_whispers() -> None:
    loop = segment("and the " * 20, 4.0)
    heard = merged(segment("Is it warm? It is.", 0.0), loop)
    heard = apply_alternatives(
        heard, [AlternativeTranscript(start_s=4, end_s=16, text="Nobody knows that.", segments=(1,))]
    )

    spoken = with_speakers(heard, told_apart(("a", 0.0, 0.9), ("b", 0.9, 16.0)))

    assert said(spoken) == [("S1", "Is it warm?"), ("S2", "It is. Nobody knows that.")]
    assert [(it.id, it.source, it.speaker) for it in spoken.segments] == [
        (0, "whisper", "S1"),
        (1, "whisper", "S2"),
        (2, "whisper", None),
        (3, "voxtral", "S2"),
    ]


def test_what_was_dropped_is_whole_and_nobodys() -> None:
    heard = merged(segment("Good morning.", 0.0), segment("and the " * 20, 4.0))

    spoken = with_speakers(heard, told_apart(("a", 0.0, 6.0), ("b", 6.0, 20.0)))

    assert spoken.segments[1] == heard.segments[1]
    assert spoken.segments[1].dropped


def test_a_segment_without_words_is_its_main_speakers() -> None:
    bare = segment("Good morning.", 0.0).model_copy(update={"words": (), "end_s": 10.0})

    spoken = with_speakers(merged(bare), told_apart(("a", 0.0, 4.0), ("b", 4.0, 10.0)))

    assert [(it.speaker, it.text) for it in spoken.segments] == [("S1", " Good morning.")]
    assert [it.speaker for it in spoken.turns] == ["S2", "S1"]


def test_a_segment_whose_words_are_not_its_text_stays_whole() -> None:
    odd = segment("Is it warm? It is.", 0.0).model_copy(update={"text": " Is it so warm? It is."})

    (spoken,) = with_speakers(merged(odd), told_apart(("a", 0.0, 0.9), ("b", 0.9, 1.5))).segments

    assert (spoken.text, spoken.speaker) == (odd.text, "S1")
    assert {it.speaker for it in spoken.words} == {"S1"}


def test_speakers_are_numbered_by_their_first_words_and_keep_their_names() -> None:
    heard = merged(segment("Good morning.", 2.0), segment("Hello there.", 5.0))
    found = told_apart(
        ("S1", 0.0, 0.5), ("S3", 2.0, 2.6), ("S2", 5.0, 5.6), names={"S3": "Ada Brook", "S2": "Tom Reed"}
    )

    spoken = with_speakers(heard, found)

    assert [(it.id, it.name, it.talk_s) for it in spoken.speakers] == [
        ("S1", "Ada Brook", 0.6),
        ("S2", "Tom Reed", 0.6),
        ("S3", None, 0.5),
    ]
    assert [it.speaker for it in spoken.turns] == ["S3", "S1", "S2"]
    assert spoken.labels == {"S1": "Ada Brook", "S2": "Tom Reed", "S3": "Speaker 3"}


def test_turns_end_with_the_audio() -> None:
    heard = merged(segment("Good morning.", 0.0))

    spoken = with_speakers(heard, told_apart(("a", -1.0, 50.0), ("b", 50.0, 60.0)))

    assert [(it.start_s, it.end_s) for it in spoken.turns] == [(0.0, heard.audio_s)]
    assert [it.talk_s for it in spoken.speakers] == [heard.audio_s]


def test_one_speaker_has_no_label() -> None:
    spoken = with_speakers(merged(segment("Good morning. And welcome.", 0.0)), told_apart(("a", 0.0, 1.2)))

    assert [it.id for it in spoken.speakers] == ["S1"]
    assert [it.speaker for it in spoken.segments] == ["S1"]
    assert spoken.labels == {}


def test_without_turns_there_are_no_speakers() -> None:
    heard = merged(segment("Good morning.", 0.0))

    assert with_speakers(heard, told_apart()) == heard


TALK = dialogue(
    ("a", "Is it warm enough? I think it is."), ("b", "No. No. No."), ("a", "Well then we wait."), ("b", "Yes.")
)
MIXED = told_apart(("a", 0.0, 1.2), ("b", 1.2, 4.0), ("c", 4.0, 60.0))


def test_the_public_files_give_the_same_speakers_again() -> None:
    spoken = with_speakers(TALK, MIXED)
    public = Diarization(turns=spoken.turns, speakers=spoken.speakers, audio_s=spoken.audio_s, model="voices")
    transcript_file = spoken.as_heard().to_json()

    heard = flag_uncertain(without_speakers(MergedTranscript.from_json(transcript_file)))
    again = with_speakers(heard, Diarization.from_json(public.to_json()))

    assert again.as_heard().to_json() == transcript_file
    assert again == spoken
    assert with_speakers(spoken, public) == spoken


def test_other_speakers_replace_those_that_a_transcript_has() -> None:
    assert with_speakers(with_speakers(TALK, MIXED), told_apart(("z", 0.0, 60.0))).segments == tuple(
        it.model_copy(
            update={"speaker": "S1", "words": tuple(word.model_copy(update={"speaker": "S1"}) for word in it.words)}
        )
        for it in without_speakers(TALK).segments
    )


def test_sentences_that_two_people_repeat_are_no_loop() -> None:
    heard = merged(segment("Yes. Yes. Yes. Yes. Yes.", 0.0, word_s=1.0))
    turns = told_apart(*(("ab"[n % 2], float(n), n + 1.0) for n in range(5)))

    stored = MergedTranscript.from_json(with_speakers(heard, turns).as_heard().to_json())

    assert len(stored.segments) == 5
    assert flag_uncertain(without_speakers(stored)).text == heard.text


@st.composite
def talks(draw: st.DrawFn) -> tuple[Transcript, Diarization]:
    """A transcript and turns that have nothing to do with it."""
    texts = st.lists(st.sampled_from(["yes", "no.", "and", "why?", "the", "bread"]), min_size=1, max_size=9)
    now_s, segments = 0.0, []
    for words in draw(st.lists(texts, max_size=6)):
        now_s += draw(st.floats(0, 3))
        segments.append(segment(" ".join(words), round(now_s, 2)))
        now_s = segments[-1].end_s
    times = st.tuples(st.sampled_from("abc"), st.floats(0, 30), st.floats(0.1, 9))
    turns = tuple(
        SpeakerTurn(speaker=it, start_s=at, end_s=at + long) for it, at, long in draw(st.lists(times, max_size=9))
    )
    return transcript(*segments), Diarization(turns=turns, audio_s=60.0, model="voices")


@ANYTHING
@given(talks())
def test_no_word_is_lost_and_each_segment_is_one_speakers(talk: tuple[Transcript, Diarization]) -> None:
    heard, found = flag_uncertain(talk[0]), talk[1]
    spoken = with_speakers(heard, found)

    assert spoken.text == heard.text
    assert [it.id for it in spoken.segments] == list(range(len(spoken.segments)))
    for it in spoken.segments:
        assert {word.speaker for word in it.words} == {it.speaker}
        assert it.text == "".join(word.word for word in it.words)
    known = [it.id for it in spoken.speakers]
    assert known == [f"S{number}" for number in range(1, len(known) + 1)]
    assert {it.speaker for it in spoken.turns} == set(known)
    of_words = dict.fromkeys(it.speaker for it in spoken.segments if it.speaker)
    assert list(of_words) == known[: len(of_words)]


@ANYTHING
@given(talks())
def test_whole_segments_come_back_from_their_parts(talk: tuple[Transcript, Diarization]) -> None:
    heard = flag_uncertain(talk[0])

    assert without_speakers(with_speakers(heard, talk[1])) == heard


NAMED = dialogue(("a", "Why does bread rise?"), ("b", "Because of the yeast."), names={"a": "Ada Brook"})


def test_a_mentioned_person_is_the_speaker_of_that_name() -> None:
    people = (
        Mention(name="ada  brook", kind="person"),
        Mention(name="Tom Reed", kind="person", speaker="S2"),
        Mention(name="Ada Brook", kind="organisation"),
    )
    found = Analysis(source="voxtral", model="", summary="", people_and_organisations=people, heard_s=1.0)

    assert [it.speaker for it in with_linked_people(found, NAMED).people_and_organisations] == ["S1", None, None]
    assert [it.speaker for it in with_linked_people(found, None).people_and_organisations] == [None, None, None]


@pytest.mark.parametrize(
    ("quote", "name"),
    [
        (Quote(text="", speaker="Helen", start_s=0.0, end_s=1.2), "Ada Brook"),
        (Quote(text="", speaker="Helen", start_s=1.6, end_s=2.8), "Helen"),
        (Quote(text="", start_s=1.6, end_s=2.8), "Speaker 2"),
        (Quote(text="", speaker="Helen"), "Helen"),
        (Quote(text=""), None),
    ],
)
def test_a_quotes_name_is_the_voices_or_else_voxtrals_guess(quote: Quote, name: str | None) -> None:
    assert name_at(quote, NAMED) == name
    assert name_at(quote, None) == quote.speaker
