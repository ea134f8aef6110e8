"""Whole episodes through the tiny Voxtral: sections, batches, levels, checkpoints, progress."""

import json
from collections.abc import Iterator, Sequence
from math import inf
from pathlib import Path
from typing import Any
from weakref import ref as weakref

import numpy as np
import pytest
import torch

from pipeline.errors import AudioError, CancelledError, DeviceMemoryError, EngineError
from pipeline.types import Analysis, Options, TimeSpan
from tests import voxtral_checkpoint
from tests.voxtral_sound import noise, wav, with_pauses
from workers import device
from workers.audio.audio_file import SAMPLE_RATE_HZ, AudioFile, load
from workers.voxtral import device_loading, model, reduction
from workers.voxtral.analyst import VoxtralAnalyst
from workers.voxtral.answer_schemas import Overview
from workers.voxtral.deadline import Deadline
from workers.voxtral.generation import Request
from workers.voxtral.local_backend import LocalBackend
from workers.voxtral.prompts import OVERVIEW, Note
from workers.voxtral.sections import Section, cut
from workers.weights import voxtral as voxtral_weights

torch.set_num_threads(1)
EPISODES = Path(__file__).parents[1] / "episodes"
ALL = Options(questions=("Who sponsors this?", "他们在谈论什么？"), translate_to="German", reply=True)


class KilledError(Exception):
    """Nothing catches it."""


class Kept(dict[str, Any]):
    """Checkpoints in memory, through JSON as in storage; the process is killed when there are `most` of them."""

    most = inf

    def load(self, key: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = json.loads(self[key]) if key in self else None
        return found

    def save(self, key: str, value: dict[str, Any]) -> None:
        self[key] = json.dumps(value)
        if len(self) >= self.most:
            raise KilledError


@pytest.fixture(scope="module")
def voxtral(tmp_path_factory: pytest.TempPathFactory) -> model.VoxtralModel:
    folder = voxtral_checkpoint.build(tmp_path_factory.mktemp("voxtral"), seed=3)
    place = device.ComputeDevice(torch.device("cpu"), torch.float32)
    voxtral = device_loading.load(voxtral_weights.check(folder), place)
    voxtral_checkpoint.make_brief(voxtral)
    return voxtral


@pytest.fixture(scope="module")
def episode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sections of 30 s."""
    return wav(tmp_path_factory.mktemp("audio") / "episode.wav", with_pauses(75, every_s=5))


@pytest.fixture(scope="module")
def one_by_one(voxtral: model.VoxtralModel, episode: Path) -> Analysis:
    return analyst(voxtral, 30.0, rows=1).analyze(episode, Options(), quiet)


def analyst(voxtral: model.VoxtralModel, section_s: float = 60.0, rows: int = 2) -> VoxtralAnalyst:
    return VoxtralAnalyst(LocalBackend(voxtral, rows), name="tiny", section_s=section_s)


def quiet(done_s: float, total_s: float) -> None:
    """Progress that nobody looks at."""


@pytest.mark.parametrize(
    ("seconds", "rate_hz", "channels", "sections"),
    [
        (0.1, 16_000, 1, 1),
        (29.9, 8_000, 2, 1),
        (30.0, 48_000, 2, 1),
        (30.001, 16_000, 1, 1),
        (65.0, 48_000, 1, 2),
    ],
)
def test_any_length_rate_and_number_of_channels(
    voxtral: model.VoxtralModel, tmp_path: Path, seconds: float, rate_hz: int, channels: int, sections: int
) -> None:
    audio = wav(tmp_path / "episode.wav", with_pauses(seconds, every_s=5), rate_hz, channels)
    analysis = analyst(voxtral).analyze(audio, Options(), quiet)
    assert analysis.sections == sections
    assert analysis.heard_s == pytest.approx(seconds, abs=0.01)
    assert analysis.summary
    assert not analysis.truncated
    assert Analysis.from_json(analysis.to_json()) == analysis


def test_speech_with_silences_that_is_longer_than_the_context(voxtral: model.VoxtralModel, tmp_path: Path) -> None:
    pause = np.zeros(round(0.6 * SAMPLE_RATE_HZ), np.float32)
    spoken = np.concatenate([load(EPISODES / name) for name in ("corner-shop.m4a", "garden-hour.mp3")])
    parts = [spoken[at : at + 20 * SAMPLE_RATE_HZ] for at in range(0, len(spoken), 20 * SAMPLE_RATE_HZ)]
    once = np.concatenate([samples for part in parts for samples in (part, pause)])
    samples = np.tile(once, 46 * 60 * SAMPLE_RATE_HZ // len(once) + 1)
    assert len(samples) / SAMPLE_RATE_HZ / 30 * model.TOKENS_PER_CHUNK > model.CONTEXT_TOKENS
    audio = wav(tmp_path / "episode.wav", samples)
    analysis = analyst(voxtral, 600.0, rows=1).analyze(audio, Options(), quiet)
    assert analysis.sections >= 5
    assert analysis.heard_s == pytest.approx(len(samples) / SAMPLE_RATE_HZ, abs=0.01)
    for section in list(cut(AudioFile(audio).blocks(), 600.0))[1:]:
        at = round(section.start_s * SAMPLE_RATE_HZ)
        assert np.abs(samples[at - 800 : at + 800]).max() < 1e-3, f"cut at {section.start_s} s, where someone speaks"


def test_all_that_can_be_asked_is_answered(voxtral: model.VoxtralModel, tmp_path: Path) -> None:
    progress: list[tuple[float, float]] = []
    audio = wav(tmp_path / "episode.wav", with_pauses(170, every_s=5))
    analysis = analyst(voxtral).analyze(audio, ALL, lambda done, total: progress.append((done, total)))
    assert analysis.sections == 3
    assert [answer.question for answer in analysis.answers] == list(ALL.questions)
    assert len(analysis.language) == 2
    assert analysis.sentiment
    assert analysis.translation is not None
    assert analysis.reply is not None
    assert analysis.transcription is None
    assert progress[0][0] == 0
    assert [done for done, _ in progress] == sorted(done for done, _ in progress)
    assert len(progress) == 3, "the first two sections side by side, then the third"
    assert progress[-1] == pytest.approx((170, 170), abs=0.01)


def test_a_transcription_on_request(voxtral: model.VoxtralModel, tmp_path: Path) -> None:
    audio = wav(tmp_path / "episode.wav", noise(3))
    analysis = analyst(voxtral, 30.0).analyze(audio, Options(second_opinion="full", language="en"), quiet)
    assert analysis.transcription is not None
    assert Analysis.from_json(analysis.to_json()) == analysis


def test_stretches_are_heard_once_more_side_by_side(
    voxtral: model.VoxtralModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = wav(tmp_path / "episode.wav", noise(90))
    stretches = [TimeSpan(start_s=10.0 * n, end_s=10.0 * n + 8, segments=(n,)) for n in range(5)]
    asked: list[int] = []
    backend = LocalBackend(voxtral, 3)
    ask_about = backend.ask_about

    def counted(sections: Any, questions: Any, deadline: Deadline) -> Any:
        asked.append(len(sections))
        for index, question, note in ask_about(sections, questions, deadline):
            # The tiny model seldom ends by itself; an answer that was cut is no reading.
            yield index, question, Note(note.answer, truncated=index == 1)

    monkeypatch.setattr(backend, "ask_about", counted)
    it = VoxtralAnalyst(backend, name="tiny", section_s=60.0)

    readings = it.transcribe(audio, stretches, Options(language="en"))

    assert asked == [3, 2]
    assert [reading.segments for reading in readings] == [(0,), (2,), (3,)]
    assert readings[0].text != readings[1].text
    assert it.transcribe(audio, stretches, Options(language="en")) == readings


def test_a_second_helping_is_no_larger_than_the_context(
    voxtral: model.VoxtralModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = wav(tmp_path / "episode.wav", noise(25))
    asked = Options(second_opinion="full")
    # As if a section took nearly all of the context: a transcription may be 64 + 5 x 30 tokens, or twice that.
    monkeypatch.setattr(model, "CONTEXT_TOKENS", 10_000)
    whole = analyst(voxtral, 30.0).analyze(audio, asked, quiet)
    monkeypatch.setattr(model, "CONTEXT_TOKENS", 375 + 4 + 3_000)
    assert analyst(voxtral, 30.0).analyze(audio, asked, quiet).summary == whole.summary
    monkeypatch.setattr(model, "CONTEXT_TOKENS", 375 + 4 + 200)
    with pytest.raises(EngineError, match="DUET_VOXTRAL_SECTION_S"):
        analyst(voxtral, 30.0).analyze(audio, asked, quiet)


def test_batches_change_nothing(voxtral: model.VoxtralModel, episode: Path, one_by_one: Analysis) -> None:
    assert one_by_one.sections == 3
    assert analyst(voxtral, 30.0, rows=4).analyze(episode, Options(), quiet) == one_by_one


def test_silence_is_not_asked_about(voxtral: model.VoxtralModel, tmp_path: Path) -> None:
    silence = np.zeros(90 * SAMPLE_RATE_HZ, np.float32)
    analysis = analyst(voxtral).analyze(wav(tmp_path / "silence.wav", silence), ALL, quiet)
    assert (analysis.summary, analysis.chapters) == ("", ())
    assert analysis.heard_s == pytest.approx(90)
    half = np.concatenate([silence, noise(60)])
    kept = Kept()
    analysis = analyst(voxtral).analyze(wav(tmp_path / "half.wav", half), Options(), quiet, kept)
    assert analysis.summary
    asked_about = {key.rpartition("-")[0] for key in kept if key.startswith("section-")}
    assert 1 <= len(asked_about) < analysis.sections


def test_an_attempt_goes_on_where_the_last_one_stopped(
    voxtral: model.VoxtralModel, episode: Path, one_by_one: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept()
    kept.most = 3
    with pytest.raises(KilledError):
        analyst(voxtral, 30.0, rows=1).analyze(episode, Options(), quiet, kept)
    kept.most = inf
    before = dict(kept)
    heard: list[int] = []
    hear = voxtral.encode_audio
    monkeypatch.setattr(voxtral, "encode_audio", lambda samples, _: heard.append(len(samples)) or hear(samples))
    assert analyst(voxtral, 30.0, rows=1).analyze(episode, Options(), quiet, kept) == one_by_one
    assert len(heard) == 2, "the first of three sections had both its answers"
    assert {key: kept[key] for key in before} == before
    assert analyst(voxtral, 30.0, rows=4).analyze(episode, Options(), quiet, kept) == one_by_one
    assert len(heard) == 2, "what is finished needs no ears"


def test_what_was_summed_up_is_not_summed_up_again(
    voxtral: model.VoxtralModel, episode: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept()
    kept.most = 3 * (2 + len(ALL.questions)) + 2
    with pytest.raises(KilledError):
        analyst(voxtral, 30.0, rows=3).analyze(episode, ALL, quiet, kept)
    assert sum(key.startswith("text-") for key in kept) == 2
    kept.most = inf
    answer, asked = voxtral.answer, []
    monkeypatch.setattr(voxtral, "answer", lambda text, *rest: asked.append(text) or answer(text, *rest))
    monkeypatch.setattr(voxtral, "encode_audio", lambda samples, _: pytest.fail("heard again"))
    resumed = analyst(voxtral, 30.0, rows=3).analyze(episode, ALL, quiet, kept)
    assert len(asked) == sum(key.startswith("text-") for key in kept) - 2
    assert resumed == analyst(voxtral, 30.0, rows=3).analyze(episode, ALL, quiet, Kept(kept))
    assert len(asked) == sum(key.startswith("text-") for key in kept) - 2, "all is known now"


def test_answers_of_other_weights_are_no_checkpoints(voxtral: model.VoxtralModel, tmp_path: Path) -> None:
    audio = wav(tmp_path / "episode.wav", noise(3))
    kept = Kept()
    for digest, known in (("one", 2), ("one", 2), ("two", 4)):
        named = VoxtralAnalyst(LocalBackend(voxtral, 1), name="tiny", section_s=30.0, digest=digest)
        named.analyze(audio, Options(), quiet, kept)
        assert len(kept) == known


def test_one_batch_of_audio_is_held_at_a_time(
    voxtral: model.VoxtralModel, episode: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_about = LocalBackend.ask_about
    held: list[weakref[object]] = []

    def look(self: LocalBackend, sections: Sequence[Section], *rest: Any) -> Any:
        assert [earlier for earlier in held if earlier() is not None] == []
        held.extend(weakref(section.samples) for section in sections)
        return ask_about(self, sections, *rest)

    monkeypatch.setattr(LocalBackend, "ask_about", look)
    analyst(voxtral, 30.0, rows=1).analyze(episode, Options(), quiet)
    assert len(held) == 3


def test_a_cancelled_job_stops(voxtral: model.VoxtralModel, episode: Path) -> None:
    with pytest.raises(CancelledError):
        analyst(voxtral, 30.0).analyze(episode, Options(), quiet, is_cancelled=lambda: True)


def test_a_damaged_checkpoint_is_asked_again(voxtral: model.VoxtralModel, tmp_path: Path) -> None:
    audio = wav(tmp_path / "episode.wav", noise(3))
    kept = Kept()
    first = analyst(voxtral).analyze(audio, Options(), quiet, kept)
    for key in kept:
        kept[key] = '{"neither": "this nor that"}'
    assert analyst(voxtral).analyze(audio, Options(), quiet, kept) == first


def test_a_budget_that_is_used_up_cuts_the_answers(voxtral: model.VoxtralModel, tmp_path: Path) -> None:
    audio = wav(tmp_path / "episode.wav", noise(3))
    hasty = VoxtralAnalyst(LocalBackend(voxtral, 1), name="tiny", section_s=60.0, section_budget_s=0.0)
    analysis = hasty.analyze(audio, Options(), quiet)
    assert analysis.truncated
    assert analysis.sentiment is None


def test_a_batch_that_does_not_fit_is_halved(
    voxtral: model.VoxtralModel, episode: Path, one_by_one: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen = voxtral.start_conversation

    def with_room_for(rows: int) -> None:
        def listen_to_few(heard: list[model.EncodedAudio], _: Deadline) -> model.AudioConversation:
            if len(heard) > rows:
                raise torch.OutOfMemoryError("no room")
            return listen(heard)

        monkeypatch.setattr(voxtral, "start_conversation", listen_to_few)

    with_room_for(1)
    backend = LocalBackend(voxtral, 2)
    assert VoxtralAnalyst(backend, name="tiny", section_s=30.0).analyze(episode, Options(), quiet) == one_by_one
    assert backend.rows_at_once == 1
    with_room_for(0)
    with pytest.raises(DeviceMemoryError, match="no memory for 1 sections of"):
        VoxtralAnalyst(backend, name="tiny", section_s=30.0).analyze(episode, Options(), quiet)


def test_memory_that_runs_out_between_answers_costs_none_of_them(
    voxtral: model.VoxtralModel, episode: Path, one_by_one: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given memory for two sections side by side until the first of their answers is complete
    answers, rows = model.AudioConversation.answers, []

    def with_room_for_one_answer(
        self: model.AudioConversation, requests: Sequence[Request], deadline: Deadline
    ) -> Iterator[tuple[int, int, model.Answer]]:
        rows.append((self.sections, len(requests)))
        for answer in answers(self, requests, deadline):
            yield answer
            if self.sections > 1:
                raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(model.AudioConversation, "answers", with_room_for_one_answer)
    kept = Kept()
    backend = LocalBackend(voxtral, 2)

    # When the episode is analyzed
    found = VoxtralAnalyst(backend, name="tiny", section_s=30.0).analyze(episode, Options(), quiet, kept)

    # Then the first two sections are asked one at a time, and so is the third, with the same answers
    assert found == one_by_one
    assert rows == [(2, 2), (1, 2), (1, 2), (1, 2)]
    assert sum(key.startswith("section-") for key in kept) == 6
    assert backend.rows_at_once == 1


def test_the_first_half_of_a_halved_batch_is_kept_while_the_second_is_at_work(
    voxtral: model.VoxtralModel, episode: Path, one_by_one: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen, heard = voxtral.start_conversation, []

    def listen_to_one(together: list[model.EncodedAudio], _: Deadline) -> model.AudioConversation:
        if len(together) > 1:
            raise torch.OutOfMemoryError("no room")
        heard.append(together)
        return listen(together)

    monkeypatch.setattr(voxtral, "start_conversation", listen_to_one)
    kept = Kept()
    kept.most = 3
    with pytest.raises(KilledError):
        analyst(voxtral, 30.0, rows=2).analyze(episode, Options(), quiet, kept)
    assert len(heard) == 2, "all of the first half is kept, and an answer of the second"
    kept.most = inf
    heard.clear()
    assert analyst(voxtral, 30.0, rows=2).analyze(episode, Options(), quiet, kept) == one_by_one
    assert len(heard) == 2, "the second half for its last answer, and the third section"


def test_many_notes_are_summed_up_level_by_level(voxtral: model.VoxtralModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduction, "BUDGET_TOKENS", 400)
    asked: list[str] = []
    backend = LocalBackend(voxtral, 1)
    ask = backend.ask
    monkeypatch.setattr(
        backend, "ask", lambda question, deadline: asked.append(question.text) or ask(question, deadline)
    )
    notes = [Note(Overview(language="en", summary=f"Bread, part {part}. " * 9)) for part in range(4)]
    whole = reduction.reduce(backend, OVERVIEW, notes, Deadline(600))
    assert isinstance(whole.answer, Overview)
    assert len(asked) >= 2, "they do not fit one question"
    assert "Bread, part 0." in asked[0]
    assert "Bread, part 3." in asked[-1] or len(asked) > 2
    assert all(len(voxtral.encode(text)) < 400 + 200 for text in asked)
    assert reduction.reduce(backend, OVERVIEW, notes[:1], Deadline(600)) == notes[0]


def test_groups_fit_the_budget_and_every_level_is_shorter() -> None:
    generator = np.random.default_rng(0)
    for count in range(1, 40):
        sizes = generator.integers(1, 51, count).tolist()
        slices = reduction.packed(sizes, 100)
        assert [size for part in slices for size in sizes[part]] == sizes
        assert all(sum(sizes[part]) <= 100 for part in slices)
        assert count == 1 or len(slices) < count


def test_what_is_no_audio_is_refused(voxtral: model.VoxtralModel, tmp_path: Path) -> None:
    text = tmp_path / "episode.mp3"
    text.write_text("no audio at all " * 100)
    with pytest.raises(AudioError, match="cannot be decoded"):
        analyst(voxtral).analyze(text, Options(), quiet)
