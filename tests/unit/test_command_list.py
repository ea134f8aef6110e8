"""The list of commands, and what happens before one is run."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.cli.commands import ENTRIES, unwrapped
from pipeline.sources import LocalFile, Skipped, find_all
from tests.batches import write_audio
from tests.results import merged, result, segment


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_is_listed_in_its_panel(option: str) -> None:
    shown = CliRunner().invoke(app, [option], env={"COLUMNS": "80"}).output

    assert all(f"│ {entry.name} " in shown and entry.summary in shown for entry in ENTRIES)
    assert all(f"─ {panel} ─" in shown for panel in ("Work", "Look", "Services", "Machines"))


def test_the_list_imports_no_command() -> None:
    script = "import sys; from pipeline.cli import app; app(['-h'], standalone_mode=False); print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert not {"pipeline.types", "pipeline.cli.run", "pydantic"} & set(shown.split())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda it: it.name)
def test_every_command_has_help_with_an_example(entry: object) -> None:
    shown = CliRunner().invoke(app, [entry.name, "-h"], env={"COLUMNS": "200"})  # type: ignore[attr-defined]

    assert shown.exit_code == 0
    assert "Example: " in shown.output or "Commands" in shown.output


def test_the_version_is_one_line() -> None:
    shown = CliRunner().invoke(app, ["--version"]).output

    assert shown.startswith("duet ")
    assert len(shown.splitlines()) == 1


def test_a_paragraph_of_a_docstring_is_one_line() -> None:
    assert unwrapped("One\n    two.\n\n    Three\n    four.\n    ") == "One two.\n\nThree four."


def test_a_place_without_audio_beside_another_is_left_out_and_no_failure(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "notes.txt").write_text("Notes.")
    write_audio(tmp_path, "a.mp3")

    bare, episode = find_all([tmp_path / "bare", tmp_path / "a.mp3"])

    assert bare == Skipped(str(tmp_path / "bare"), "it holds no audio file")
    assert isinstance(episode, LocalFile)


def test_an_episode_is_listed_and_its_player_is_named_where_there_is_no_display(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    folder = tmp_path / "show-0123456789abcdef"
    folder.mkdir()
    (folder / "result.json").write_bytes(result(merged(segment("One two.", 0.0))).to_json())

    listed = CliRunner().invoke(app, ["ls", str(tmp_path)], env={"COLUMNS": "80"}).output
    without = CliRunner().invoke(app, ["open", "show", "--in", str(tmp_path)])
    (folder / "player.html").write_text("<p>A player.")
    opened = CliRunner().invoke(app, ["open", "show", "--in", str(tmp_path)])

    assert "0123456  show.mp3" in listed
    assert "completed" in listed
    assert (without.exit_code, opened.exit_code) == (2, 0)
    assert opened.output.strip() == str(folder / "player.html")
