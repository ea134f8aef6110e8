"""The names of a job on their way: to both engines, and back from the analysis into the merged result."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.results.manifest import product_name
from pipeline.results.merge import merge_legs
from pipeline.storage import open_storage
from pipeline.types import (
    Analysis,
    Context,
    Episode,
    JobSpec,
    LegOutcome,
    Mention,
    Options,
    Person,
    Publication,
    Quote,
    Transcript,
)
from tasks.analyze import _analyze
from tasks.base.leg_run import LegRun
from tasks.transcribe import _transcribe
from tests.results import segment, transcript
from workers import pool

SPOKEN = transcript(segment("Today we welcome Dharmesh Shah to the garden and to the bread.", 0.0))
HEARD = Analysis(
    source="voxtral",
    model="voxtral",
    summary="A talk with Darmesh Shaw.",
    language="en",
    people_and_organisations=(Mention(name="Darmesh Shaw", kind="person"),),
    quotes=(Quote(text="Today we welcome Darmesh Shaw to the garden.", speaker=None),),
    heard_s=5.0,
)


class Engine:
    """Both engines, which note what they are told of an episode."""

    model = digest = device = "told"

    def __init__(self) -> None:
        self.vocabulary: tuple[str, ...] = ()
        self.context = Context()

    def transcribe(self, audio: Path, options: Options, *_: Any, **__: Any) -> Transcript:
        self.vocabulary = options.vocabulary
        return SPOKEN

    def analyze(self, audio: Path, options: Options, *rest: Any) -> Analysis:
        self.context = rest[-1]
        return HEARD

    def name_speakers(self, analysis: Analysis, *_: Any) -> Analysis:
        return analysis

    def title_chapters(self, analysis: Analysis, *_: Any) -> Analysis:
        return analysis


@pytest.fixture
def spec(tmp_path: Path) -> JobSpec:
    audio = tmp_path / "ep.mp3"
    audio.write_bytes(b"sound")
    rosa = Person(name="Rosa Thorn", role="host")
    published = Publication(
        feed="https://example.org/f.xml", show="Garden", title="Roses", names=("Kew",), people=(rosa,)
    )
    return JobSpec(
        job="0123456789abcdef-01234567",
        attempt=1,
        episode=Episode(id="0123456789abcdef", source="ep.mp3", slug="ep", size_bytes=5, publication=published),
        options=Options(vocabulary=("HubSpot",), second_opinion="off"),
        audio_uri=audio.as_uri(),
        uri=(tmp_path / "out").as_uri(),
    )


def test_both_models_are_told_the_same_names_and_the_result_has_the_transcript_s(
    spec: JobSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given both engines
    engine = Engine()
    monkeypatch.setattr(pool, "transcriber", lambda: engine)
    monkeypatch.setattr(pool, "analyst", lambda: engine)
    nothing: Any = None

    # When both legs run
    outcomes: dict[Any, LegOutcome] = {
        "whisper": _transcribe(LegRun(spec, "whisper", nothing, nothing, lambda _: None)),
        "voxtral": _analyze(LegRun(spec, "voxtral", nothing, nothing, lambda _: None)),
    }

    # Then both are told the user's and the publisher's names
    assert engine.vocabulary == ("HubSpot", "Rosa Thorn", "Kew")
    assert engine.context == Context("Garden", "Roses", engine.vocabulary)

    # And the merge spells a name as the transcript does, finds the quote there, and keeps what was heard
    storage = open_storage(spec.uri)
    found = merge_legs(spec, outcomes, storage, None, lambda _: HEARD).analysis
    assert found
    assert found.summary == "A talk with Dharmesh Shah."
    assert found.people_and_organisations[0].heard_as == "Darmesh Shaw"
    assert found.quotes[0].text == "Today we welcome Dharmesh Shah to the garden."
    assert found.quotes[0].start_s == 0.0
    assert Analysis.from_json(storage.get(product_name(spec, "voxtral"))) == HEARD
