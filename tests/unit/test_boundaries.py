"""How many chapters an episode has, and where they begin: decided by its transcript alone."""

import pytest

from tests.unit.test_outline import BREAD, STARS, transcript
from workers.outline import outline, transcript_parts
from workers.outline.boundaries import BOUNDED_FROM_S

TRAINS = (
    "The railway crosses the valley on a long viaduct. Steam locomotives pulled the first trains there.",
    "A signal tells the driver whether the track is free. The guard closes the carriage doors.",
    "Night trains have sleeping carriages. The locomotive is changed at the border station.",
    "The track was electrified last year. Passengers wait for the train on the platform.",
)
SUBJECTS = (BREAD, STARS, TRAINS)


def talk(*minutes: float) -> tuple[str, ...]:
    """Return texts, one every 10 s, whose subject changes after each of the given times."""
    return tuple(
        text for number, length in enumerate(minutes) for text in (SUBJECTS[number % 3] * 100)[: round(length * 6)]
    )


def starts_s(*texts: str) -> list[float]:
    return [part.start_s for part in transcript_parts(transcript(*texts))]


def test_an_hour_is_cut_where_its_subject_changes() -> None:
    found = starts_s(*talk(15, 10, 20, 15))

    assert found == pytest.approx([0.0, 900.0, 1500.0, 2700.0], abs=30)


@pytest.mark.parametrize("hours", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("every_minutes", [2.5, 30.0, 300.0])
def test_from_half_an_hour_on_there_are_three_to_six_chapters_an_hour(hours: float, every_minutes: float) -> None:
    texts = talk(*[every_minutes] * 80)[: round(hours * 360)]

    found = starts_s(*texts)

    assert 3 * hours <= len(found) <= 6 * hours
    assert found[0] == 0.0


def test_a_short_episode_on_one_subject_has_one_chapter() -> None:
    assert starts_s(*talk(2.5)) == [0.0]
    assert starts_s(*talk(BOUNDED_FROM_S / 60 - 1)) == [0.0]


def test_an_hour_with_little_speech_has_no_chapters_without_any() -> None:
    few = transcript(*talk(2.5)).model_copy(update={"audio_s": 3600.0})

    assert [part.start_s for part in transcript_parts(few)] == [0.0]
    assert transcript_parts(transcript()) == []


def test_the_outline_has_the_same_boundaries() -> None:
    spoken = transcript(*talk(9, 12, 14))

    assert [chapter.start_s for chapter in outline(spoken).chapters] == [it.start_s for it in transcript_parts(spoken)]


def test_every_sentence_is_in_one_chapter() -> None:
    spoken = transcript(*talk(9, 12, 14))

    parts = transcript_parts(spoken)

    assert " ".join(sentence.text for part in parts for sentence in part.sentences) == spoken.text
    assert all(part.sentences[0].start_s == part.start_s for part in parts)
