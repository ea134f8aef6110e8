"""Chapters of an episode from its legs to its result: the slow leg, the merge, and a tiny Voxtral between them."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from pipeline.errors import CancelledError
from pipeline.results.merge import merge_legs, write_transcript
from pipeline.results.uncertainty import flag_uncertain
from pipeline.storage import as_uri, open_storage
from pipeline.types import Analysis, Chapter, EpisodeResult, JobSpec, Leg, LegOutcome, Options, Transcript
from tasks.analyze import _analyze
from tasks.base.leg_run import LegRun
from tests import results, voxtral_checkpoint
from tests.unit.test_outline import BREAD, STARS
from tests.unit.test_voxtral_analyst import Kept, quiet
from tests.voxtral_sound import wav, with_pauses
from workers import device, pool
from workers.outline import outline
from workers.voxtral import device_loading, model
from workers.voxtral.analyst import VoxtralAnalyst
from workers.voxtral.local_backend import LocalBackend
from workers.weights import voxtral as voxtral_weights

torch.set_num_threads(1)
SPOKEN = results.transcript(
    *(results.segment(text, 6.0 * number) for number, text in enumerate([*BREAD * 7, *STARS * 7])), audio_s=336.0
)
"""Five and a half minutes of which the first half is about bread."""
TURN_S = 6.0 * 28


@pytest.fixture(scope="module")
def voxtral(tmp_path_factory: pytest.TempPathFactory) -> model.VoxtralModel:
    folder = voxtral_checkpoint.build(tmp_path_factory.mktemp("voxtral"), seed=3)
    voxtral = device_loading.load(
        voxtral_weights.check(folder), device.ComputeDevice(torch.device("cpu"), torch.float32)
    )
    voxtral_checkpoint.make_brief(voxtral)
    return voxtral


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wav(tmp_path_factory.mktemp("audio") / "episode.wav", with_pauses(75, every_s=5))


def job(folder: Path, audio: Path) -> JobSpec:
    return JobSpec(
        job="0123456789abcdef-01234567",
        attempt=1,
        episode=results.EPISODE,
        options=Options(),
        audio_uri=as_uri(audio),
        uri=as_uri(folder),
    )


def hear(
    spec: JobSpec, analyst: VoxtralAnalyst, monkeypatch: pytest.MonkeyPatch, kept: Kept, *, is_cancelled: bool = False
) -> LegOutcome:
    """Run the slow leg of a job."""
    run = SimpleNamespace(
        spec=spec,
        storage=open_storage(spec.uri),
        report=quiet,
        checkpoints=kept,
        is_cancelled=lambda: is_cancelled,
    )
    monkeypatch.setattr(pool, "analyst", lambda: analyst)
    return _analyze(cast(LegRun, run))


def transcribe(spec: JobSpec, transcript: Transcript = SPOKEN) -> None:
    """Store what the fast leg would."""
    write_transcript(spec, flag_uncertain(transcript), open_storage(spec.uri))


def end(spec: JobSpec, outcome: LegOutcome, published: tuple[Chapter, ...] = ()) -> EpisodeResult:
    """Merge both legs of a job."""
    legs: dict[Leg, LegOutcome] = {"whisper": LegOutcome(leg="whisper", status="ok"), "voxtral": outcome}
    return merge_legs(spec, legs, open_storage(spec.uri), None, outline, published=published)


def analysis_of(result: EpisodeResult) -> Analysis:
    assert result.analysis
    return result.analysis


def test_an_episode_has_the_same_chapters_whatever_the_length_of_a_section(
    voxtral: model.VoxtralModel, audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for section_s in (30.0, 60.0, 600.0):
        # Given a transcript that is there when Voxtral has heard the audio in sections of some length
        spec = job(tmp_path / str(section_s), audio)
        transcribe(spec)
        analyst = VoxtralAnalyst(LocalBackend(voxtral, 1), name="tiny", section_s=section_s)

        found[section_s] = analysis_of(end(spec, hear(spec, analyst, monkeypatch, Kept())))

    assert [it.sections for it in found.values()] == [3, 2, 1]
    assert found[30.0].chapters == found[60.0].chapters == found[600.0].chapters
    assert {it.chapters_source for it in found.values()} == {"voxtral"}
    chapters = found[30.0].chapters
    assert [it.start_s for it in chapters] == pytest.approx([0.0, TURN_S], abs=15)
    assert all(len(it.title.split()) <= 5 for it in chapters)
    assert any(it.title or it.gist for it in chapters), "the tiny Voxtral says something"
    assert [it.end_s for it in chapters] == [chapters[1].start_s, SPOKEN.audio_s]


def test_chapters_begin_at_the_same_places_if_voxtral_ends_first(
    voxtral: model.VoxtralModel, audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyst = VoxtralAnalyst(LocalBackend(voxtral, 1), name="tiny", section_s=60.0)
    early, late = job(tmp_path / "early", audio), job(tmp_path / "late", audio)

    # When one transcript is stored after Voxtral has ended, and one before
    outcome = hear(early, analyst, monkeypatch, Kept())
    transcribe(early)
    transcribe(late)
    titled = analysis_of(end(late, hear(late, analyst, monkeypatch, Kept())))

    without = analysis_of(end(early, outcome))
    assert without.chapters_source == "outline"
    assert [it.start_s for it in without.chapters] == [it.start_s for it in titled.chapters]
    assert {"bread", "dough", "oven", "flour"} & set(without.chapters[0].title.casefold().replace(",", "").split())
    assert without.summary == titled.summary


def test_the_publishers_chapters_stay_as_they_are(
    voxtral: model.VoxtralModel, audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyst = VoxtralAnalyst(LocalBackend(voxtral, 1), name="tiny", section_s=60.0)
    spec = job(tmp_path / "out", audio)
    transcribe(spec)
    # Given chapters of the publisher, the second of which begins just before a sentence does
    published = (Chapter(start_s=0.0, title="A word from our sponsor"), Chapter(start_s=58.5, title="Bread"))

    found = analysis_of(end(spec, hear(spec, analyst, monkeypatch, Kept()), published))

    assert found.chapters_source == "publisher"
    assert [(it.start_s, it.end_s, it.title) for it in found.chapters] == [
        (0.0, 58.5, "A word from our sponsor"),
        (58.5, SPOKEN.audio_s, "Bread"),
    ]


def test_a_title_is_asked_for_once(
    voxtral: model.VoxtralModel, audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, kept = LocalBackend(voxtral, 1), Kept()
    analyst = VoxtralAnalyst(backend, name="tiny", section_s=60.0)
    spec = job(tmp_path / "out", audio)
    transcribe(spec)
    hear(spec, analyst, monkeypatch, kept)
    first = open_storage(spec.uri).get(f".work/{spec.job}/analysis.json")

    monkeypatch.setattr(backend, "ask", lambda *_: pytest.fail("asked again"))
    hear(spec, analyst, monkeypatch, kept)

    assert open_storage(spec.uri).get(f".work/{spec.job}/analysis.json") == first


def test_a_cancelled_job_gets_no_titles(
    voxtral: model.VoxtralModel, audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyst, kept = VoxtralAnalyst(LocalBackend(voxtral, 1), name="tiny", section_s=60.0), Kept()
    spec = job(tmp_path / "out", audio)
    hear(spec, analyst, monkeypatch, kept)
    transcribe(spec)

    # When it is cancelled after all but the titles is known
    with pytest.raises(CancelledError):
        hear(spec, analyst, monkeypatch, kept, is_cancelled=True)


def test_an_episode_without_words_has_no_chapters(
    voxtral: model.VoxtralModel, audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyst = VoxtralAnalyst(LocalBackend(voxtral, 1), name="tiny", section_s=60.0)
    spec = job(tmp_path / "out", audio)
    transcribe(spec, results.transcript(audio_s=75.0))

    found = analysis_of(end(spec, hear(spec, analyst, monkeypatch, Kept())))

    assert (found.chapters, found.chapters_source) == ((), None)
