"""Naming speakers of an episode that has ended: every file says it, and the manifest fits them."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.client import published_results
from pipeline.client.naming import name_speakers
from pipeline.errors import DuetError, JobAtWorkError, JobFailedError, MessageError
from pipeline.http.transcript_index import TranscriptIndex
from pipeline.results.formats import render_all
from pipeline.results.manifest import changed_files, read_manifest, write_manifest
from pipeline.results.named_speakers import with_names
from pipeline.results.publication import publish
from pipeline.state.job_store import JobStore
from pipeline.state.lease import Lease, VisitorLease
from pipeline.state.worker_registry import WORKER_VARIABLE, Worker, WorkerRegistry
from pipeline.storage import open_storage
from pipeline.types import Analysis, JobSpec, JobState, Mention, UsageStats
from tests.results import dialogue, published, result

ANALYSIS = Analysis(source="voxtral", model="voxtral", summary="Pears and bread.", heard_s=9.0)
ENDED = result(dialogue(("S1", "We plant pears."), ("S2", "And we bake bread.")), ANALYSIS).model_copy(
    update={"figures": UsageStats(merge_s=1.25), "ended_at": "2026-01-02T03:09:00+00:00"}
)


@pytest.fixture
def spec(tmp_path: Path) -> JobSpec:
    """The job of an episode whose result is public."""
    return published(tmp_path, ENDED)


def named(spec: JobSpec) -> dict[str, str | None]:
    found = read_manifest(open_storage(spec.uri))
    assert found
    assert found.transcript
    return {it.id: it.name for it in found.transcript.speakers}


def test_every_file_is_written_again_and_the_manifest_fits_them(spec: JobSpec, job_store: JobStore) -> None:
    storage = open_storage(spec.uri)
    before = read_manifest(storage)
    assert before

    name_speakers(spec.uri, {"S1": "Ada Example", "S2": " Tom Reed "}, job_store, spec)

    after = read_manifest(storage)
    assert after
    assert named(spec) == {"S1": "Ada Example", "S2": "Tom Reed"}
    assert changed_files(after, storage) == []
    assert {name: storage.get(name) for name in after.files} == render_all(after)
    assert after.files["transcript.json"] != before.files["transcript.json"]
    assert after.files["analysis.json"] == before.files["analysis.json"]
    assert (after.analysis, after.figures, after.ended_at) == (before.analysis, before.figures, before.ended_at)
    assert set(storage.list()) == {*after.files, "result.json"}, "nothing else is left there"


def test_people_of_the_analysis_are_linked_to_the_names_as_they_are_now(tmp_path: Path, job_store: JobStore) -> None:
    people = (Mention(name="Ada Brook", kind="person", speaker="S2"), Mention(name="Tom Reed", kind="person"))
    analysis = ANALYSIS.model_copy(update={"people_and_organisations": people})
    spec = published(tmp_path, ENDED.model_copy(update={"analysis": analysis}))

    after = name_speakers(spec.uri, {"S1": "Ada Brook", "S2": "Tom Reed"}, job_store)

    assert after.analysis
    assert [it.speaker for it in after.analysis.people_and_organisations] == ["S1", "S2"]
    unlinked = [it.model_copy(update={"speaker": None}) for it in after.analysis.people_and_organisations]
    assert unlinked == [it.model_copy(update={"speaker": None}) for it in people]


def test_a_second_naming_corrects_the_first_and_leaves_the_other_speakers(spec: JobSpec, job_store: JobStore) -> None:
    name_speakers(spec.uri, {"S1": "Ada Exampel", "S2": "Tom"}, job_store)

    name_speakers(spec.uri, {"S1": "Ada Example"}, job_store)
    assert named(spec) == {"S1": "Ada Example", "S2": "Tom"}
    name_speakers(spec.uri, {"S2": None}, job_store)
    assert named(spec) == {"S1": "Ada Example", "S2": None}


def test_a_forced_run_keeps_the_names(spec: JobSpec, job_store: JobStore) -> None:
    name_speakers(spec.uri, {"S2": "Tom Reed"}, job_store)
    storage = open_storage(spec.uri)

    again = spec.model_copy(update={"attempt": 2, "fresh": True})
    assert ENDED.transcript
    transcript = with_names(ENDED.transcript, again, ANALYSIS, read_manifest(storage))
    publish(ENDED.model_copy(update={"attempt": 2, "transcript": transcript}), again, storage)

    assert named(spec) == {"S1": None, "S2": "Tom Reed"}


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({"S5": "Ada"}, "There is no S5 in {uri}; its speakers are S1, S2."),
        ({"S1": "x" * 101}, "A name has at most 100 characters, and 'xxxxxxxxxxxxxxxxxxxx\\u2026' has 101."),
        ({"S1": "Ada\nBrook"}, "A name has no line breaks and no control characters, and 'Ada\\nBrook' has some."),
        ({"S1": "Ada\x1b[31m"}, "A name has no line breaks and no control characters, and 'Ada\\x1b[31m' has some."),
        ({}, "Give the name of at least one speaker."),
    ],
)
def test_what_cannot_be_a_name_is_said_and_nothing_is_written(
    spec: JobSpec, job_store: JobStore, names: dict[str, str], sentence: str
) -> None:
    before = files(spec)

    with pytest.raises(MessageError) as caught:
        name_speakers(spec.uri, names, job_store)

    assert str(caught.value) == sentence.format(uri=spec.uri)
    assert files(spec) == before


def test_an_episode_whose_speakers_were_not_told_apart_has_nobody_to_name(tmp_path: Path, job_store: JobStore) -> None:
    assert ENDED.transcript
    alone = ENDED.transcript.model_copy(update={"speakers": (), "turns": ()})
    spec = published(tmp_path, ENDED.model_copy(update={"transcript": alone}))

    with pytest.raises(JobFailedError, match="were not told apart, so there is nobody to name"):
        name_speakers(spec.uri, {"S1": "Ada"}, job_store)


def test_a_result_of_another_version_is_said(spec: JobSpec, job_store: JobStore) -> None:
    open_storage(spec.uri).put("result.json", b'{"schema_version": "9.0"}')

    with pytest.raises(JobFailedError, match="is damaged or of another version of Duet; submit the episode again"):
        name_speakers(spec.uri, {"S1": "Ada"}, job_store)


def test_a_job_whose_place_another_has_taken_is_refused(spec: JobSpec, job_store: JobStore) -> None:
    other = spec.model_copy(update={"job": f"{spec.episode.id}-ffffffff"})

    with pytest.raises(JobFailedError, match="holds the results of job 0123456789abcdef-01234567 now"):
        name_speakers(spec.uri, {"S1": "Ada"}, job_store, other)


def test_a_running_job_is_refused(spec: JobSpec, job_store: JobStore) -> None:
    job_store.begin(spec)

    with pytest.raises(JobAtWorkError, match="is submitted; change its result when it has ended"):
        name_speakers(spec.uri, {"S1": "Ada"}, job_store)


def test_a_merge_into_the_same_folder_is_waited_for(
    spec: JobSpec, job_store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker that merges into the folder
    worker = Worker.here("cpu@host")
    WorkerRegistry(job_store.redis).heartbeat(worker)
    with monkeypatch.context() as patch:
        patch.setenv(WORKER_VARIABLE, worker.id)
        merging = Lease(job_store.redis, spec.uri)
    assert merging.acquire()

    # When it takes long, then that is said
    with monkeypatch.context() as patch:
        patch.setattr(published_results, "PATIENCE_S", 0.0)
        with pytest.raises(JobAtWorkError, match="Another job writes to"):
            name_speakers(spec.uri, {"S1": "Ada"}, job_store)

    # When it has ended, then the speakers are named
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(name_speakers, spec.uri, {"S1": "Ada"}, job_store)
        merging.release()
        waiting.result()
    assert named(spec)["S1"] == "Ada"


def test_a_merge_waits_for_a_naming_and_not_for_one_that_was_killed(spec: JobSpec, job_store: JobStore) -> None:
    visit = VisitorLease(job_store.redis, spec.uri)
    assert visit.acquire()
    merging = Lease(job_store.redis, spec.uri)
    assert not merging.acquire()

    # When the time of the visitor is over
    for key in job_store.redis.scan_iter("duet:worker:visitor.*"):
        assert 0 < job_store.redis.ttl(key) <= 300
        job_store.redis.delete(key)

    # Then the merge goes on, and the visitor knows that the folder is no longer its own
    assert merging.acquire()
    assert not visit.is_held()
    visit.release()
    assert merging.is_held()
    merging.release()
    assert [it for it in job_store.redis.scan_iter("duet:*") if "visitor" in it] == []


def test_names_given_at_once_are_all_there(spec: JobSpec, job_store: JobStore) -> None:
    start = Barrier(2)

    def give(speaker: str, name: str) -> None:
        start.wait()
        name_speakers(spec.uri, {speaker: name}, job_store)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(give, ["S1", "S2"], ["Ada", "Tom"]))

    assert named(spec) == {"S1": "Ada", "S2": "Tom"}
    found = read_manifest(open_storage(spec.uri))
    assert found
    assert changed_files(found, open_storage(spec.uri)) == []


def test_the_index_reads_the_transcript_again(spec: JobSpec, job_store: JobStore, tmp_path: Path) -> None:
    # Given a search that has read the transcript
    job_store.adopt(spec, ENDED)
    index = TranscriptIndex(tmp_path / "index.sqlite")
    index.fill(job_store)
    assert [hit.job for hit in index.search("pears", 10)[1]] == [spec.job]

    # When somebody names its speakers, and what is said is also other by then
    name_speakers(spec.uri, {"S1": "Ada"}, job_store)
    storage = open_storage(spec.uri)
    storage.put("transcript.json", storage.get("transcript.json").replace(b"pears", b"plums"))
    index.fill(job_store)

    # Then the new file was read, once
    assert [hit.job for hit in index.search("plums", 10)[1]] == [spec.job]
    storage.put("transcript.json", storage.get("transcript.json").replace(b"plums", b"pears"))
    index.fill(job_store)
    assert index.search("pears", 10)[1] == []


@pytest.fixture
def here(spec: JobSpec, job_store: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JobSpec:
    monkeypatch.chdir(tmp_path)
    return spec


def name(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["name", *arguments])


def test_the_command_names_and_prints_the_speakers(here: JobSpec) -> None:
    done = name("show", 's1=Ada "A." Example', "S2=Tom Reed", "--in", ".")

    assert done.exit_code == 0, done.output
    assert [line.split(maxsplit=2) for line in done.stdout.splitlines()] == [
        ["S1", "0:01", 'Ada "A." Example'],
        ["S2", "0:01", "Tom Reed"],
    ]
    assert named(here) == {"S1": 'Ada "A." Example', "S2": "Tom Reed"}


def test_the_command_takes_a_folder_or_a_job_and_prints_json(here: JobSpec, job_store: JobStore) -> None:
    job_store.adopt(here, ENDED)
    given = name(here.job, "S1=Ada", "--json")
    removed = name(f"show-{here.episode.id}", "S1=", "--json")
    read = name(f"show-{here.episode.id}", "--json")

    told = [json.loads(it.stdout) for it in (given, removed, read)]
    assert [it["speakers"][0]["name"] for it in told] == ["Ada", None, None]
    assert {(it["job"], it["uri"]) for it in told} == {(here.job, here.uri)}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["S1"], "'S1' names no speaker; write it as S1=\"Ada Example\", or S1= to remove the name."),
        (["Ada=S1"], "'Ada=S1' names no speaker"),
        (["S1=Ada", "s1=Tom"], "S1 is named twice; give it one name."),
    ],
)
def test_a_name_that_is_written_wrongly_is_bad_usage(here: JobSpec, arguments: list[str], sentence: str) -> None:
    done = name("show", *arguments, "--in", ".")

    assert done.exit_code == 2
    assert sentence in " ".join(done.stderr.split())
    assert named(here) == {"S1": None, "S2": None}


def test_a_speaker_who_does_not_exist_is_said_by_the_command(here: JobSpec) -> None:
    done = name("show", "S5=Ada", "--in", ".")

    assert isinstance(done.exception, DuetError)
    assert str(done.exception) == f"There is no S5 in {here.uri}; its speakers are S1, S2."


def test_a_cancelled_job_of_which_the_result_is_there_may_be_named(spec: JobSpec, job_store: JobStore) -> None:
    job_store.begin(spec)
    job_store.advance(spec, JobState.CANCELLED, ended_at=1.0)
    write_manifest(ENDED, open_storage(spec.uri))

    name_speakers(spec.uri, {"S1": "Ada"}, job_store, spec)

    assert named(spec)["S1"] == "Ada"


def files(spec: JobSpec) -> dict[str, bytes]:
    storage = open_storage(spec.uri)
    return {it: storage.get(it) for it in storage.list()}
