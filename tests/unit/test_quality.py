"""What is wrong with a transcript that is there all the same."""

import pytest

from pipeline.quality import flaws
from pipeline.types import Transcript


def transcript(
    text: str = "Good morning.", audio_s: float = 600.0, expected_s: float = 600.0, broken_frames: int = 0
) -> Transcript:
    return Transcript(
        text=text,
        language="en",
        segments=(),
        audio_s=audio_s,
        expected_s=expected_s,
        broken_frames=broken_frames,
        model="base",
    )


def test_a_sound_episode_has_no_flaw() -> None:
    assert flaws(transcript()) == ()


@pytest.mark.parametrize(
    ("audio_s", "expected_s"),
    [
        (600.0, 0.0),  # the header promises nothing
        (598.1, 600.0),  # headers round
        (588.0, 600.0),  # 2 % of ten minutes
        (1.0, 3.0),  # two seconds of a short one
        (610.0, 600.0),  # more than promised
    ],
)
def test_a_small_difference_to_the_header_is_no_flaw(audio_s: float, expected_s: float) -> None:
    assert flaws(transcript(audio_s=audio_s, expected_s=expected_s)) == ()


@pytest.mark.parametrize(("audio_s", "expected_s"), [(587.0, 600.0), (0.9, 3.0), (60.0, 3600.0)])
def test_missing_audio_is_a_flaw(audio_s: float, expected_s: float) -> None:
    assert len(flaws(transcript(audio_s=audio_s, expected_s=expected_s))) == 1


def test_the_sentence_about_missing_audio_has_all_three_lengths() -> None:
    (sentence,) = flaws(transcript(audio_s=300.0, expected_s=3900.0))

    assert "5:00" in sentence
    assert "1:05:00" in sentence
    assert "1:00:00 are missing" in sentence


def test_damaged_pieces_are_counted() -> None:
    (sentence,) = flaws(transcript(broken_frames=70))

    assert sentence.startswith("70 damaged pieces")


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_an_episode_without_speech_has_a_flaw(text: str) -> None:
    (sentence,) = flaws(transcript(text=text, audio_s=63.0, expected_s=63.0))

    assert "No speech was found in 1:03" in sentence


def test_every_flaw_is_told() -> None:
    found = flaws(transcript(text="", audio_s=10.0, expected_s=600.0, broken_frames=71))

    assert len(found) == 3
    assert all(sentence.endswith(".") for sentence in found)
