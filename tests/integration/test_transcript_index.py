"""The index of what was said: it holds what is listed and is still there, and nothing is lost by a passing trouble."""

import shutil
from pathlib import Path

import pytest

from pipeline.errors import StorageError, TransientError
from pipeline.http import transcript_index as module
from pipeline.http.transcript_index import TranscriptIndex
from pipeline.state.job_store import JobStore
from pipeline.storage import open_storage
from pipeline.storage.file import FileStorage
from pipeline.types import Episode, JobSpec, JobState, LegOutcome, MergedSegment, MergedTranscript, Options, Speaker

JOB = "0123456789abcdef-01234567"


@pytest.fixture
def index(tmp_path: Path) -> TranscriptIndex:
    return TranscriptIndex(tmp_path / "index.sqlite")


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.0)


def spec_of(folder: Path, job: str = JOB) -> JobSpec:
    return JobSpec(
        job=job,
        attempt=1,
        episode=Episode(id=job[:16], source="ep.mp3", slug="ep", size_bytes=1),
        options=Options(),
        audio_uri="file:///ep.mp3",
        uri=(folder / f"ep-{job[:16]}").as_uri(),
    )


def say(spec: JobSpec, text: str) -> None:
    segment = MergedSegment(id=0, start_s=1.0, end_s=2.0, text=text)
    transcript = MergedTranscript(text=text, language="en", audio_s=2.0, segments=(segment,), model="base")
    open_storage(spec.uri).put("transcript.json", transcript.to_json())


def transcribed(job_store: JobStore, spec: JobSpec, text: str) -> JobSpec:
    job_store.begin(spec)
    job_store.note_leg(spec, "whisper", outcome=LegOutcome(leg="whisper", status="ok").model_dump_json())
    say(spec, text)
    job_store.advance(spec, JobState.TRANSCRIBED, transcribed_at=1.0)
    return spec


def end(job_store: JobStore, spec: JobSpec) -> None:
    job_store.advance(spec, JobState.COMPLETED, ended_at=2.0)


def found(index: TranscriptIndex, words: str) -> list[str]:
    return [hit.job for hit in index.search(words, 10)[1]]


def test_a_job_that_is_no_longer_listed_is_no_longer_found(
    job_store: JobStore, index: TranscriptIndex, tmp_path: Path
) -> None:
    spec = transcribed(job_store, spec_of(tmp_path), "welcome to the science chat")
    end(job_store, spec)
    assert index.fill(job_store) == 0
    assert found(index, "science") == [JOB]

    job_store.redis.flushdb()
    index.fill(job_store)

    assert found(index, "science") == []


def test_a_transcript_that_was_removed_is_no_longer_found(
    job_store: JobStore, index: TranscriptIndex, tmp_path: Path
) -> None:
    # Given two episodes, of which somebody deletes the folder of one
    gone = transcribed(job_store, spec_of(tmp_path), "welcome to the science chat")
    kept = transcribed(job_store, spec_of(tmp_path, "f" * 16 + "-01234567"), "more science")
    for spec in (gone, kept):
        end(job_store, spec)
    index.fill(job_store)
    shutil.rmtree(tmp_path / "ep-0123456789abcdef")

    # Then only the other is found, now and after the next look for what is new
    assert found(index, "science") == [kept.job]
    assert index.fill(job_store) == 0
    assert found(index, "science") == [kept.job]


@pytest.mark.parametrize("error", [TransientError("S3 does not answer."), StorageError("S3 refuses the credentials.")])
def test_a_transcript_that_cannot_be_read_now_is_read_later(
    job_store: JobStore, index: TranscriptIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    # Given storage that is away for a moment
    spec = transcribed(job_store, spec_of(tmp_path), "welcome to the science chat")
    end(job_store, spec)

    def refuse(*_: object) -> bytes:
        raise error

    with monkeypatch.context() as away:
        away.setattr(FileStorage, "get", refuse)
        assert index.fill(job_store) == 1, "it is left to be read"

    # Then it is found once storage is there again
    assert index.fill(job_store) == 0
    assert found(index, "science") == [JOB]


def test_what_a_second_opinion_changed_is_read_again(
    job_store: JobStore, index: TranscriptIndex, tmp_path: Path
) -> None:
    # Given an episode that was read when its fast leg had ended
    spec = transcribed(job_store, spec_of(tmp_path), "welcome to the silence chat")
    index.fill(job_store)
    assert found(index, "silence") == [JOB]

    # When the job ends with another text
    say(spec, "welcome to the science chat")
    end(job_store, spec)
    index.fill(job_store)

    # Then that one is found
    assert (found(index, "science"), found(index, "silence")) == ([JOB], [])


def test_a_transcript_that_is_damaged_does_not_keep_the_others_waiting(
    job_store: JobStore, index: TranscriptIndex, tmp_path: Path
) -> None:
    damaged = transcribed(job_store, spec_of(tmp_path), "so")
    open_storage(damaged.uri).put("transcript.json", b"{")
    transcribed(job_store, spec_of(tmp_path, "f" * 16 + "-01234567"), "more science")

    assert index.fill(job_store) == 0
    assert found(index, "science") == ["f" * 16 + "-01234567"]


def test_a_hit_has_the_name_of_who_said_it_where_speakers_are_told_apart(
    job_store: JobStore, index: TranscriptIndex, tmp_path: Path
) -> None:
    spec = transcribed(job_store, spec_of(tmp_path), "")
    segments = tuple(
        MergedSegment(id=number, start_s=number, end_s=number + 1.0, text=text, speaker=speaker)
        for number, (text, speaker) in enumerate([("Science is fun.", "S1"), ("Is science?", "S2"), ("Science!", None)])
    )
    speakers = (Speaker(id="S1", name="Ada Brook"), Speaker(id="S2"))
    dialogue = MergedTranscript(text="", language="en", audio_s=3.0, segments=segments, speakers=speakers, model="base")
    open_storage(spec.uri).put("transcript.json", dialogue.as_heard().to_json())

    index.fill(job_store)

    hits = {hit.start_s: hit.speaker for hit in index.search("science", 10)[1]}
    assert hits == {0.0: "Ada Brook", 1.0: "Speaker 2", 2.0: None}


def test_an_index_of_an_earlier_version_is_made_again(job_store: JobStore, tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "old.sqlite") as old:
        old.execute("CREATE TABLE jobs (job TEXT PRIMARY KEY, submitted_at REAL, first INTEGER, last INTEGER)")
        old.execute("CREATE VIRTUAL TABLE said USING fts5 (text, job UNINDEXED, start_s UNINDEXED)")
    old.close()
    end(job_store, transcribed(job_store, spec_of(tmp_path), "welcome to the science chat"))

    index = TranscriptIndex(tmp_path / "old.sqlite")

    assert index.fill(job_store) == 0
    assert found(index, "science") == [JOB]
