"""Names of speakers that Voxtral reads in the transcript: from its prompt to the result, and none without evidence."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from pipeline.results.first_words import first_words
from pipeline.results.manifest import product_name
from pipeline.results.merge import merge_legs, write_transcript
from pipeline.results.voxtral_names import by_speaker, evident
from pipeline.storage import as_uri, open_storage
from pipeline.types import Analysis, Diarization, JobSpec, Leg, LegOutcome, NamedSpeaker, Options
from tasks.analyze import _with_names
from tasks.base.leg_run import LegRun
from tests import voxtral_checkpoint
from tests.results import EPISODE, dialogue
from tests.unit.test_voxtral_analyst import Kept
from tests.unit.test_voxtral_remote_backend import connect
from tests.voxtral_server import VoxtralServer, running_server, text_of
from workers import device
from workers.engine import Analyst
from workers.outline import outline
from workers.voxtral import device_loading
from workers.voxtral.analyst import VoxtralAnalyst
from workers.voxtral.answer_schemas import Introduced, NamedVoice
from workers.voxtral.introduced import named
from workers.voxtral.local_backend import LocalBackend
from workers.weights import voxtral as voxtral_weights

torch.set_num_threads(1)
SPOKEN = dialogue(
    ("S1", "Good morning. Our guest today is Ann Miller."),
    ("S2", "It is good to be here. We bake bread every day."),
    ("S1", "Why bread?"),
    ("S2", "Because people eat it."),
)
FOUND = Analysis(source="voxtral", model="voxtral", summary="Bread.", heard_s=9.0)


def claim(name: str, quote: str, speaker: str = "S2") -> NamedSpeaker:
    return NamedSpeaker(speaker=speaker, name=name, quote=quote)


def test_a_name_is_shown_with_the_sentence_as_the_transcript_has_it() -> None:
    (found,) = evident([claim(" Ann  Miller ", "our guest today is ann miller")], SPOKEN)

    assert (found.name, found.quote) == ("Ann Miller", "Our guest today is Ann Miller.")
    assert found.quote_s == pytest.approx(0.6)
    assert by_speaker([found], SPOKEN) == {"S2": ("Ann Miller", found.quote, found.quote_s)}


@pytest.mark.parametrize(
    "claimed",
    [
        [claim("Ann Miller", "Ann Miller has baked for forty years in Vienna.")],
        [claim("Tom Reed", "Our guest today is Ann Miller.")],
        [claim("Guest", "Our guest today is Ann Miller.")],
        [claim("", "Our guest today is Ann Miller.")],
        [claim("…", "Our guest today is Ann Miller.")],
        [claim("Ann Miller", "")],
        [claim("Ann Miller", "Our guest today is Ann Miller.", "S9")],
        [claim("Ann Miller", "Our guest today is Ann Miller.", speaker) for speaker in ("S1", "S2")],
    ],
)
def test_a_name_without_a_sentence_that_says_it_is_dropped(claimed: list[NamedSpeaker]) -> None:
    assert evident(claimed, SPOKEN) == ()


def test_a_speaker_who_is_numbered_otherwise_by_then_keeps_the_name() -> None:
    found = evident([claim("Ann Miller", "Our guest today is Ann Miller.")], SPOKEN)
    other = {"S1": "S2", "S2": "S1"}
    turns = tuple(it.model_copy(update={"speaker": other[it.speaker]}) for it in SPOKEN.turns)

    assert by_speaker(found, SPOKEN.model_copy(update={"turns": turns})).keys() == {"S1"}


def test_the_first_words_of_a_speaker_come_with_what_is_said_before() -> None:
    assert [(it.speaker, it.before, it.own[0]) for it in first_words(SPOKEN)] == [
        ("S1", (), "Good morning."),
        ("S2", ("Good morning.", "Our guest today is Ann Miller."), "It is good to be here."),
    ]


def test_an_answer_names_only_speakers_that_were_asked_about_and_each_once() -> None:
    voices = (
        NamedVoice(speaker="S2", name="Ann", quote="a"),
        NamedVoice(speaker="S2", name="Tom", quote="b"),
        NamedVoice(speaker="S7", name="Tom", quote="b"),
        NamedVoice(speaker="S1", name=" ", quote="b"),
    )

    assert named(Introduced(speakers=voices), first_words(SPOKEN)) == (claim("Ann", "a"),)


@pytest.fixture
def spec(tmp_path: Path) -> JobSpec:
    """A job whose other legs have ended."""
    spec = JobSpec(
        job="0123456789abcdef-01234567",
        attempt=1,
        episode=EPISODE,
        options=Options(),
        audio_uri="file:///show.mp3",
        uri=as_uri(tmp_path / "results"),
    )
    storage = open_storage(spec.uri)
    write_transcript(spec, SPOKEN, storage)
    diarization = Diarization(turns=SPOKEN.turns, audio_s=SPOKEN.audio_s, model="voices")
    storage.put(product_name(spec, "speakers"), diarization.to_json())
    return spec


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[VoxtralServer]:
    with running_server() as running:
        monkeypatch.setenv("DUET_VOXTRAL_URL", running.url)
        yield running


def say(server: VoxtralServer, name: str, quote: str) -> None:
    """Have the server name the second speaker."""
    server.content = json.dumps({"speakers": [{"speaker": "S2", "name": name, "quote": quote}]})


def hear(spec: JobSpec, analyst: Analyst) -> Analysis:
    """Do the last step of the slow leg."""
    storage = open_storage(spec.uri)
    run = SimpleNamespace(spec=spec, storage=storage, checkpoints=Kept(), is_cancelled=lambda: False)
    return _with_names(FOUND, analyst, cast(LegRun, run))


def test_a_servers_name_is_in_the_merged_result(spec: JobSpec, server: VoxtralServer) -> None:
    say(server, "Ann Miller", "Our guest today is Ann Miller.")

    analysis = hear(spec, connect())

    assert '"before": "Good morning. Our guest today is Ann Miller."' in text_of(server.chats[-1])

    storage = open_storage(spec.uri)
    storage.put(product_name(spec, "voxtral"), analysis.to_json())
    legs: dict[Leg, LegOutcome] = {
        "whisper": LegOutcome(leg="whisper", status="ok"),
        "voxtral": LegOutcome(leg="voxtral", status="ok"),
        "speakers": LegOutcome(leg="speakers", status="ok"),
    }
    merged = merge_legs(spec, legs, storage, None, outline)
    assert merged.transcript
    assert [(it.id, it.name, it.name_source, it.quote) for it in merged.transcript.speakers] == [
        ("S1", None, None, ""),
        ("S2", "Ann Miller", "voxtral", "Our guest today is Ann Miller."),
    ]


def test_a_name_that_a_server_makes_up_is_not_in_the_analysis(spec: JobSpec, server: VoxtralServer) -> None:
    say(server, "Tom Reed", "I am Tom Reed.")

    assert hear(spec, connect()) == FOUND
    assert len(server.chats) == 1


def test_nothing_is_asked_while_the_speakers_are_not_told_apart(spec: JobSpec, server: VoxtralServer) -> None:
    open_storage(spec.uri).delete(product_name(spec, "speakers"))

    assert hear(spec, connect()) == FOUND
    assert server.chats == []


def test_the_local_model_answers_in_the_form_that_is_asked_for(tmp_path: Path) -> None:
    folder = voxtral_checkpoint.build(tmp_path / "voxtral", seed=3)
    cpu = device.ComputeDevice(torch.device("cpu"), torch.float32)
    voxtral = device_loading.load(voxtral_weights.check(folder), cpu)
    voxtral_checkpoint.make_brief(voxtral)
    analyst, kept = VoxtralAnalyst(LocalBackend(voxtral, 1), name="tiny", section_s=60.0), Kept()

    found = analyst.name_speakers(FOUND, first_words(SPOKEN), kept)

    assert {it.speaker for it in found.speakers} <= {"S1", "S2"}
    assert evident(found.speakers, SPOKEN) == (), "a model without sense finds no name"
