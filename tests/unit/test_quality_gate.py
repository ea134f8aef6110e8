"""What is wrong with a transcript that is there all the same."""

import pytest

from pipeline.results.quality_gate import disagreement, quality_warnings
from pipeline.results.uncertainty import flag_uncertain
from pipeline.types import MergedTranscript, Segment
from tests.results import segment, transcript

SENTENCES = [
    "Good morning, and welcome to the garden hour.", "Today the spring is finally here.",
    "There is a lot of work to do outside.", "Let us begin with the soil, and then talk about tomatoes.",
    "My second piece of advice is about old leaves.", "Put them into a corner and water the pile.",
]  # fmt: skip
TALK = [segment(text, 6.0 * n) for n, text in enumerate(SENTENCES)]


def found(
    *segments: Segment,
    audio_s: float = 36.0,
    expected_s: float = 0.0,
    broken_frames: int = 0,
    speech: tuple[tuple[float, float], ...] | None = None,
) -> tuple[str, ...]:
    spoken = transcript(*segments, audio_s=audio_s, expected_s=expected_s, broken_frames=broken_frames, speech=speech)
    return quality_warnings(flag_uncertain(spoken))


def test_a_sound_episode_has_no_flaw() -> None:
    assert found(*TALK) == ()


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
    assert found(*TALK, audio_s=audio_s, expected_s=expected_s) == ()


@pytest.mark.parametrize(("audio_s", "expected_s"), [(587.0, 600.0), (0.9, 3.0), (60.0, 3600.0)])
def test_missing_audio_is_a_flaw(audio_s: float, expected_s: float) -> None:
    assert len(found(*TALK, audio_s=audio_s, expected_s=expected_s)) == 1


def test_the_sentence_about_missing_audio_has_all_three_lengths() -> None:
    (sentence,) = found(*TALK, audio_s=300.0, expected_s=3900.0)

    assert "5:00" in sentence
    assert "1:05:00" in sentence
    assert "1:00:00 missing" in sentence


def test_damaged_pieces_are_counted() -> None:
    (sentence,) = found(*TALK, broken_frames=70)

    assert sentence.startswith("70 damaged pieces")


def test_an_episode_without_speech_has_a_flaw() -> None:
    (sentence,) = found(audio_s=63.0)

    assert "No speech was found in 1:03" in sentence


def test_thank_you_over_silence_is_no_transcript() -> None:
    (sentence,) = found(segment("Thank you.", 10.0), audio_s=600.0, speech=())

    assert sentence.startswith("No speech was found in 10:00 of audio; what Whisper wrote ('Thank you.') was left out")


def test_thank_you_for_ten_minutes_of_speech_is_no_transcript() -> None:
    sentences = found(segment("Thank you.", 0.0), audio_s=600.0, speech=((0.0, 590.0),))

    assert sentences[0].startswith("Only 2 words found in 9:50 of speech ('Thank you.')")


def test_two_words_in_ten_minutes_of_music_are_told() -> None:
    (sentence,) = found(segment("Thank you.", 0.0), audio_s=600.0)

    assert sentence.startswith("Only 2 words found in 10:00 of audio ('Thank you.')")


def test_more_words_than_anyone_says_are_told() -> None:
    hurried = [segment(f"{text} {n}", 3.3 * n, word_s=0.05) for n in range(8) for text in [" ".join(SENTENCES)]]
    sentences = found(*hurried, audio_s=30.0, speech=((0.0, 28.0),))

    assert any("more than anyone says" in sentence for sentence in sentences)


def test_speech_that_got_no_words_is_told() -> None:
    (sentence,) = found(*TALK, audio_s=100.0, speech=((0.0, 36.0), (50.0, 90.0)))

    assert "of detected speech got no words" in sentence


def test_loops_that_are_much_of_the_transcript_are_told() -> None:
    (sentence,) = found(*TALK, segment("you know " * 30, 36.0), audio_s=60.0)

    assert sentence.startswith("1 of 7 segments were loops or inventions")


def test_a_long_text_of_few_words_is_told() -> None:
    again = [segment(text, 6.0 * n) for n in range(60) for text in [SENTENCES[n % 2]]]

    (sentence,) = found(*again, audio_s=360.0)

    assert sentence.startswith("The transcript says the same words again and again")


def test_every_flaw_is_told() -> None:
    sentences = found(audio_s=10.0, expected_s=600.0, broken_frames=71)

    assert len(sentences) == 3
    assert all(sentence.endswith(".") for sentence in sentences)


@pytest.mark.parametrize(
    ("agreement", "is_told"), [(None, False), (1.0, False), (0.8, False), (0.5, True), (0.0, True)]
)
def test_two_models_that_heard_different_things_are_told(agreement: float | None, is_told: bool) -> None:
    spoken = flag_uncertain(transcript(*TALK))
    compared = [it.model_copy(update={"agreement": agreement}) for it in spoken.segments]

    sentences = disagreement(spoken.with_segments(compared))

    assert [it.startswith("The two models disagree on") for it in sentences] == [True] * is_told


def test_where_only_doubtful_places_were_compared_the_rest_counts_as_agreed() -> None:
    spoken: MergedTranscript = flag_uncertain(transcript(*TALK))
    compared = [spoken.segments[0].model_copy(update={"agreement": 0.0}), *spoken.segments[1:]]

    assert disagreement(spoken.with_segments(compared)) == ()
