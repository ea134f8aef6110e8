"""Names that anyone can derive again."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.types import MODEL_LEGS, Options
from pipeline.types.ids import episode_id, job_id, slug
from pipeline.types.job import SPEAKERS_ONLY

EPISODE = "0123456789abcdef"


def test_an_episode_is_named_by_its_bytes(tmp_path: Path) -> None:
    audio = tmp_path / "ep.mp3"
    audio.write_bytes(b"sound" * 100_000)

    with audio.open("rb") as file:
        named = episode_id(file)

    assert named == hashlib.sha256(audio.read_bytes()).hexdigest()[:16]


def test_the_same_bytes_under_another_name_are_the_same_episode(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"sound")
    (tmp_path / "b.wav").write_bytes(b"sound")

    with (tmp_path / "a.mp3").open("rb") as first, (tmp_path / "b.wav").open("rb") as second:
        assert episode_id(first) == episode_id(second)


def test_a_job_is_named_by_its_episode_and_eight_digits() -> None:
    assert re.fullmatch(rf"{EPISODE}-[0-9a-f]{{8}}", job_id(EPISODE, Options(), "file:///results"))


def test_the_same_question_is_the_same_job() -> None:
    asked = Options(language="en", vocabulary=("Voxtral", "Zürich"))
    again = Options(vocabulary=("Voxtral", "Zürich"), language="en")

    assert job_id(EPISODE, asked, "s3://b/p") == job_id(EPISODE, again, "s3://b/p")


def test_a_slash_at_the_end_of_the_destination_changes_nothing() -> None:
    assert job_id(EPISODE, Options(), "s3://b/p/") == job_id(EPISODE, Options(), "s3://b/p")


@pytest.mark.parametrize(
    ("options", "destination"),
    [
        (Options(language="de"), "s3://b/p"),
        (Options(task="translate"), "s3://b/p"),
        (Options(vocabulary=("Duet",)), "s3://b/p"),
        (Options(legs=("whisper",)), "s3://b/p"),
        (Options(legs=("voxtral",)), "s3://b/p"),
        (Options(), "s3://b/q"),
        (Options(), "file:///b/p"),
    ],
)
def test_another_question_is_another_job(options: Options, destination: str) -> None:
    assert job_id(EPISODE, options, destination) != job_id(EPISODE, Options(), "s3://b/p")


def test_the_order_of_the_vocabulary_is_part_of_the_question() -> None:
    one, other = Options(vocabulary=("a", "b")), Options(vocabulary=("b", "a"))

    assert job_id(EPISODE, one, "s3://b") != job_id(EPISODE, other, "s3://b")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("The Garden Show #12.mp3", "the-garden-show-12"),
        ("Über Zürich.m4a", "uber-zurich"),
        ("../../etc/passwd.mp3", "passwd"),
        ("a.b.c.wav", "a-b-c"),
        ("!!!.mp3", "episode"),
        ("", "episode"),
        ("con trol\n\t.mp3", "con-trol"),
    ],
)
def test_a_slug_reads_like_the_name(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_a_long_name_is_cut_between_words() -> None:
    cut = slug("garden " * 20 + ".mp3")

    assert len(cut) <= 60
    assert set(cut.split("-")) == {"garden"}


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.text(max_size=100))
def test_any_name_gives_a_folder_that_every_system_and_s3_can_have(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?", slug(name))


def test_which_legs_are_asked_for_has_one_spelling() -> None:
    backwards = Options(legs=("voxtral", "whisper", "voxtral"))

    assert backwards == Options()
    with pytest.raises(ValueError, match="legs"):
        Options(legs=())


def test_the_work_of_a_leg_does_not_depend_on_the_other_one() -> None:
    assert Options(legs=("whisper",)).of_leg("whisper") == Options().of_leg("whisper")


def test_a_vocabulary_concerns_both_legs_and_a_language_only_whisper() -> None:
    for leg in MODEL_LEGS:
        assert Options(vocabulary=("Kew",)).of_leg(leg) != Options().of_leg(leg)
    assert Options(language="en").of_leg("voxtral") == Options().of_leg("voxtral")


def test_the_number_of_speakers_concerns_their_leg_alone() -> None:
    assert Options(speakers=2).of_leg("speakers") != Options().of_leg("speakers")
    assert Options(speakers=True).of_leg("speakers") == Options().of_leg("speakers")
    for leg in MODEL_LEGS:
        assert Options(speakers=2).of_leg(leg) == Options().of_leg(leg)


def test_jobs_that_do_not_speak_of_speakers_keep_the_ids_that_they_had_before_there_were_any() -> None:
    before = {name: it for name, it in Options().to_message().items() if name not in SPEAKERS_ONLY}
    known = hashlib.sha256(json.dumps([before, "s3://b/p"], sort_keys=True).encode()).hexdigest()[:8]

    assert job_id("0" * 16, Options(), "s3://b/p") == f"{'0' * 16}-{known}"
    assert job_id("0" * 16, Options(speakers=True), "s3://b/p") != job_id("0" * 16, Options(), "s3://b/p")


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [
        ({}, 1, None),
        ({"speakers": "on"}, 1, None),
        ({"speakers": "2"}, 2, 2),
        ({"speakers": 1}, 1, 1),
        ({"min_speakers": 2, "max_speakers": 4}, 2, 4),
        ({"speakers": True, "max_speakers": 3}, 1, 3),
    ],
)
def test_the_bounds_of_the_number_of_speakers(given: dict[str, object], least: int, most: int | None) -> None:
    options = Options.model_validate(given)

    assert options.speaker_bounds == (least, most)
    assert options.runs("speakers")


@pytest.mark.parametrize(
    "given",
    [
        {"speakers": 51},
        {"speakers": "some"},
        {"speakers": 2, "min_speakers": 1},
        {"speakers": False, "max_speakers": 2},
        {"min_speakers": 3, "max_speakers": 2},
    ],
)
def test_numbers_of_speakers_that_contradict_each_other_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="speakers"):
        Options.model_validate(given)


def test_speakers_are_told_apart_only_in_a_transcript() -> None:
    assert not Options(speakers=False).runs("speakers")
    assert not Options(legs=("voxtral",)).runs("speakers")


def test_a_whole_second_opinion_depends_on_the_language() -> None:
    spoken = Options(second_opinion="full", language="en")
    assert spoken.of_leg("voxtral") != Options(second_opinion="full").of_leg("voxtral")
