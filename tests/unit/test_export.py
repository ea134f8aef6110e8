"""`duet export` as a person calls it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.errors import StorageError
from pipeline.results.formats import FORMATS, render_all
from tests.results import merged, result, segment
from tests.unit.test_formats import FOUND, TALK, of_dialogue

DONE = of_dialogue(TALK, FOUND)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What an episode left, of which only the manifest is still there."""
    (tmp_path / "result.json").write_bytes(DONE.to_json())
    return tmp_path


def export(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_help_names_every_format() -> None:
    assert f"[{'|'.join(FORMATS)}]" in CliRunner().invoke(app, ["export", "--help"], env={"COLUMNS": "400"}).stdout


def test_an_unknown_format_is_refused_with_the_names_of_those_that_exist(folder: Path) -> None:
    done = export(folder, "--format", "docx")

    assert done.exit_code == 2
    assert "'docx' is no format; there are json, txt," in " ".join(done.stderr.split())


@pytest.mark.parametrize("name", FORMATS)
def test_each_form_is_made_again_byte_by_byte_from_the_manifest_alone(folder: Path, name: str) -> None:
    done = export(folder, "--format", name)

    assert done.exit_code == 0, done.output
    assert done.stdout_bytes == render_all(DONE)[FORMATS[name].file]


def test_the_manifest_itself_may_be_named(folder: Path) -> None:
    assert export(folder / "result.json", "--format", "txt").stdout == FORMATS["txt"].render(DONE)


def test_all_forms_go_to_a_folder(folder: Path, tmp_path: Path) -> None:
    done = export(folder, "--to", tmp_path / "again")

    assert done.exit_code == 0, done.output
    assert {file.name: file.read_bytes() for file in (tmp_path / "again").iterdir()} == render_all(DONE)


def test_the_player_may_hold_the_audio(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "show.mp3").write_bytes(b"not really audio")

    done = export(folder, "--format", "player", "--audio", tmp_path / "show.mp3")

    assert 'src="data:audio/mpeg;base64,bm90IHJlYWxseSBhdWRpbw=="' in done.stdout


def test_several_forms_need_a_folder(folder: Path) -> None:
    done = export(folder)

    assert done.exit_code == 2
    assert "add --to FOLDER" in done.stderr


def test_audio_that_is_not_there_is_said(folder: Path) -> None:
    done = export(folder, "--format", "player", "--audio", "nothing.mp3")

    assert done.exit_code == 2
    assert "No such file: nothing.mp3." in done.stderr


def test_a_folder_without_a_manifest_is_said(tmp_path: Path) -> None:
    assert isinstance(export(tmp_path, "--format", "srt").exception, StorageError)
    (tmp_path / "result.json").write_text("{}")
    damaged = export(tmp_path, "--format", "srt").exception
    assert "damaged or of another version" in str(damaged)


def test_a_form_that_there_is_nothing_for_is_said(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_bytes(result(merged(segment("Hello there.", 0.0))).to_json())

    assert "has nothing for chapters.json" in str(export(tmp_path, "--format", "chapters").exception)
    said = str(export(tmp_path, "--format", "speakers").exception)
    assert said.endswith("has nothing for speakers.json: its speakers were not told apart.")
