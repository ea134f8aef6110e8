"""`duet run` on the sample episodes, with the real models, pools and Valkey."""

import json
from pathlib import Path

import jiwer
import jsonschema
import pytest
from whisper.normalizers import EnglishTextNormalizer

from pipeline.types.schemas import schema
from tests.duet import TRACEBACK, Duet, Finished

pytestmark = pytest.mark.xdist_group("run")
ROW_FIELDS = ["episode", "job", "source", "title", "status", "outline", "audio_s"]
ROW_FIELDS += ["transcript_s", "total_s", "uri", "reason"]
WORD_ERROR_RATE_LIMIT = 0.12


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Duet:
    return Duet(tmp_path_factory.mktemp("run"), cache)


@pytest.fixture(scope="module")
def finished(runner: Duet, episodes: dict[str, Path], results: Path) -> Finished:
    return runner("run", next(iter(episodes.values())).parent, "--to", results, "--json")


def folder_of(results: Path, stem: str) -> Path:
    (folder,) = results.glob(f"{stem}-*")
    return folder


def test_a_folder_of_episodes_ends_with_a_line_for_each_and_status_0(finished: Finished) -> None:
    assert finished.code == 0, finished.err
    assert [row["status"] for row in finished.rows] == ["completed"] * 4
    for row in finished.rows:
        assert list(row) == ROW_FIELDS
        assert 50 < row["audio_s"] < 75
        assert 0 < row["transcript_s"] <= row["total_s"]
        assert row["reason"] == "", "nothing is missing that this machine could have done"


def test_no_process_is_left_when_it_ends(finished: Finished, runner: Duet) -> None:
    assert finished.code == 0
    assert runner.processes() == []


def test_a_question_where_there_is_no_voxtral_is_answered_with_a_sentence(
    finished: Finished, runner: Duet, results: Path
) -> None:
    assert finished.code == 0
    asked = runner("ask", "garden-hour", "Which tree is it about?", "--in", results)
    assert asked.code == 1
    assert asked.err.startswith("Voxtral cannot answer here: ")
    assert TRACEBACK not in asked.err
    assert runner.processes() == []


def test_a_question_that_is_none_is_refused_before_anything_is_started(finished: Finished, runner: Duet) -> None:
    assert finished.code == 0
    asked = runner("ask", "garden-hour", "  ")
    assert asked.code == 1
    assert asked.err.strip() == "A question has 1 to 500 characters, and this has 0; reword it."


def test_every_transcript_is_right(finished: Finished, results: Path, episodes: dict[str, Path]) -> None:
    normalise = EnglishTextNormalizer()
    assert finished.code == 0
    for stem, audio in episodes.items():
        script = audio.with_suffix(".txt").read_text()
        heard = (folder_of(results, stem) / "transcript.txt").read_text()
        assert jiwer.wer(normalise(script), normalise(heard)) < WORD_ERROR_RATE_LIMIT, stem


def test_the_two_people_of_an_episode_are_in_every_file(
    finished: Finished, results: Path, episodes: dict[str, Path]
) -> None:
    # Given a talk whose script has a turn a line, of two people in turn, who say their names
    assert finished.code == 0
    folder, people = folder_of(results, "ocean-talk"), ("Ada Brooke", "Peter Reed")
    turns = episodes["ocean-talk"].with_suffix(".txt").read_text().splitlines()

    # Then each turn is a paragraph of the right one of them
    text = (folder / "transcript.txt").read_text().strip().split("\n\n")
    assert [it.partition(": ")[0] for it in text] == [people[number % 2] for number in range(len(turns))]

    # And both are named wherever it is said who speaks
    for name in ("srt", "vtt", "podcast.json", "json"):
        said = (folder / f"transcript.{name}").read_text()
        assert all(person in said for person in people), name
    for name in ("speakers.json", "notes.md", "player.html", "result.json"):
        said = (folder / name).read_text()
        assert all(person in said for person in people), name
    result = json.loads((folder / "result.json").read_text())
    assert [it["quote_s"] for it in result["transcript"]["speakers"]] == pytest.approx([0.0, 0.0], abs=1.0)
    assert {word["speaker"] for it in result["transcript"]["segments"] for word in it["words"]} == {"S1", "S2"}

    # And episodes of one voice name nobody
    assert ": " not in (folder_of(results, "garden-hour") / "transcript.txt").read_text()[:40]


def test_every_json_validates_against_the_schema_we_ship(finished: Finished, results: Path) -> None:
    assert finished.code == 0
    written = [*results.glob("*.json"), *results.glob("*/*.json")]
    assert {file.name for file in written} >= {
        "batch.json",
        "transcript.json",
        "transcript.podcast.json",
        "result.json",
    }
    for file in written:
        jsonschema.validate(json.loads(file.read_text()), schema(file.stem))


def test_the_manifest_names_every_other_file_and_its_digest(finished: Finished, results: Path) -> None:
    import hashlib

    assert finished.code == 0
    for manifest in results.glob("*/result.json"):
        files = json.loads(manifest.read_text())["files"]
        there = {file.name for file in manifest.parent.iterdir()} - {"result.json"}
        assert set(files) == there
        for name, digest in files.items():
            assert hashlib.sha256((manifest.parent / name).read_bytes()).hexdigest() == digest


def test_words_have_times_that_ascend_within_the_audio(finished: Finished, results: Path) -> None:
    assert finished.code == 0
    for file in results.glob("*/transcript.json"):
        transcript = json.loads(file.read_text())
        words = [word for segment in transcript["segments"] for word in segment["words"]]
        starts = [word["start"] for word in words]
        assert len(words) > 100
        assert starts == sorted(starts)
        assert words[-1]["end"] <= transcript["audio_s"] + 0.1


def test_the_same_folder_again_is_done_already(finished: Finished, runner: Duet, results: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in results.rglob("*.json")}

    again = runner("run", *(row["source"] for row in finished.rows), "--to", results)

    assert again.code == 0
    assert "(4 done already)" in again.out
    assert {file: file.stat().st_mtime_ns for file in results.rglob("*.json")} == before
    assert TRACEBACK not in again.out + again.err
