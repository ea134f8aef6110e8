"""A made-up episode of three hours: 27,000 words, four speakers, thirty chapters."""

import random
import wave
from pathlib import Path

from pipeline.types import (
    Analysis,
    Chapter,
    CustomAnswer,
    EpisodeResult,
    KeyPoint,
    Mention,
    MergedSegment,
    MergedTranscript,
    MergedWord,
    Quote,
    Speaker,
    SpeakerTurn,
)
from tests.results import EPISODE, result

LENGTH_S = 3 * 3600.0
WORDS = 27_000
SENTENCE = 12
CHAPTERS = 30
NAMES = ("Ada Brook", "Tom Field", "Ines Sommer", "Kofi Mensah")
VOCABULARY = (
    "garden tomato light evening water orchard because people always question answer river stone winter summer "
    "baker bread slowly the the the and and of to in it that was for with from they blue morning seed root leaf "
    "weather science letter radio island harbour machine small enormous remember forget carry"
)


def long_episode() -> EpisodeResult:
    """Return the same result at each call."""
    chance = random.Random(7)
    word_s = LENGTH_S / WORDS
    segments, turns, speaker = [], [], 0
    for number in range(WORDS // SENTENCE):
        start_s = number * SENTENCE * word_s
        if chance.random() < 0.2:
            speaker = chance.randrange(len(NAMES))
        segments.append(_segment(number, start_s, word_s, f"S{speaker + 1}", chance))
        turns.append(SpeakerTurn(speaker=f"S{speaker + 1}", start_s=start_s, end_s=start_s + SENTENCE * word_s - 0.1))
    speakers = tuple(Speaker(id=f"S{place}", name=name, talk_s=LENGTH_S / 4) for place, name in enumerate(NAMES, 1))
    transcript = MergedTranscript(
        text="".join(it.text for it in segments),
        language="en",
        segments=tuple(segments),
        audio_s=LENGTH_S,
        speakers=speakers,
        turns=tuple(turns),
        model="whisper-base",
    )
    made = result(None, _analysis())
    episode = EPISODE.model_copy(update={"source": "podcasts/three-hours.wav", "slug": "three-hours"})
    return made.model_copy(
        update={"transcript": transcript, "audio_s": LENGTH_S, "language": "en", "episode": episode, "audio": None}
    )


def silence(path: Path) -> None:
    """Write three hours of silence, at the lowest rate that a browser plays."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(3000)
        for _ in range(180):
            file.writeframes(b"\x80" * 3000 * 60)


def _segment(number: int, start_s: float, word_s: float, speaker: str, chance: random.Random) -> MergedSegment:
    spelt = [chance.choice(VOCABULARY.split()) for _ in range(SENTENCE)]
    spelt[0], spelt[-1] = spelt[0].capitalize(), spelt[-1] + "."
    words = tuple(
        MergedWord(
            word=f" {text}",
            start_s=round(start_s + place * word_s, 2),
            end_s=round(start_s + (place + 1) * word_s, 2),
            probability=0.2 if chance.random() < 0.02 else 0.95,
            speaker=speaker,
        )
        for place, text in enumerate(spelt)
    )
    return MergedSegment(
        id=number,
        start_s=words[0].start_s,
        end_s=words[-1].end_s,
        text="".join(it.word for it in words),
        words=words,
        speaker=speaker,
    )


def _analysis() -> Analysis:
    every_s = LENGTH_S / CHAPTERS
    return Analysis(
        source="voxtral",
        model="voxtral",
        title="Three hours of the garden, the radio and the sea",
        summary="Four people talk for three hours about gardens, bread, letters and the weather of an island.",
        chapters=tuple(
            Chapter(start_s=it * every_s, title=f"Chapter {it + 1}: the harbour and the orchard", gist="They remember.")
            for it in range(CHAPTERS)
        ),
        topics=("garden", "radio", "island"),
        key_points=tuple(KeyPoint(text=f"Point {it}: water slowly.", start_s=it * 900.0) for it in range(8)),
        quotes=(Quote(text="The light was blue that evening.", start_s=4000.0, speaker="Ada Brook"),),
        answers=(CustomAnswer(question="Who keeps the lighthouse?", answer="Nobody has since 1987.", start_s=7300.0),),
        people_and_organisations=(Mention(name="The Harbour Radio", kind="organisation", role="a station"),),
        heard_s=LENGTH_S,
    )
