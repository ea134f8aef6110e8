"""Which result is public in an episode's folder, and which work files are kept."""

from pathlib import Path

import pytest

from pipeline.client.episode_audio import _suffix
from pipeline.results.manifest import (
    MANIFEST,
    PRODUCTS,
    WORK,
    clear_work,
    keep_replaced,
    outcome_name,
    read_result,
    replaces,
)
from pipeline.storage import join, open_storage, path_of
from pipeline.storage.file import FileStorage
from pipeline.types import LEGS, Analysis, EpisodeResult, JobSpec, JobState, Leg, LegOutcome
from tests.results import merged, result, segment

ANALYSIS = Analysis(source="voxtral", model="voxtral", summary="Roses.", heard_s=1.0)


def ended(state: JobState, *, has_transcript: bool = True, has_analysis: bool = True) -> EpisodeResult:
    made = result(merged(segment("Roses.", 0.0)), ANALYSIS)
    status = "ok" if has_analysis else "skipped"
    return made.model_copy(
        update={
            "state": state,
            "transcript": made.transcript if has_transcript else None,
            "analysis": ANALYSIS if has_analysis else None,
            "legs": {
                "whisper": LegOutcome(leg="whisper", status="ok" if has_transcript else "failed"),
                "voxtral": LegOutcome(leg="voxtral", status=status),
            },
        }
    )


DONE = ended(JobState.COMPLETED)
NOTHING = ended(JobState.FAILED, has_transcript=False, has_analysis=False)


@pytest.mark.parametrize(
    ("new", "public", "expected"),
    [
        (DONE, None, True),
        (DONE, DONE, True),
        (ended(JobState.PARTIAL, has_analysis=False), DONE, True),
        (NOTHING, None, True),
        (NOTHING, NOTHING, True),
        (NOTHING, DONE, False),
        (NOTHING, ended(JobState.PARTIAL, has_analysis=False), False),
        (NOTHING, ended(JobState.CANCELLED, has_analysis=False), False),
        (ended(JobState.CANCELLED), DONE, False),
        (ended(JobState.CANCELLED, has_analysis=False), NOTHING, True),
    ],
)
def test_what_ended_with_nothing_replaces_nothing_that_has_more(
    new: EpisodeResult, public: EpisodeResult | None, expected: bool
) -> None:
    assert replaces(new, public) is expected


@pytest.mark.parametrize("name", ["audio", "audio.mp3"])
def test_the_audio_of_a_job_that_lacks_a_leg_is_kept_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    storage = FileStorage(tmp_path)
    partial = ended(JobState.PARTIAL, has_analysis=False)
    for part in (name, "whisper/0.json", "opinion.json"):
        storage.put(f"{WORK}{partial.job}/{part}", b"1")

    clear_work(partial, storage, is_public=True)

    assert storage.list() == [f"{WORK}{partial.job}/{name}"]


def test_a_result_whose_place_is_taken_is_still_its_jobs(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path)
    other = DONE.model_copy(update={"job": f"{DONE.episode.id}-ffffffff"})

    keep_replaced(DONE, other, storage)
    storage.put(MANIFEST, other.to_json())

    assert {it.job for it in map(EpisodeResult.from_json, [storage.get(MANIFEST)])} == {other.job}
    spec = spec_of(DONE, tmp_path)
    assert read_result(spec, storage) == DONE


def spec_of(done: EpisodeResult, folder: Path) -> JobSpec:
    uri = folder.as_uri()
    return JobSpec(
        job=done.job, attempt=done.attempt, episode=done.episode, options=done.options, audio_uri=uri, uri=uri
    )


@pytest.mark.parametrize(
    ("source", "suffix"),
    [
        ("https://cdn.example/1234/download", ""),
        ("https://h.example/play?file=ep.mp3", ""),
        ("https://h.example/a/ep.MP3?token=1", ".mp3"),
        ("/podcasts/ep #12.mp3", ".mp3"),
        ("/podcasts/What now?.mp3", ".mp3"),
        ("/podcasts/talk", ""),
        ("/podcasts/talk.mp3 (1)", ""),
    ],
)
def test_the_ending_of_audio_is_that_of_its_name(source: str, suffix: str) -> None:
    assert _suffix(source) == suffix


@pytest.mark.parametrize("name", ["Show #3-0123456789abcdef", 'x" onmouseover="alert(1)-0123456789abcdef', "50 %", "é"])
def test_a_folder_of_any_name_is_found_again(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    uri = join(tmp_path.as_uri(), name)

    open_storage(uri).put("result.json", b"{}")

    assert path_of(uri) == tmp_path / name
    assert (tmp_path / name / "result.json").is_file()


@pytest.mark.parametrize("leg", LEGS)
def test_the_outcome_of_a_leg_is_not_written_over_its_product(leg: Leg) -> None:
    assert outcome_name("", leg) not in (*PRODUCTS.values(), MANIFEST)
