"""Corrections of words: found by time and text, in the time of the old words, and undone exactly."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.client.edited_copy import changes_in
from pipeline.errors import MessageError
from pipeline.results.corrections.corrector import Corrector, corrected, corrected_anew
from pipeline.results.corrections.editor import Editor
from pipeline.results.corrections.files import root_of
from pipeline.results.formats import FORMATS, render_all
from pipeline.types import EpisodeResult, MergedTranscript
from pipeline.types.corrections import Change, Correction, Rule
from tests.results import dialogue, merged, result, segment

SPOKEN = dialogue(("S1", "We use Hub Spot, Tom."), ("S2", "It is a Hub for all of us."), ("S1", "And Spot is a dog."))
ENDED = result(SPOKEN)


def correction(start_s: float, was: str, becomes: str, number: int = 0) -> Correction:
    return Correction(id=f"{number:012x}", start_s=start_s, was=was, becomes=becomes, at="2026-01-02T03:04:05+00:00")


def after(change: Change, spoken: MergedTranscript = SPOKEN) -> MergedTranscript:
    corrector = Corrector(result(spoken))
    assert corrector.apply(change, 0.06)
    found = corrector.finish().result.transcript
    assert found
    return found


def times(spoken: MergedTranscript, segment: int = 0) -> list[tuple[str, float, float]]:
    return [(it.word.strip(), it.start_s, it.end_s) for it in spoken.segments[segment].words]


def test_as_many_words_keep_their_times() -> None:
    found = after(Change(start_s=0.6, was="Hub Spot,", becomes="Hob Pots,"))

    assert times(found) == [
        ("We", 0.0, 0.3),
        ("use", 0.3, 0.6),
        ("Hob", 0.6, 0.9),
        ("Pots,", 0.9, 1.2),
        ("Tom.", 1.2, 1.5),
    ]
    assert found.text.startswith("We use Hob Pots, Tom. It is")


def test_others_share_the_time_by_their_length_and_words_around_them_keep_theirs() -> None:
    found = after(Change(start_s=0.0, was="We use Hub Spot, Tom.", becomes="We use an old HubSpot, Tom."))

    assert times(found)[:2] == [("We", 0.0, 0.3), ("use", 0.3, 0.6)]
    assert [it[0] for it in times(found)] == ["We", "use", "an", "old", "HubSpot,", "Tom."]
    assert times(found)[2][1] == 0.6
    assert times(found)[4][2] == 1.2
    assert times(found)[5] == ("Tom.", 1.2, 1.5)


def test_words_of_two_speakers_stay_with_theirs() -> None:
    found = after(Change(start_s=1.2, was="Tom. It", becomes="Tom? That"))

    assert [it.text for it in found.segments][:2] == [" We use Hub Spot, Tom?", " That is a Hub for all of us."]


def test_a_segment_without_words_is_none_of_the_text_any_more() -> None:
    found = after(Change(start_s=0.0, was="We use Hub Spot, Tom.", becomes=""))

    assert found.text == "It is a Hub for all of us. And Spot is a dog."
    assert [it.dropped for it in found.segments] == ["Removed by a correction.", "", ""]
    for name, data in render_all(result(found)).items():
        assert b"Hub Spot" not in data, name


def test_a_segment_without_word_times_is_corrected_too() -> None:
    bare = SPOKEN.model_copy(update={"segments": tuple(it.model_copy(update={"words": ()}) for it in SPOKEN.segments)})
    second = bare.segments[1].start_s

    found = after(Change(start_s=second, was="It is", becomes="This is"), bare)

    assert found.segments[1].text == " This is a Hub for all of us."
    assert found.segments[1].words == ()


def test_scripts_without_blanks_are_corrected_by_letter() -> None:
    words = ("这", "是", "红", "婆", "特")
    plain = segment("这 是 红 婆 特", 0.0)
    joined = plain.model_copy(
        update={
            "text": "".join(words),
            "words": tuple(it.model_copy(update={"word": it.word.strip()}) for it in plain.words),
        }
    )

    for was in ("红婆特", "红 婆 特"):
        found = after(Change(start_s=0.6, was=was, becomes="红波特"), merged(joined))
        assert found.text == "这是红波特"
        assert times(found)[2:] == [("红", 0.6, 0.9), ("波", 0.9, 1.2), ("特", 1.2, 1.5)]


@pytest.mark.parametrize(
    ("start_s", "was", "is_found"),
    [
        (0.62, "Hub Spot,", True),
        (0.6, "Hub  Spot,", True),
        (0.6, "HubSpot,", False),
        (0.6, "Hub Spot", False),
        (0.6, "Hub", True),
        (0.7, "Hub", False),
        (99.0, "Hub", False),
        (0.6, "Hub Spot, Tom. It is", True),
    ],
)
def test_words_are_found_by_start_and_text(start_s: float, was: str, is_found: bool) -> None:
    assert (Editor(SPOKEN).find(start_s, was, 0.06) is not None) is is_found


WORDS = [it.word for _, it in Editor(SPOKEN).words()]
TEXTS = st.lists(st.sampled_from(["Hub", "Spot,", "HubSpot", "of", "Tom.", "a", "红波特", "naïve"]), max_size=4).map(
    " ".join
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(WORDS) - 1), st.integers(1, 6), TEXTS), max_size=5), st.data())
def test_whatever_is_corrected_is_undone_exactly(asked: list[tuple[int, int, str]], data: st.DataObject) -> None:
    # Given corrections, some of which are of what others wrote
    made = [
        correction(WORDS[first].start_s, "".join(it.word for it in WORDS[first : first + count]).strip(), text, number)
        for number, (first, count, text) in enumerate(asked)
    ]
    done = corrected(ENDED, made)

    # Then what was before is in the result, and in no other
    assert done.result.before_corrections() == ENDED
    assert EpisodeResult.from_json(done.result.to_json()) == done.result
    assert [it.id for it in done.corrections] == [it.id for it in made]
    assert done.result.transcript
    for it in done.result.transcript.segments:
        assert it.text == "".join(word.word for word in it.words)
        starts = [word.start_s for word in it.words]
        assert starts == sorted(starts)

    # And without some of them it is as if they had not been made
    kept = data.draw(st.lists(st.sampled_from(made), unique_by=lambda it: it.id) if made else st.just([]))
    left = [it for it in made if it in kept]
    assert corrected(done.result, left) == corrected(ENDED, left)
    assert corrected(done.result, []).result == ENDED


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Rule(was="hub spot", becomes="HubSpot"), "We use HubSpot, Tom. It is a Hub for all of us. And Spot is a dog."),
        (Rule(was="Hub spot", becomes="HubSpot"), SPOKEN.text),
        (Rule(was="Hub Spot", becomes="HubSpot"), "We use HubSpot, Tom. It is a Hub for all of us. And Spot is a dog."),
        (Rule(was="us", becomes="them"), "We use Hub Spot, Tom. It is a Hub for all of them. And Spot is a dog."),
        (Rule(was="tom", becomes=""), "We use Hub Spot, It is a Hub for all of us. And Spot is a dog."),
        (Rule(was="tom it", becomes="x"), SPOKEN.text),
    ],
)
def test_rules_change_whole_words(rule: Rule, text: str) -> None:
    done = corrected_anew(ENDED, (), [rule])

    assert done.result.text == text
    assert all(it.applied and it.rule == rule.was for it in done.corrections)
    assert bool(done.corrections) is (text != SPOKEN.text)
    # And what they changed is replayed as it was made
    assert corrected(done.result, done.corrections) == done


@pytest.mark.parametrize(
    ("text", "was", "expected"),
    [
        ("Hub Spot's Hub-Spot can't", "can", None),
        ("Hub Spot's offices", "hub spot", "HubSpot's offices"),
        ("well-known", "known", None),
        ("Große STRASSE", "strasse", "Große HubSpot"),
        ("Éclair und éclairs", "éclair", "HubSpot und éclairs"),
        ("die Hubs", "hub", None),
        ("“Hub Spot!”", "hub spot", "“HubSpot!”"),
        ("C++ or C", "c++", "HubSpot or C"),
        ("हिन्दी", "हिन", None),
    ],
)
def test_rules_know_words_of_any_language(text: str, was: str, expected: str | None) -> None:
    spoken = merged(segment(text, 0.0))

    done = corrected_anew(result(spoken), (), [Rule(was=was, becomes="HubSpot")])

    assert done.result.text == (expected or text)


def test_rules_do_not_read_what_rules_or_readers_wrote() -> None:
    rules = [Rule(was="tom", becomes="Spot"), Rule(was="spot", becomes="Tom"), Rule(was="hub spot", becomes="a Spot")]

    done = corrected_anew(ENDED, (correction(3.9, "us.", "Tom."),), rules)

    assert done.result.text == "We use a Spot, Spot. It is a Hub for all of Tom. And Tom is a dog."


def test_a_correction_of_what_a_rule_wrote_is_kept_for_the_next_result() -> None:
    rules = [Rule(was="hub spot", becomes="HubSpot")]

    done = corrected_anew(ENDED, (correction(0.6, "HubSpot,", "Hubspot,"),), rules)

    assert "We use Hubspot, Tom." in done.result.text
    assert [(it.rule, it.applied) for it in done.corrections] == [("hub spot", True), ("", True)]


@pytest.mark.parametrize("kind", ["srt", "vtt", "txt"])
def test_an_edited_copy_has_just_the_changes_that_were_made(kind: str) -> None:
    copy = FORMATS[kind].render(ENDED).replace("Hub Spot", "HubSpot").replace("a dog.", "the dog.")

    changes = changes_in(f"copy.{kind}", copy.replace("\n", "\r\n").encode(), ENDED)

    assert [(it.was, it.becomes) for it in changes] == [("Hub Spot,", "HubSpot,"), ("a", "the")]
    corrector = Corrector(ENDED)
    assert all(corrector.apply(it, 0.0) for it in changes)
    assert corrector.finish().result.text == "We use HubSpot, Tom. It is a Hub for all of us. And Spot is the dog."


@pytest.mark.parametrize(
    ("name", "edit", "sentence"),
    [
        (
            "a.srt",
            ("00:00:00,000", "00:00:00,500"),
            "Caption 1 of a.srt has other times than the episode's; export the",
        ),
        ("a.srt", ("Speaker 1: We", "Ada: We"), "a.srt has other names of speakers; leave them as they are"),
        ("a.vtt", ("<v Speaker 2>", "<v Tom>"), "a.vtt has other names of speakers"),
        ("a.txt", ("Speaker 2: ", ""), "a.txt has other names of speakers"),
        ("a.json", ("x", "y"), "a.json is no list of changes"),
    ],
)
def test_a_copy_that_does_not_fit_is_refused_with_a_sentence(name: str, edit: tuple[str, str], sentence: str) -> None:
    kind = name.partition(".")[2]
    text = FORMATS[kind].render(ENDED)
    assert kind == "json" or edit[0] in text

    with pytest.raises(MessageError, match=re.escape(sentence)):
        changes_in(name, text.replace(*edit, 1).encode(), ENDED)


def test_a_copy_with_fewer_captions_and_another_text_are_refused() -> None:
    captions = FORMATS["srt"].render(ENDED)
    count = captions.count("-->")
    with pytest.raises(MessageError, match=f"a.srt has {count - 1} captions and the episode {count}; export the"):
        changes_in("a.srt", captions[captions.index("\n\n") + 2 :].encode(), ENDED)
    with pytest.raises(MessageError, match="has hardly a word of it"):
        changes_in("a.txt", b"Somebody else's text.", ENDED)
    with pytest.raises(MessageError, match="is not in UTF-8"):
        changes_in("a.txt", "Äpfel".encode("latin-1"), ENDED)


def test_a_list_of_changes_is_read() -> None:
    assert changes_in("a.json", b'[{"start_s": 0.6, "was": "Hub", "becomes": "Hob"}]', ENDED) == [
        Change(start_s=0.6, was="Hub", becomes="Hob")
    ]


@pytest.mark.parametrize(
    ("uri", "root"),
    [
        ("file:///data/show-0123456789abcdef", "file:///data"),
        ("file:///data/hybrid/show-0123456789abcdef", "file:///data"),
        ("s3://bucket/p/transcribe-0123abcd/show-0123456789abcdef", "s3://bucket/p"),
        ("s3://hybrid/show-0123456789abcdef", "s3://hybrid"),
        ("s3://bucket/hybrids/show-0123456789abcdef", "s3://bucket/hybrids"),
    ],
)
def test_rules_are_at_the_destination_whichever_folder_a_server_makes(uri: str, root: str) -> None:
    assert root_of(uri) == root
