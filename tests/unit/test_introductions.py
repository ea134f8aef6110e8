"""Names by what is said: careful, each for one speaker, and only with a sentence that says it."""

import pytest

from pipeline.results.known_people import KnownPeople, name_at
from pipeline.results.name_evidence import names_said
from pipeline.results.spoken_sentences import spoken_sentences
from pipeline.types import MergedTranscript
from tests.results import dialogue


def names(spoken: MergedTranscript, *known: str) -> dict[str, str]:
    return {speaker: it.name for speaker, it in names_said(spoken, KnownPeople(known)).items()}


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Hello, I'm Ada Brook.", "Ada Brook"),
        ("Welcome to the garden hour, I'm Ada, and today we plant.", "Ada"),
        ("From the harbour, I am Ada van der Brook, your host.", "Ada van der Brook"),
        ("My name is Ada Brook and I bake.", "Ada Brook"),
        ("My name's Will.", "Will"),
        ("I’m Dr. Ada Brook from the college.", "Ada Brook"),
        ("I'm Jean-Luc O'Neil, good morning.", "Jean-Luc O'Neil"),
        ("Mein Name ist Jörg Öhlmann.", "Jörg Öhlmann"),
        ("Ich heiße Anna, guten Tag.", "Anna"),
        ("Bonjour, je m'appelle Élodie Petit.", "Élodie Petit"),
        ("Hola, me llamo Íñigo Ruiz.", "Íñigo Ruiz"),
    ],
)
def test_a_speaker_who_says_the_own_name_has_it(said: str, name: str) -> None:
    assert names(dialogue(("S1", said), ("S2", "Nice to be here."))) == {"S1": name}


@pytest.mark.parametrize(
    "said",
    [
        "I'm sorry.",
        "I'm Sure.",
        "I'm German, and so is the tree.",
        "I'm African American.",
        "This is London.",
        "This is Planet Money. We talk about bread.",
        "My name is mud.",
        "My name is Mud.",
        "I'm with Ada Brook.",
        "I'm Ada Brook's neighbour.",
        "I'm New York born and bred.",
        "If I'm Ada Brook, I sell the boat.",
        "She said, I'm Ada Brook.",
        "And he goes, my name is Tom.",
        "I'm not Ada Brook.",
        "I'm BBC trained.",
        "I'm NASA.",
        "I'm Gen X.",
        "I'm South African, from the coast.",
        "Her name is Ada Brook.",
        "Ich bin Bäcker.",
        "Je suis Charlie.",
        "I'm Ada Brook Tom Reed, all of them.",
        "I'm Happy, and happy I stay.",
        "I'm",
        "",
    ],
)
def test_what_may_mean_something_else_is_nobodys_name(said: str) -> None:
    assert names(dialogue(("S1", said), ("S2", "Go on then."))) == {}


def test_the_sentence_and_its_start_are_the_evidence() -> None:
    spoken = dialogue(("S1", "Hello there. I'm Ada Brook. We plant."), ("S2", "Yes."))

    (found,) = names_said(spoken, KnownPeople([])).values()

    words = [word for segment in spoken.segments for word in segment.words]
    assert (found.quote, found.quote_s) == ("I'm Ada Brook.", next(it.start_s for it in words if it.word == " I'm"))


def test_a_stranger_introduces_himself_early_and_a_known_person_at_any_time() -> None:
    late = dialogue(("S1", "I'm Ada Brook."), ("S2", "Yes."), start_s=700.0)

    assert names(late) == {}
    assert names(late, "Ada Brook") == {"S1": "Ada Brook"}


def test_a_first_name_is_that_of_the_one_known_person_who_has_it() -> None:
    spoken = dialogue(("S1", "I'm Ada."), ("S2", "Yes."))

    assert names(spoken, "Ada Brook", "Tom Reed") == {"S1": "Ada Brook"}
    assert names(spoken, "Ada Brook", "Ada Reed") == {"S1": "Ada"}


def test_this_is_counts_for_known_people_who_go_on_themselves() -> None:
    assert names(dialogue(("S1", "This is Ada Brook. I grow pears."), ("S2", "Yes.")), "Ada Brook") == {
        "S1": "Ada Brook"
    }
    for another in (
        [("S1", "This is Ada Brook. She grows pears."), ("S2", "Yes.")],
        [("S1", "And this is Ada Brook."), ("S2", "I grow pears.")],
        [("S1", "This is Ada Brook, who grows pears. Listen."), ("S2", "Yes.")],
        [("S1", "A book about this is Ada Brook. I like it."), ("S2", "Yes.")],
    ):
        assert names(dialogue(*another), "Ada Brook") == {}


def test_who_is_welcomed_or_asked_twice_and_then_speaks_has_the_name() -> None:
    welcomed = dialogue(("S1", "We talk about bread. Welcome to the show, Tom Reed."), ("S2", "Thank you."))
    asked = dialogue(
        ("S1", "Tom, why bread?"), ("S2", "Because."), ("S1", "So how do you do it, Tom?"), ("S2", "With salt.")
    )

    announced = dialogue(("S1", "I am Ada Brook, and with me is Tom Reed. We talk about bread."), ("S2", "We do."))
    assert names(announced, "Tom Reed") == {"S1": "Ada Brook", "S2": "Tom Reed"}
    for spoken in (welcomed, asked):
        assert names(spoken, "Tom Reed", "Ada Brook") == {"S2": "Tom Reed"}
        assert names(spoken) == {}, "only people who are known are addressed"


def test_a_guest_who_is_announced_by_his_full_name_need_not_be_known() -> None:
    announced = dialogue(("S1", "I am Ada Brook, and with me is Tom Reed. We talk about bread."), ("S2", "We do."))
    later = dialogue(("S1", "With me is Tom Reed."), ("S2", "Yes."), start_s=700.0)
    by_first_name = dialogue(("S1", "With me is Tom."), ("S2", "Yes."))
    two = dialogue(("S1", "With me is Tom Reed and Eve Moss."), ("S2", "Yes."))
    nobody = dialogue(("S1", "With me is Tom Reed's sister."), ("S2", "Yes."))

    assert names(announced) == {"S1": "Ada Brook", "S2": "Tom Reed"}
    for spoken in (later, by_first_name, two, nobody):
        assert names(spoken) == {}


@pytest.mark.parametrize(
    "turns",
    [
        [("S1", "Tom, why bread?"), ("S2", "Because.")],
        [("S1", "Thank you, Tom."), ("S2", "And now the weather."), ("S3", "Yes.")],
        [("S1", "Tom's bread, is it good?"), ("S2", "Yes."), ("S1", "Tom's bread, again?"), ("S2", "Yes.")],
        [("S1", "Welcome, Tom. Welcome, Ada."), ("S2", "Thank you.")],
        [("S1", "My guest is Tom and Ada Brook."), ("S2", "Thank you.")],
        [("S1", "Welcome, Tom."), ("S2", "Thank you."), ("S1", "Welcome, Tom."), ("S3", "Thank you.")],
    ],
)
def test_an_address_that_may_be_somebody_elses_gives_no_name(turns: list[tuple[str, str]]) -> None:
    assert names(dialogue(*turns), "Tom Reed", "Ada Brook") == {}


def test_a_name_that_two_speakers_claim_is_nobodys_and_one_said_more_often_is_theirs() -> None:
    twice = dialogue(("S1", "I'm Ada Brook."), ("S2", "I'm Ada Brook."))
    more = dialogue(("S1", "I'm Ada Brook."), ("S2", "I'm Ada Brook."), ("S1", "Again, I'm Ada Brook."))
    other = dialogue(("S1", "I'm Ada Brook."), ("S2", "Yes."), ("S1", "I'm Tom Reed."))

    assert names(twice) == {}
    assert names(more) == {"S1": "Ada Brook"}
    assert names(other) == {}


def test_the_fuller_of_two_names_of_a_speaker_counts_with_its_own_sentence() -> None:
    spoken = dialogue(("S1", "I'm Ada."), ("S2", "Yes."), ("S1", "My name is Ada Brook."))

    (found,) = names_said(spoken, KnownPeople([])).values()

    assert (found.name, found.quote) == ("Ada Brook", "My name is Ada Brook.")


def test_who_said_the_own_name_is_not_addressed_by_another() -> None:
    spoken = dialogue(("S1", "Welcome, Tom Reed."), ("S2", "No, I'm Ada Brook."), ("S1", "Oh."))

    assert names(spoken, "Tom Reed") == {"S2": "Ada Brook"}


def test_words_without_speakers_give_no_names() -> None:
    spoken = dialogue(("S1", "I'm Ada Brook."))

    assert names_said(spoken.model_copy(update={"speakers": ()}), KnownPeople([])) == {}
    unknown = [it.model_copy(update={"speaker": None, "words": ()}) for it in spoken.segments]
    assert names_said(spoken.with_segments(unknown), KnownPeople([])) == {}


def test_sentences_end_with_a_speaker_and_not_with_an_abbreviation() -> None:
    spoken = dialogue(("S1", "Ask Dr. Brook and J. Reed. They"), ("S2", "know it"))

    assert [(it.speaker, it.text) for it in spoken_sentences(spoken)] == [
        ("S1", "Ask Dr. Brook and J. Reed."),
        ("S1", "They"),
        ("S2", "know it"),
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [("Ada", "Ada"), ("J. R. Reed,", "J. R. Reed"), ("Ada's", None), ("ada", None), ("A B C D", None), ("", None)],
)
def test_a_name_is_one_to_three_capitalised_words(text: str, name: str | None) -> None:
    said = name_at(text, 0)

    assert (said.name if said else None) == name
