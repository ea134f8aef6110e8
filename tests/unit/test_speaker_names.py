"""Names of speakers: the user's, which stay through every new result, before those that were found."""

import pytest

from pipeline.results.named_speakers import with_names
from pipeline.results.speaker_names import FoundName, carried_over, with_found_names, with_user_names
from pipeline.results.speakers import without_speakers
from pipeline.types import (
    Analysis,
    EpisodeResult,
    JobSpec,
    Mention,
    MergedTranscript,
    Options,
    Person,
    Publication,
    SpeakerTurn,
)
from tests.results import EPISODE, dialogue, result

SPOKEN = dialogue(("S1", "We plant pears."), ("S2", "And we bake bread."), ("S1", "Both are good."))
ADA = FoundName("Ada Brook", "I'm Ada Brook.", 1.0)


def names(transcript: MergedTranscript) -> dict[str, tuple[str | None, str | None]]:
    return {it.id: (it.name, it.name_source) for it in transcript.speakers}


def named(**given: str | None) -> EpisodeResult:
    return result(with_user_names(SPOKEN, given))


def with_turns(*turns: tuple[str, float, float]) -> MergedTranscript:
    """Return the transcript with other turns; its speakers stay."""
    own = tuple(SpeakerTurn(speaker=speaker, start_s=start_s, end_s=end_s) for speaker, start_s, end_s in turns)
    return SPOKEN.model_copy(update={"turns": own})


def spec_of(options: Options, publication: Publication | None = None) -> JobSpec:
    episode = EPISODE.model_copy(update={"publication": publication})
    job = "0123456789abcdef-01234567"
    return JobSpec(job=job, attempt=1, episode=episode, options=options, audio_uri="file:///a", uri="file:///b")


def test_a_name_from_the_user_replaces_what_was_found_with_its_evidence() -> None:
    found = with_found_names(SPOKEN, {"S1": ADA}, "transcript")

    given = with_user_names(found, {"S1": "Ada Reed"})

    assert names(given) == {"S1": ("Ada Reed", "user"), "S2": (None, None)}
    assert (given.speakers[0].quote, given.speakers[0].quote_s) == ("", None)
    assert given.speakers[0].talk_s == found.speakers[0].talk_s > 0


def test_a_name_that_the_user_gives_to_another_is_taken_from_whom_it_was_found_for() -> None:
    found = with_found_names(SPOKEN, {"S1": ADA}, "transcript")

    assert names(with_user_names(found, {"S2": "ada brook"})) == {"S1": (None, None), "S2": ("ada brook", "user")}


def test_a_name_that_the_user_removed_is_not_found_again() -> None:
    removed = with_user_names(with_found_names(SPOKEN, {"S1": ADA}, "transcript"), {"S1": None})

    assert removed.speakers[0].label == "Speaker 1"
    assert with_found_names(removed, {"S1": ADA}, "voxtral") == removed


def test_a_found_name_neither_replaces_one_nor_is_given_twice() -> None:
    given = with_user_names(SPOKEN, {"S2": "ADA BROOK"})

    assert with_found_names(given, {"S1": ADA, "S2": ADA}, "voxtral") == given


def test_names_are_carried_over_by_id_where_the_turns_are_the_same() -> None:
    assert names(carried_over(SPOKEN, named(S2="Tom Reed"))) == {"S1": (None, None), "S2": ("Tom Reed", "user")}


def test_names_are_carried_over_to_who_speaks_at_those_times() -> None:
    # Given a name for who spoke from 10 to 20 s, and a new result whose speakers are numbered the other way
    old = named(S2="Tom Reed", S1=None)
    before = with_turns(("S1", 0.0, 10.0), ("S2", 10.0, 20.0)).turns
    assert old.transcript
    old = old.model_copy(update={"transcript": old.transcript.model_copy(update={"turns": before})})
    new = with_turns(("S2", 0.0, 9.0), ("S1", 9.0, 21.0))

    # Then the name goes to that voice, and so does the removal
    assert names(carried_over(new, old)) == {"S1": ("Tom Reed", "user"), "S2": (None, "user")}


def test_who_has_the_larger_overlap_keeps_a_speaker_even_without_a_name() -> None:
    old = named(S2="Tom Reed")
    before = with_turns(("S1", 0.0, 60.0), ("S2", 60.0, 66.0)).turns
    assert old.transcript
    old = old.model_copy(update={"transcript": old.transcript.model_copy(update={"turns": before})})
    new = with_turns(("S1", 0.0, 64.0), ("S2", 64.0, 66.0))

    assert names(carried_over(new, old)) == {"S1": (None, None), "S2": ("Tom Reed", "user")}


@pytest.mark.parametrize("old", [None, result(None), result(SPOKEN)])
def test_without_names_from_a_user_nothing_is_carried_over(old: EpisodeResult | None) -> None:
    assert carried_over(SPOKEN, old) is SPOKEN


def test_a_result_without_speakers_takes_no_names() -> None:
    without = SPOKEN.model_copy(update={"speakers": (), "turns": ()})

    assert carried_over(without, named(S1="Ada Brook")) is without


def test_the_user_comes_before_the_transcript_and_people_of_feed_and_analysis_are_known() -> None:
    spoken = dialogue(("S1", "I'm Ada. We welcome you, and this takes long."), ("S2", "This is Tom Reed. I bake."))
    publication = Publication(
        feed="https://example.org/feed",
        show="Garden Hour",
        people=(Person(name="Ada Brook"), Person(name="Garden Hour")),
    )
    analysis = Analysis(
        source="voxtral",
        model="voxtral",
        summary="Bread.",
        heard_s=1.0,
        people_and_organisations=(Mention(name="Tom Reed", kind="person"),),
    )
    spec = spec_of(Options(), publication)

    assert names(with_names(spoken, spec, analysis, None)) == {
        "S1": ("Ada Brook", "transcript"),
        "S2": ("Tom Reed", "transcript"),
    }
    before = result(with_user_names(spoken, {"S1": "Ada Example"}))
    assert names(with_names(spoken, spec, analysis, before))["S1"] == ("Ada Example", "user")
    other = before.model_copy(update={"episode": EPISODE.model_copy(update={"id": "f" * 16})})
    assert names(with_names(spoken, spec, analysis, other))["S1"] == ("Ada Brook", "transcript")


def test_a_new_result_without_speakers_has_those_whom_the_user_named_before() -> None:
    # Given a run in which the speakers could not be told apart
    plain = without_speakers(SPOKEN)
    assert plain.speakers == ()

    # Then the audio is the same, and so are the speakers and their turns
    kept = with_names(plain, spec_of(Options()), None, named(S2="Tom Reed"))
    assert names(kept) == {"S1": (None, None), "S2": ("Tom Reed", "user")}
    assert [it.speaker for it in kept.spoken] == ["S1", "S2", "S1"]
    assert kept.turns == SPOKEN.turns

    # Unless nobody named them, or this run is to be without
    assert with_names(plain, spec_of(Options()), None, result(SPOKEN)) == plain
    assert with_names(plain, spec_of(Options(speakers=False)), None, named(S2="Tom Reed")) == plain


def test_a_show_or_an_organisation_is_nobody() -> None:
    spoken = dialogue(("S1", "This is Garden Hour. We plant."), ("S2", "This is Radio Harbour. We sail."))
    publication = Publication(
        feed="https://example.org/feed", show="The Garden Hour", people=(Person(name="Radio Harbour"),)
    )
    analysis = Analysis(
        source="voxtral",
        model="voxtral",
        summary="Bread.",
        heard_s=1.0,
        people_and_organisations=(Mention(name="Radio Harbour", kind="organisation"),),
    )

    found = with_names(spoken, spec_of(Options(vocabulary=("Garden Hour",)), publication), analysis, None)

    assert names(found) == {"S1": (None, None), "S2": (None, None)}
