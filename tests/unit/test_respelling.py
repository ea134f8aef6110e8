"""Names of the analysis in the transcript's spelling: which are changed, and which must not be."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.results.known_names import KnownNames
from pipeline.results.name_runs import name_runs
from pipeline.results.respelling import respell
from pipeline.types import (
    ActionItem,
    Analysis,
    Chapter,
    CustomAnswer,
    Episode,
    JobSpec,
    KeyPoint,
    Mention,
    Options,
    Person,
    Publication,
    Quote,
    Respelling,
)
from tests.results import merged, segment

SPOKEN = merged(
    segment("Today we welcome Stephen Pinker, and Stephen brought Dharmesh Shah.", 0.0),
    segment("Later Anna and Hanna talk with Martha about America and the bread.", 10.0),
)


def spec(options: Options | None = None, publication: Publication | None = None) -> JobSpec:
    return JobSpec(
        job="0123456789abcdef-01234567",
        attempt=1,
        episode=Episode(id="0123456789abcdef", source="ep.mp3", slug="ep", size_bytes=9, publication=publication),
        options=options or Options(),
        audio_uri="file:///ep.mp3",
        uri="file:///out/ep",
    )


def analysis(**fields: object) -> Analysis:
    return Analysis.model_validate(
        {"source": "voxtral", "model": "voxtral", "summary": "", "language": "en", "heard_s": 20.0} | fields
    )


@pytest.mark.parametrize(
    ("heard", "said", "spelt"),
    [
        ("Steven", "then Stephen came", "Stephen"),
        ("Steven Pinker", "then Stephen Pinker came", "Stephen Pinker"),
        ("Kosta", "it is Costa again", "Costa"),
        ("Sara", "we met Sarah", "Sarah"),
        ("Darmesh Shaw", "we met Dharmesh Shah", "Dharmesh Shah"),
        ("Kristofer", "we met Christopher", "Christopher"),
        ("Zurich", "they live in Zürich", "Zürich"),
        ("Deepmind", "the people of Deep Mind", "Deep Mind"),
        ("Meyer", "then Maier met Meier", "Meier"),
        ("Smyth", "the late Anna Smith said", "Smith"),
        ("Алексий", "это Алексей сказал", "Алексей"),
    ],
)
def test_a_name_that_sounds_like_one_of_the_transcript_is_spelt_like_it(heard: str, said: str, spelt: str) -> None:
    assert KnownNames(said, ()).spelling_of(heard) == spelt


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        ("Anna", "then Anna met Hanna"),
        ("Hanna", "then Anna met Hanna"),
        ("Hanna", "then Anna came"),
        ("Martin", "then Martha came"),
        ("Maria", "then Marie met Mario"),
        ("Paul", "then Paula came"),
        ("Daniel", "then Danielle came"),
        ("American", "made in America"),
        ("Austria", "made in Australia"),
        ("Johnson", "then Johnston came"),
        ("Jon", "then John came"),
        ("Lena", "then Lina came"),
        ("Moses", "then Mises came"),
        ("Apollo 11", "the flight of Apollo 12"),
        ("Barry", "we ate a berry. Berry again"),
        ("Harry", "so hairy. Hairy is the dog"),
        ("Maier", "then Meyer met Meier"),
        ("Stephan", "Stephan Stevens came"),
        ("Putin", "это Путин сказал"),
        ("李明", "今天黎明来了"),
        ("", "nothing at all"),
        ("???", "nothing at all"),
    ],
)
def test_a_name_that_occurs_or_may_be_another_one_is_left_as_it_is(heard: str, said: str) -> None:
    assert KnownNames(said, ()).spelling_of(heard) == heard


def test_two_spellings_that_are_as_near_are_no_reason_to_choose_one() -> None:
    said = KnownNames("then Stephen met Stefen", ())

    assert said.spelling_of("Steven") == "Steven"


def test_the_transcript_comes_before_the_publisher_and_neither_is_changed() -> None:
    both = KnownNames("we met Dharmesh", ("Darmesh", "Ingrid Kowalczyk"))

    assert both.spelling_of("Dharmech Shah") == "Dharmech Shah"
    assert both.spelling_of("Darmeshh") == "Dharmesh"
    assert both.spelling_of("Darmesh") == "Darmesh"
    assert both.spelling_of("Ingrid Kovalczyk") == "Ingrid Kowalczyk"
    assert both.spelling_of("Kovalczyk") == "Kowalczyk"


def test_every_field_with_a_name_is_respelt_and_what_was_heard_is_kept() -> None:
    # Given an analysis that hears one name in its own way
    heard = analysis(
        title="Steven speaks",
        summary="Steven Pinker's bread. Yesterday Steven Pinker met Anna, Martin and the American.",
        topics=("the bread of Steven",),
        chapters=(Chapter(start_s=0.0, title="With Steven Pinker", gist="Then Steven Pinker bakes."),),
        key_points=(KeyPoint(text="For Steven Pinker bread matters."),),
        action_items=(ActionItem(text="Call Steven Pinker.", owner="Steven Pinker"),),
        people_and_organisations=(Mention(name="Steven Pinker", kind="person"), Mention(name="Anna", kind="person")),
        quotes=(Quote(text="I am Steven Pinker.", speaker="Darmesh Shah"),),
        answers=(CustomAnswer(question="Who is Steven Pinker?", answer="A friend of Steven Pinker."),),
        translation="Steven Pinker backt Brot mit Stefan.",
        transcription="steven pinker bakes, says Steven Pinker.",
    )

    # When it is merged
    spelt = respell(spec(), heard, SPOKEN)

    # Then the transcript's spelling is everywhere but in the question and in Voxtral's own transcript
    assert spelt.title == "Stephen speaks", "since the topics have the name within a sentence"
    assert spelt.summary == "Stephen Pinker's bread. Yesterday Stephen Pinker met Anna, Martin and the American."
    assert spelt.topics == ("the bread of Stephen",)
    assert (spelt.chapters[0].title, spelt.chapters[0].gist) == ("With Stephen Pinker", "Then Stephen Pinker bakes.")
    assert spelt.key_points[0].text == "For Stephen Pinker bread matters."
    assert spelt.action_items[0] == ActionItem(text="Call Stephen Pinker.", owner="Stephen Pinker")
    assert spelt.people_and_organisations == (
        Mention(name="Stephen Pinker", kind="person", heard_as="Steven Pinker"),
        Mention(name="Anna", kind="person"),
    )
    assert spelt.quotes[0] == Quote(text="I am Stephen Pinker.", speaker="Dharmesh Shah")
    assert spelt.answers == (CustomAnswer(question="Who is Steven Pinker?", answer="A friend of Stephen Pinker."),)
    assert spelt.translation == "Stephen Pinker backt Brot mit Stefan."
    assert spelt.transcription == heard.transcription

    # And each name that was heard otherwise is kept
    assert set(spelt.respelt) == {
        Respelling(heard="Steven Pinker", spelt="Stephen Pinker"),
        Respelling(heard="Steven", spelt="Stephen"),
        Respelling(heard="Darmesh Shah", spelt="Dharmesh Shah"),
    }


def test_a_word_at_the_beginning_of_a_sentence_alone_is_no_name() -> None:
    heard = analysis(summary="Stevens came. Steven speaks. Breads rise.")

    assert respell(spec(), heard, SPOKEN) == heard


def test_what_was_heard_first_is_kept_when_the_same_analysis_is_merged_again() -> None:
    heard = analysis(summary="", people_and_organisations=(Mention(name="Steven", kind="person"),))
    once = respell(spec(), heard, SPOKEN)

    assert respell(spec(), once, SPOKEN) == once
    again = respell(spec(), once, merged(segment("This time it is Stefen.", 0.0)))
    assert again.people_and_organisations == (Mention(name="Stefen", kind="person", heard_as="Steven"),)
    assert again.respelt == (Respelling(heard="Steven", spelt="Stefen"),)


def test_in_german_only_names_that_the_model_lists_are_respelt() -> None:
    spoken = merged(segment("Wir sehen die Seiten von Stephen Pinker.", 0.0))
    heard = analysis(
        language="de",
        summary="Die Gitarre hat Saiten, sagt Steven Pinker.",
        people_and_organisations=(Mention(name="Steven Pinker", kind="person"),),
    )

    assert respell(spec(), heard, spoken).summary == "Die Gitarre hat Saiten, sagt Stephen Pinker."


def test_the_publisher_is_asked_where_the_transcript_has_no_such_name() -> None:
    published = Publication(feed="https://example.org/f.xml", people=(Person(name="Ingrid Kowalczyk", role="guest"),))
    heard = analysis(summary="We hear Ingrid Kovalczyk and Kubernetis.")

    spelt = respell(spec(Options(vocabulary=("Kubernetes",)), published), heard, SPOKEN)

    assert spelt.summary == "We hear Ingrid Kowalczyk and Kubernetes."


def test_an_outline_and_a_translated_transcript_change_nothing() -> None:
    heard = analysis(summary="We hear Steven.")

    assert respell(spec(Options(task="translate")), heard, SPOKEN) == heard
    outlined = heard.model_copy(update={"source": "outline"})
    assert respell(spec(), outlined, SPOKEN) == outlined


def test_a_text_is_split_into_names_where_a_sentence_ends_or_a_genitive() -> None:
    text = "Yesterday Anna Smith's iPhone fell, Ben said. The BBC: O'Brien"

    names = [(" ".join(word[0] for word in words), begins) for words, begins in name_runs(text)]

    assert names == [
        ("Yesterday Anna Smith", True),
        ("iPhone", False),
        ("Ben", False),
        ("The BBC", True),
        ("O'Brien", True),
    ]


@settings(derandomize=True, deadline=None, max_examples=150)
@given(summary=st.text(max_size=80), name=st.text(min_size=1, max_size=20), said=st.text(max_size=80))
def test_any_text_in_any_script_is_merged(summary: str, name: str, said: str) -> None:
    heard = analysis(summary=summary, people_and_organisations=({"name": name, "kind": "person"},))

    spelt = respell(spec(Options(vocabulary=(said[:100],))), heard, merged(segment(said, 0.0)))

    kept = {it.spelt: it.heard for it in spelt.respelt}
    found = spelt.people_and_organisations[0]
    assert kept.get(found.name, found.name) == name
    assert (found.heard_as or found.name) == name
