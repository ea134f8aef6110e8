"""Corrections of an episode that has ended: in every file, undone exactly, kept by every later result."""

import getpass
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import jsonschema
import pytest
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.client.correcting import correct, corrections_of, undo
from pipeline.client.naming import name_speakers
from pipeline.client.replacements import add_rules, remove_rules
from pipeline.client.retention.removal import Remover
from pipeline.errors import ChangedMeanwhileError, JobAtWorkError, MessageError, StorageError, UnknownCorrectionError
from pipeline.http.transcript_index import TranscriptIndex
from pipeline.results.corrections.files import context_of
from pipeline.results.formats import render_all
from pipeline.results.manifest import (
    CORRECTIONS,
    changed_files,
    keep_replaced,
    read_manifest,
    read_product,
    read_shown_transcript,
)
from pipeline.results.merge import read_heard
from pipeline.results.publication import publish
from pipeline.results.speaker_names import with_user_names
from pipeline.state.job_store import JobStore
from pipeline.storage import open_storage
from pipeline.types import Analysis, Chapter, EpisodeResult, JobSpec, Publication, Transcript
from pipeline.types.corrections import Change, Rule
from pipeline.types.schemas import schema
from tests.results import dialogue, published, result

ANALYSIS = Analysis(
    source="voxtral",
    model="voxtral",
    summary="Pears and bread.",
    chapters=(Chapter(start_s=0.0, title="The paers"),),
    heard_s=9.0,
)
SPOKEN = dialogue(("S1", "We use Hub Spot for pears."), ("S2", "And we bake bread."))
SHOW = "Garden Hour"


def of_show(ended: EpisodeResult) -> EpisodeResult:
    published = Publication(feed="https://example.org/feed.xml", show=SHOW)
    return ended.model_copy(update={"episode": ended.episode.model_copy(update={"publication": published})})


ENDED = of_show(result(SPOKEN, ANALYSIS))
HUBSPOT = Change(start_s=0.6, was="Hub Spot", becomes="HubSpot")
PEARS = Change(kind="chapter", start_s=0.0, was="The paers", becomes="The pears")


@pytest.fixture
def spec(tmp_path: Path) -> JobSpec:
    """The job of an episode whose result is public."""
    return published(tmp_path, ENDED)


def public(spec: JobSpec) -> EpisodeResult:
    found = read_manifest(open_storage(spec.uri))
    assert found
    return found


def files(spec: JobSpec) -> dict[str, bytes]:
    storage = open_storage(spec.uri)
    return {it: storage.get(it) for it in storage.list()}


def test_every_file_has_the_correction_and_the_manifest_fits_them(spec: JobSpec, job_store: JobStore) -> None:
    done = correct(spec.uri, [HUBSPOT, PEARS], job_store, spec, by="Ada")

    after, storage = public(spec), open_storage(spec.uri)
    assert [(it.kind, it.was, it.becomes, it.by, it.applied) for it in done] == [
        ("words", "Hub Spot", "HubSpot", "Ada", True),
        ("chapter", "The paers", "The pears", "Ada", True),
    ]
    assert corrections_of(storage, spec) == done
    assert after.text == "We use HubSpot for pears. And we bake bread."
    assert changed_files(after, storage) == []
    assert {name: storage.get(name) for name in after.files} == render_all(after)
    for name in ("transcript.json", "transcript.srt", "transcript.podcast.json", "player.html"):
        assert b"HubSpot" in storage.get(name), name
        assert b"Hub Spot" not in storage.get(name), name
    for name in ("chapters.json", "notes.md", "analysis.json"):
        assert b"The pears" in storage.get(name), name
    assert set(storage.list()) == {*after.files, "result.json", CORRECTIONS}


def test_undo_restores_every_byte(spec: JobSpec, job_store: JobStore) -> None:
    before = files(spec)
    done = correct(spec.uri, [HUBSPOT, PEARS, Change(start_s=3.1, was="bread.", becomes="")], job_store)

    for it in done:
        undo(spec.uri, it.id, job_store)

    assert files(spec) == before


def test_what_the_models_made_is_read_as_they_made_it(spec: JobSpec, job_store: JobStore) -> None:
    storage = open_storage(spec.uri)
    heard, product, analysis = read_heard(spec, storage), read_product(spec, "whisper", storage), public(spec).analysis

    correct(spec.uri, [HUBSPOT, PEARS], job_store)

    assert read_product(spec, "whisper", storage) == product
    assert read_heard(spec, storage) == heard
    assert Analysis.from_json(read_product(spec, "voxtral", storage)) == analysis
    assert "HubSpot" in Transcript.from_json(read_shown_transcript(spec, storage)).text


def test_another_job_of_the_episode_keeps_the_corrections(spec: JobSpec, job_store: JobStore) -> None:
    # Given a correction that fits the new transcript nearby, and one that does not
    done = correct(spec.uri, [HUBSPOT, Change(start_s=3.1, was="bread.", becomes="cake.")], job_store)
    storage = open_storage(spec.uri)
    whole = read_product(spec, "whisper", storage)

    # When another job's result replaces the public one
    spoken = dialogue(("S1", "We use Hub Spot for pears."), ("S2", "And we bake breads."), start_s=0.4)
    other = ENDED.model_copy(update={"job": f"{spec.episode.id}-ffffffff", "transcript": spoken})
    publish(other, spec.model_copy(update={"job": other.job}), storage)

    # Then the first is applied, the second is kept, and the earlier job's product is whole
    assert public(spec).text == "We use HubSpot for pears. And we bake breads."
    assert [(it.id, it.applied) for it in corrections_of(storage)] == [(done[0].id, True), (done[1].id, False)]
    assert read_product(spec, "whisper", storage) == whole

    # And it is there again with the words that it is of
    publish(ENDED, spec, storage)
    assert public(spec).text == "We use HubSpot for pears. And we bake cake."


def test_a_name_given_later_stays_and_corrections_do_too(spec: JobSpec, job_store: JobStore) -> None:
    done = correct(spec.uri, [HUBSPOT], job_store)
    name_speakers(spec.uri, {"S1": "Ada"}, job_store)
    assert "HubSpot" in public(spec).text

    undo(spec.uri, done[0].id, job_store)

    assert public(spec).transcript == with_user_names(SPOKEN, {"S1": "Ada"})


def test_what_is_not_there_is_a_conflict_and_nothing_is_written(spec: JobSpec, job_store: JobStore) -> None:
    before = files(spec)

    with pytest.raises(ChangedMeanwhileError) as caught:
        correct(spec.uri, [HUBSPOT, Change(start_s=0.6, was="Hub Spot", becomes="Hub")], job_store)

    assert str(caught.value) == (
        "The text at 0:01 is 'HubSpot for' now, not 'Hub Spot'; load the episode and correct that."
    )
    assert files(spec) == before


def test_two_who_change_the_same_words_and_two_who_do_not(spec: JobSpec, job_store: JobStore) -> None:
    def attempt(change: Change) -> str:
        start.wait()
        try:
            correct(spec.uri, [change], job_store)
        except (ChangedMeanwhileError, JobAtWorkError):
            return "refused"
        return "made"

    # When two change different words at once, then both are there
    start = Barrier(2)
    with ThreadPoolExecutor(2) as threads:
        made = list(threads.map(attempt, [HUBSPOT, Change(start_s=3.1, was="bread.", becomes="cake.")]))
    assert made == ["made", "made"]
    assert public(spec).text == "We use HubSpot for pears. And we bake cake."

    # When two change the same words at once, then one is told that they are others now
    with ThreadPoolExecutor(2) as threads:
        rivals = [Change(start_s=1.5, was="pears.", becomes=it) for it in ("plums.", "figs.")]
        assert sorted(threads.map(attempt, rivals)) == ["made", "refused"]
    assert changed_files(public(spec), open_storage(spec.uri)) == []
    assert len(corrections_of(open_storage(spec.uri))) == 3


def test_a_correction_of_a_correction_is_undone_last_first(spec: JobSpec, job_store: JobStore) -> None:
    first, second = correct(spec.uri, [HUBSPOT, Change(start_s=0.6, was="HubSpot", becomes="Hubspot,")], job_store)

    with pytest.raises(ChangedMeanwhileError, match=f"Correction {second.id} at 0:01 .* undo that one first"):
        undo(spec.uri, first.id, job_store)
    undo(spec.uri, second.id, job_store)
    assert "HubSpot for" in public(spec).text
    with pytest.raises(UnknownCorrectionError, match="it may have been undone"):
        undo(spec.uri, second.id, job_store)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ([], "Give at least one change."),
        ([HUBSPOT] * 1001, "At most 1,000 changes can be made at once, and these are 1,001."),
        ([PEARS.model_copy(update={"becomes": ""})], "The chapter at 0:00 needs a title."),
        ([PEARS.model_copy(update={"always": True})], "Only words, at most 100 characters of them"),
    ],
)
def test_what_cannot_be_changed_is_said(
    spec: JobSpec, job_store: JobStore, changes: list[Change], sentence: str
) -> None:
    with pytest.raises(MessageError, match=sentence.split(",")[0]):
        correct(spec.uri, changes, job_store)


def test_the_index_finds_the_corrected_words(spec: JobSpec, job_store: JobStore, tmp_path: Path) -> None:
    job_store.adopt(spec, ENDED)
    index = TranscriptIndex(tmp_path / "index.sqlite")
    index.fill(job_store)
    assert index.search("hubspot", 10)[1] == []

    correct(spec.uri, [HUBSPOT], job_store)
    index.fill(job_store)

    assert [hit.job for hit in index.search("hubspot", 10)[1]] == [spec.job]
    assert index.search("hub", 10)[1][0].excerpt.count("HubSpot") == 1


def test_rules_change_new_episodes_of_their_show(job_store: JobStore, tmp_path: Path) -> None:
    place = tmp_path.as_uri()
    add_rules(place, [Rule(show="garden hour", was="hub spot", becomes="HubSpot", by="Ada")], job_store)
    add_rules(place, [Rule(show="Other", was="pears", becomes="plums")], job_store)

    spec = published(tmp_path, ENDED)

    (made,) = corrections_of(open_storage(spec.uri))
    assert public(spec).text == "We use HubSpot for pears. And we bake bread."
    assert (made.was, made.becomes, made.rule, made.by) == ("Hub Spot", "HubSpot", "hub spot", "Ada")

    # And one that a reader undoes stays undone in the next result
    assert undo(spec.uri, made.id, job_store) == []
    publish(ENDED, spec, open_storage(spec.uri))
    assert public(spec).text == SPOKEN.text

    # And a rule that is removed changes nothing any more
    assert [it.show for it in remove_rules(place, "Garden Hour", ["hub spot"], job_store)] == ["Other"]
    with pytest.raises(MessageError, match="There is no rule for 'hub spot' for 'Garden Hour' in"):
        remove_rules(place, "Garden Hour", ["hub spot"], job_store)


def test_a_correction_may_become_a_rule_for_the_show(spec: JobSpec, job_store: JobStore, tmp_path: Path) -> None:
    twice = dialogue(("S1", "We use Hub Spot for pears."), ("S2", "And Hub Spot, too."))
    publish(ENDED.model_copy(update={"transcript": twice}), spec, open_storage(spec.uri))

    done = correct(spec.uri, [HUBSPOT.model_copy(update={"always": True})], job_store, by="Ada")

    assert [(it.was, it.rule) for it in done] == [("Hub Spot", ""), ("Hub Spot,", "Hub Spot")]
    assert public(spec).text == "We use HubSpot for pears. And HubSpot, too."
    kept = json.loads((tmp_path / "replacements.json").read_text())["rules"]
    assert kept == [{"show": SHOW, "was": "Hub Spot", "becomes": "HubSpot", "by": "Ada"}]


def test_damaged_files_stop_no_job_and_are_told_to_who_corrects(
    spec: JobSpec, job_store: JobStore, tmp_path: Path
) -> None:
    storage = open_storage(spec.uri)
    storage.put(CORRECTIONS, b"{")
    (tmp_path / "replacements.json").write_bytes(b"[]")

    publish(ENDED, spec, storage)

    assert public(spec).text == SPOKEN.text
    assert storage.get(CORRECTIONS) == b"{"
    with pytest.raises(StorageError, match=r"corrections\.json is damaged; restore it, or remove it"):
        correct(spec.uri, [HUBSPOT], job_store)


def test_removal_of_the_episode_removes_its_corrections(spec: JobSpec, job_store: JobStore) -> None:
    correct(spec.uri, [HUBSPOT], job_store)
    job_store.adopt(spec, ENDED)
    remover = Remover(job_store)

    remover.erase(remover.of_job(spec.job))

    assert open_storage(spec.uri).list() == []


def test_a_replaced_result_keeps_its_corrected_text(spec: JobSpec, job_store: JobStore) -> None:
    correct(spec.uri, [HUBSPOT], job_store)
    storage = open_storage(spec.uri)

    keep_replaced(public(spec), ENDED.model_copy(update={"job": f"{spec.episode.id}-ffffffff"}), storage)

    kept = read_manifest(storage, f".work/{spec.job}/result.json")
    assert kept
    assert "HubSpot" in kept.text
    assert b"Hub Spot" in storage.get(f".work/{spec.job}/transcript.json")


@pytest.fixture
def here(spec: JobSpec, job_store: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JobSpec:
    monkeypatch.chdir(tmp_path)
    return spec


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["correct", *arguments, "--in", "."])


def test_the_command_takes_edited_captions_lists_and_undoes(here: JobSpec) -> None:
    captions = open_storage(here.uri).get("transcript.srt").decode()
    Path("edited.srt").write_text(captions.replace("Hub Spot", "HubSpot"))

    done = command("show", "edited.srt", "--json")

    assert done.exit_code == 0, done.output
    (made,) = json.loads(done.stdout)["corrections"]
    assert (made["was"], made["becomes"], made["by"]) == ("Hub Spot", "HubSpot", getpass.getuser())
    assert "We use HubSpot for pears." in open_storage(here.uri).get("transcript.srt").decode()
    jsonschema.validate(json.loads(open_storage(here.uri).get(CORRECTIONS)), schema("corrections"))
    listed = command("show").stdout
    assert listed.split()[:5] == [made["id"], "0:01", "Hub", "Spot", "→"]
    assert command("show", "--undo", made["id"]).stdout == "There are no corrections.\n"
    assert public(here).text == SPOKEN.text


def test_the_command_adds_lists_and_removes_rules_of_a_show(here: JobSpec, tmp_path: Path) -> None:
    added = command("--show", SHOW, "hub spot=HubSpot", "um=")

    assert added.stdout.splitlines() == ["hub spot → HubSpot  Garden Hour", "um → (removed)  Garden Hour"]
    jsonschema.validate(json.loads((tmp_path / "replacements.json").read_text()), schema("replacements"))
    assert command("--show", "another").stdout == "There are no rules.\n"
    assert command("--show", "*").stdout == added.stdout
    assert command("--show", SHOW, "--remove", "um").stdout == "hub spot → HubSpot  Garden Hour\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Give an episode, and the file with its changes; with --undo, the episode alone."),
        (["show", "x.srt", "--undo", "0"], "Give an episode, and the file with its changes; with --undo, the episode"),
        (["show", "x.srt"], "No such file: x.srt."),
        (
            ["--show", "A", "hubspot"],
            "'hubspot' is no rule; write it as 'Hub Spot=HubSpot', or 'um=' to remove a word.",
        ),
        (["--show", "A", "=x"], "'=x' is no rule; write it as"),
        (["show", "--remove", "um"], "--remove needs the show whose rule it is; add --show SHOW."),
    ],
)
def test_what_is_written_wrongly_is_bad_usage(here: JobSpec, arguments: list[str], sentence: str) -> None:
    done = command(*arguments)

    assert done.exit_code == 2
    assert sentence in " ".join(done.stderr.split())


def test_the_models_are_told_the_spellings_of_the_show(spec: JobSpec, job_store: JobStore, tmp_path: Path) -> None:
    before = spec.model_dump()
    add_rules(tmp_path.as_uri(), [Rule(was="all", becomes="All"), Rule(was="um", becomes="")], job_store)
    add_rules(tmp_path.as_uri(), [Rule(show=SHOW, was="hub spot", becomes="HubSpot")], job_store)
    add_rules(tmp_path.as_uri(), [Rule(show="Other", was="x", becomes="Y")], job_store)

    assert context_of(spec).names == ("HubSpot", "All")
    assert spec.model_dump() == before, "the job is the same, and so is its id"
