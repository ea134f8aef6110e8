"""Questions about a finished episode through the tiny Voxtral: sections, kept encodings, checkpoints."""

from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest
import torch

from pipeline.settings import settings
from pipeline.storage.encodings import Encodings
from pipeline.types import Context
from tests import voxtral_checkpoint
from tests.unit.test_voxtral_analyst import Kept, KilledError, quiet
from tests.voxtral_sound import wav, with_pauses
from workers import device
from workers.audio.audio_file import Samples
from workers.voxtral import device_loading, model
from workers.voxtral.analyst import VoxtralAnalyst
from workers.voxtral.deadline import Deadline
from workers.voxtral.local_backend import LocalBackend
from workers.weights import voxtral as voxtral_weights

torch.set_num_threads(1)
EPISODE = "0123456789abcdef"
WHO, WHERE = "Who speaks?", "Where is it?"


class Ears:
    """The model's encoder, which counts what it hears."""

    def __init__(self, voxtral: model.VoxtralModel, monkeypatch: pytest.MonkeyPatch) -> None:
        self.heard = 0
        self._hear = voxtral.encode_audio
        monkeypatch.setattr(voxtral, "encode_audio", self)

    def __call__(self, samples: Samples, deadline: Deadline | None = None) -> model.EncodedAudio:
        self.heard += 1
        return self._hear(samples, deadline)


@pytest.fixture(scope="module")
def voxtral(tmp_path_factory: pytest.TempPathFactory) -> model.VoxtralModel:
    folder = voxtral_checkpoint.build(tmp_path_factory.mktemp("voxtral"), seed=3)
    place = device.ComputeDevice(torch.device("cpu"), torch.float32)
    voxtral = device_loading.load(voxtral_weights.check(folder), place)
    voxtral_checkpoint.make_brief(voxtral)
    return voxtral


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sections of 30 s."""
    return wav(tmp_path_factory.mktemp("audio") / "episode.wav", with_pauses(75, every_s=5))


@pytest.fixture
def encodings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Encodings]:
    monkeypatch.setenv("DUET_CACHE_DIR", str(tmp_path / "cache"))
    settings.cache_clear()
    yield Encodings(EPISODE)
    settings.cache_clear()


def analyst(voxtral: model.VoxtralModel, digest: str = "") -> VoxtralAnalyst:
    return VoxtralAnalyst(LocalBackend(voxtral, 2), name="tiny", section_s=30.0, digest=digest)


def test_every_section_is_asked_and_the_answers_are_merged(
    voxtral: model.VoxtralModel, audio: Path, encodings: Encodings
) -> None:
    kept, progress = Kept(), []

    found = analyst(voxtral).answer(
        audio, WHO, lambda done_s, total_s: progress.append(done_s), encodings, kept, context=Context(names=("Mira",))
    )

    assert found.question == WHO
    assert sum(key.startswith("section-") for key in kept) == 3
    assert progress[0] == 0
    assert progress[-1] == pytest.approx(75, abs=0.01)
    assert found == analyst(voxtral).answer(audio, WHO, quiet, encodings, kept, context=Context(names=("Mira",)))


def test_a_second_question_needs_no_encoder(
    voxtral: model.VoxtralModel, audio: Path, encodings: Encodings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = analyst(voxtral).answer(audio, WHERE, quiet, encodings)
    encodings.forget()
    ears = Ears(voxtral, monkeypatch)
    analyst(voxtral).answer(audio, WHO, quiet, encodings)
    assert ears.heard == 3

    again = analyst(voxtral).answer(audio, WHERE, quiet, encodings)

    assert ears.heard == 3
    assert again == fresh, "what is kept is what the encoder says"


def test_what_is_kept_of_other_weights_or_damaged_is_encoded_again(
    voxtral: model.VoxtralModel, audio: Path, encodings: Encodings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ears = Ears(voxtral, monkeypatch)
    one = analyst(voxtral, "one").answer(audio, WHO, quiet, encodings)
    analyst(voxtral, "two").answer(audio, WHO, quiet, encodings)
    assert ears.heard == 6
    for file in (tmp_path / "cache" / "audio").iterdir():
        file.write_bytes(file.read_bytes()[:100])

    assert analyst(voxtral, "one").answer(audio, WHO, quiet, encodings) == one
    assert ears.heard == 9


def test_an_answer_goes_on_where_the_last_attempt_stopped(
    voxtral: model.VoxtralModel, audio: Path, encodings: Encodings
) -> None:
    whole = analyst(voxtral).answer(audio, WHO, quiet, encodings)
    kept = Kept()
    kept.most = 2
    with pytest.raises(KilledError):
        analyst(voxtral).answer(audio, WHO, quiet, encodings, kept)
    kept.most = inf
    before = dict(kept)

    assert analyst(voxtral).answer(audio, WHO, quiet, encodings, kept) == whole
    assert {key: kept[key] for key in before} == before
