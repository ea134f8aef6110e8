"""The memory of a show's voices: the hosts of one episode have their names in the next."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from pipeline.results.manifest import product_name
from pipeline.results.merge import merge_legs, write_transcript
from pipeline.results.publication import publish
from pipeline.results.voices import FOLDER, VoiceMemory, forget_voices
from pipeline.settings import settings
from pipeline.storage import open_storage
from pipeline.types import Analysis, JobSpec, Leg, LegOutcome, MergedTranscript, Options, Publication, Speaker
from tests.results import EPISODE, merged, segment, told_apart
from tests.services import start_valkey

DIMENSIONS = 192
OUTLINE = Analysis(source="outline", model="", summary="", heard_s=1.0)


@pytest.fixture(scope="module", autouse=True)
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, start_valkey(tmp_path_factory.mktemp("valkey")) as url:
        patch.setenv("DUET_BROKER_URL", url)
        settings.cache_clear()
        yield
    settings.cache_clear()


def person(seed: int) -> list[float]:
    """Return a voice as a unit vector; those of two people are nearly orthogonal."""
    random = Random(seed)
    values = [random.gauss(0, 1) for _ in range(DIMENSIONS)]
    length = sum(it * it for it in values) ** 0.5
    return [it / length for it in values]


def between(one: list[float], other: list[float], share: float) -> list[float]:
    values = [(1 - share) * a + share * b for a, b in zip(one, other, strict=True)]
    length = sum(it * it for it in values) ** 0.5
    return [it / length for it in values]


ADA, TOM, EVE = person(1), person(2), person(3)


def spoken_by(**names: str | None) -> MergedTranscript:
    speakers = tuple(Speaker(id=key, name=name) for key, name in names.items())
    return merged(segment("Hello.", 0.0)).model_copy(update={"speakers": speakers})


def memory(folder: Path, episode: str, show: str = "") -> VoiceMemory:
    about = Publication(feed="https://example.org/feed.xml", show=show) if show else None
    return VoiceMemory(EPISODE.model_copy(update={"publication": about}), (folder / episode).as_uri())


def names_of(transcript: MergedTranscript) -> dict[str, str | None]:
    return {it.id: it.name for it in transcript.speakers}


def test_a_host_has_her_name_in_the_next_episode_and_a_new_guest_has_none(tmp_path: Path) -> None:
    # Given an episode whose host is known
    memory(tmp_path, "first").remember(spoken_by(S1="Ada Brook", S2=None).speakers, {"S1": ADA, "S2": TOM})

    # When she speaks second in the next one, a little differently
    heard = {"S1": EVE, "S2": between(ADA, EVE, 0.2)}
    found = memory(tmp_path, "second").recognized(spoken_by(S1=None, S2=None), heard)

    # Then she has her name there, and the new guest has none
    assert names_of(found) == {"S1": None, "S2": "Ada Brook"}
    assert found.speakers[1].name_source == "voice"


def test_a_voice_between_two_people_is_nobodys(tmp_path: Path) -> None:
    both = spoken_by(S1="Ada Brook", S2="Eve Moss").speakers
    memory(tmp_path, "first").remember(both, {"S1": ADA, "S2": between(ADA, EVE, 0.3)})

    found = memory(tmp_path, "second").recognized(spoken_by(S1=None), {"S1": between(ADA, EVE, 0.15)})

    assert names_of(found) == {"S1": None}


def test_one_name_goes_to_one_speaker(tmp_path: Path) -> None:
    memory(tmp_path, "first").remember(spoken_by(S1="Ada Brook").speakers, {"S1": ADA})

    # When two speakers of an episode are like her, or one of them has her name already
    alike = {"S1": ADA, "S2": between(ADA, EVE, 0.1)}
    twice = memory(tmp_path, "second").recognized(spoken_by(S1=None, S2=None), alike)
    taken = memory(tmp_path, "second").recognized(spoken_by(S1="Ada Brook", S2=None), alike)

    # Then nobody is given it
    assert names_of(twice) == {"S1": None, "S2": None}
    assert names_of(taken) == {"S1": "Ada Brook", "S2": None}


def test_a_name_that_is_given_later_counts_for_the_next_episode(tmp_path: Path) -> None:
    memory(tmp_path, "first").remember(spoken_by(S1=None).speakers, {"S1": ADA})

    memory(tmp_path, "first").rename(spoken_by(S1="Ada Brook").speakers)

    found = memory(tmp_path, "second").recognized(spoken_by(S1=None), {"S1": ADA})
    assert names_of(found) == {"S1": "Ada Brook"}


def test_shows_do_not_share_their_voices(tmp_path: Path) -> None:
    memory(tmp_path, "first", "One Show").remember(spoken_by(S1="Ada Brook").speakers, {"S1": ADA})

    other = memory(tmp_path, "second", "Other Show").recognized(spoken_by(S1=None), {"S1": ADA})
    same = memory(tmp_path, "third", "One Show").recognized(spoken_by(S1=None), {"S1": ADA})

    assert names_of(other) == {"S1": None}
    assert names_of(same) == {"S1": "Ada Brook"}


def test_what_is_forgotten_is_recognized_no_more(tmp_path: Path) -> None:
    memory(tmp_path, "first").remember(spoken_by(S1="Ada Brook").speakers, {"S1": ADA})
    memory(tmp_path, "second").remember(spoken_by(S1="Eve Moss").speakers, {"S1": EVE})

    forget_voices((tmp_path / "first").as_uri())

    heard = {"S1": ADA, "S2": EVE}
    assert names_of(memory(tmp_path, "third").recognized(spoken_by(S1=None, S2=None), heard)) == {
        "S1": None,
        "S2": "Eve Moss",
    }

    # And with the last of them nothing is left
    forget_voices((tmp_path / "second").as_uri())
    assert not (tmp_path / FOLDER).exists()


def episode_of(folder: Path, name: str, said: str, voice: list[float]) -> MergedTranscript:
    """Merge and publish an episode in which the second voice of the diarization speaks first, and return its text."""
    spec = JobSpec(
        job=f"{EPISODE.id}-01234567",
        attempt=1,
        episode=EPISODE,
        options=Options(legs=("whisper",), remember_voices=True),
        audio_uri=(folder / "ep.mp3").as_uri(),
        uri=(folder / name).as_uri(),
    )
    storage = open_storage(spec.uri)
    heard = merged(segment(said, 0.0), segment("We plant pears today.", 5.0))
    found = told_apart(("a", 5.0, 7.0), ("b", 0.0, 4.0)).model_copy(
        update={"voices": {"a": tuple(TOM), "b": tuple(voice)}}
    )
    write_transcript(spec, heard, storage)
    storage.put(product_name(spec, "speakers"), found.to_json())
    legs: dict[Leg, LegOutcome] = {
        "whisper": LegOutcome(leg="whisper", status="ok"),
        "voxtral": LegOutcome(leg="voxtral", status="skipped", reason="It was not asked for."),
        "speakers": LegOutcome(leg="speakers", status="ok", model="voices"),
    }
    result = publish(merge_legs(spec, legs, storage, None, lambda _: OUTLINE), spec, storage)
    assert result.transcript
    return result.transcript


def test_a_merged_episode_knows_the_voices_of_those_before_it(tmp_path: Path) -> None:
    # Given a merged episode whose first speaker says her name
    first = episode_of(tmp_path, "first", "I'm Ada Brook, your host.", ADA)
    assert names_of(first) == {"S1": "Ada Brook", "S2": None}

    # When an episode follows in which nobody says a name
    second = episode_of(tmp_path, "second", "Hello again and welcome.", between(ADA, EVE, 0.2))

    # Then she has her name there by her voice, and no public file holds a voice
    assert names_of(second) == {"S1": "Ada Brook", "S2": None}
    assert second.speakers[0].name_source == "voice"
    public = [it for it in tmp_path.rglob("*") if it.is_file() and FOLDER.rstrip("/") not in it.parts]
    assert public
    assert not any(b'"voices":' in it.read_bytes() for it in public)


def test_an_episode_whose_voices_are_not_at_hand_keeps_those_that_are_remembered(tmp_path: Path) -> None:
    speakers = spoken_by(S1="Ada Brook").speakers
    memory(tmp_path, "first").remember(speakers, {"S1": ADA})

    memory(tmp_path, "first").remember(speakers, {})

    assert names_of(memory(tmp_path, "second").recognized(spoken_by(S1=None), {"S1": ADA})) == {"S1": "Ada Brook"}


def test_a_memory_of_another_version_begins_anew(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "episodes.json").write_text('{"version": 9}')

    memory(tmp_path, "first").remember(spoken_by(S1="Ada Brook").speakers, {"S1": ADA})

    found = memory(tmp_path, "second").recognized(spoken_by(S1=None), {"S1": ADA})
    assert names_of(found) == {"S1": "Ada Brook"}
