"""Players to be looked at: made-up episodes, and their pages in a browser."""

from pathlib import Path

from pipeline.results.second_opinion import apply_alternatives
from pipeline.results.uncertainty import flag_uncertain
from pipeline.types import (
    AlternativeTranscript,
    Analysis,
    Chapter,
    CustomAnswer,
    EpisodeResult,
    KeyPoint,
    Quote,
    Speaker,
    SpeakerTurn,
)
from tests.results import result, segment, transcript

SENTENCES = [
    "Good morning, and welcome to the garden hour.",
    "Today we talk about roses & bees, and why <i>both</i> like the sun.",
    "I'm sidejo joined by Costa.",
    "Let us begin with the soil and the café.",
    "If it feels sticky, please wait another week.",
    "Thank you for listening, and happy gardening!",
]
STARTS = [0.0, 8.0, 16.0, 24.0, 32.0, 44.0]


def made(audio: str | None) -> EpisodeResult:
    segments = [
        segment(text, start_s, probability=0.25 if "sidejo" in text else 0.95)
        for text, start_s in zip(SENTENCES, STARTS, strict=True)
    ]
    spoken = apply_alternatives(
        flag_uncertain(transcript(*segments, audio_s=59.0)),
        [AlternativeTranscript(start_s=16.0, end_s=18.0, segments=(2,), text="I'm joined by Costa.")],
    )
    analysis = Analysis(
        source="voxtral",
        model="voxtral",
        title="Roses & </script> bees",
        summary="What <b>roses</b> like.",
        chapters=(Chapter(start_s=0.0, title="Roses"), Chapter(start_s=24.0, title="Soil")),
        key_points=(KeyPoint(text="Wait another week.", start_s=32.0),),
        quotes=(Quote(text="Happy gardening!", start_s=45.5),),
        answers=(CustomAnswer(question="Who pays?", answer=None),),
        heard_s=59.0,
    )
    return result(spoken, analysis).model_copy(update={"audio": audio})


def spoken_by(*speakers: Speaker) -> EpisodeResult:
    """Return a result with one sentence after the other by each of the speakers in turn."""
    found = made("../../podcasts/garden%20hour.mp3")
    assert found.transcript is not None
    segments = [
        it.model_copy(update={"speaker": speakers[place % len(speakers)].id})
        for place, it in enumerate(found.transcript.segments)
    ]
    turns = tuple(SpeakerTurn(speaker=it.speaker, start_s=it.start_s, end_s=it.end_s) for it in segments)
    update = {"segments": tuple(segments), "speakers": speakers, "turns": turns}
    return found.model_copy(update={"transcript": found.transcript.model_copy(update=update)})


ADA = Speaker(id="S1", name="Ada <b>Brook</b>", talk_s=90.0)
SECOND = Speaker(id="S2", talk_s=30.0)


class Open:
    """A page that is open, and what it complained of."""

    def __init__(self, browser: object, path: Path, **context: object) -> None:
        self.context = browser.new_context(offline=True, **context)  # type: ignore[attr-defined]
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda it: self.complaints.append(it.text) if it.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())

    @property
    def plays(self) -> bool:
        return not self.page.evaluate("document.getElementById('audio').paused")

    @property
    def seconds(self) -> float:
        found: float = self.page.evaluate("document.getElementById('audio').currentTime")
        return found

    def wait_for_audio(self) -> None:
        self.page.wait_for_function("document.getElementById('audio').readyState > 0")

    def waits_for(self, condition: str) -> None:
        """Wait until a condition on `audio` holds."""
        self.page.wait_for_function(
            f"(() => {{ const audio = document.getElementById('audio'); return {condition}; }})()"
        )

    def counts(self, text: str) -> None:
        self.page.wait_for_function("text => document.getElementById('count').textContent === text", arg=text)

    def word(self, text: str) -> object:
        return self.page.locator("#transcript span", has_text=text).first
