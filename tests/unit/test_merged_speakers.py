"""The merge of a job whose speakers were told apart, from the products in storage."""

from pathlib import Path

import pytest

from pipeline.results.manifest import product_name, read_manifest
from pipeline.results.merge import merge_legs, read_heard, read_transcript, write_transcript
from pipeline.results.publication import publish
from pipeline.results.uncertainty import flag_uncertain
from pipeline.storage import Storage, open_storage
from pipeline.types import Analysis, Diarization, Episode, EpisodeResult, JobSpec, Leg, LegOutcome, Options, Transcript
from tasks.base.checkpoints import finished_outcome
from tests.results import segment, told_apart, transcript

HEARD = transcript(segment("Is it warm enough? I think it is not.", 0.0), segment("Well then we wait.", 3.0))
FOUND = told_apart(("a", 0.0, 1.2), ("b", 1.2, 2.8), ("a", 3.0, 4.5))


@pytest.fixture
def spec(tmp_path: Path) -> JobSpec:
    return JobSpec(
        job="0123456789abcdef-01234567",
        attempt=1,
        episode=Episode(id="0123456789abcdef", source="ep.mp3", slug="ep", size_bytes=1),
        options=Options(legs=("whisper",)),
        audio_uri=(tmp_path / "ep.mp3").as_uri(),
        uri=(tmp_path / "ep").as_uri(),
    )


def outline(_: Transcript) -> Analysis:
    return Analysis(source="outline", model="", summary="", heard_s=1.0)


def legs(speakers: str = "ok") -> dict[Leg, LegOutcome]:
    skipped = LegOutcome(leg="voxtral", status="skipped", reason="It was not asked for.")
    return {
        "whisper": LegOutcome(leg="whisper", status="ok"),
        "voxtral": skipped,
        "speakers": LegOutcome.model_validate(
            {"leg": "speakers", "status": speakers, "audio_s": 5.5, "model": "voices"}
        ),
    }


def ended(spec: JobSpec, storage: Storage) -> EpisodeResult:
    """Merge and publish a job both of whose products are stored."""
    write_transcript(spec, flag_uncertain(HEARD), storage)
    storage.put(product_name(spec, "speakers"), FOUND.model_copy(update={"voices": {"a": (1.0,)}}).to_json())
    return publish(merge_legs(spec, legs(), storage, None, outline), spec, storage)


def test_the_merge_gives_words_to_speakers_and_publishes_their_turns_without_voices(spec: JobSpec) -> None:
    storage = open_storage(spec.uri)

    result = ended(spec, storage)

    assert result.transcript
    assert [(it.speaker, it.text) for it in result.transcript.segments] == [
        ("S1", " Is it warm enough?"),
        ("S2", " I think it is not."),
        ("S1", " Well then we wait."),
    ]
    assert Diarization.from_json(storage.get("speakers.json")).voices == {}
    assert "speakers.json" in result.files


def test_a_later_attempt_takes_the_public_turns_and_gives_the_same_result(spec: JobSpec) -> None:
    storage = open_storage(spec.uri)
    first = ended(spec, storage)

    again = spec.model_copy(update={"attempt": 2})
    reused = [finished_outcome(storage, again, leg) for leg in ("whisper", "speakers")]
    second = merge_legs(again, legs(), storage, None, outline)

    assert all(outcome and outcome.reused for outcome in reused)
    assert second.transcript == first.transcript


def test_a_later_job_without_speakers_has_whole_segments_again(spec: JobSpec) -> None:
    storage = open_storage(spec.uri)
    ended(spec, storage)

    result = merge_legs(spec, legs("skipped"), storage, None, outline)

    assert result.transcript == flag_uncertain(HEARD)
    assert read_heard(spec, storage) == flag_uncertain(HEARD)


def test_the_transcript_is_read_as_it_is_stored_with_its_speakers(spec: JobSpec) -> None:
    storage = open_storage(spec.uri)
    ended(spec, storage)

    assert [it.speaker for it in read_transcript(spec, storage).segments] == ["S1", "S2", "S1"]
    manifest = read_manifest(storage)
    assert manifest
    assert manifest.transcript
    assert [it.id for it in manifest.transcript.speakers] == ["S1", "S2"]
