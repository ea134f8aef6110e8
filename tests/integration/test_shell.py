"""The command line on odd terminals, pipes and machines: one sentence or none, never a traceback."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.logs import sentence_of
from pipeline.results.manifest import write_manifest
from pipeline.storage import open_storage
from pipeline.types import Analysis
from tests.batches import write_audio
from tests.duet import TRACEBACK, Duet
from tests.results import merged, result, segment

NOBODY = 65534
CYRILLIC = "Садовый час"
EPISODE = f"show-{1:016}"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Fifty episodes that were done."""
    spoken = merged(segment(f"{CYRILLIC} one two.", 0.0))
    done = result(spoken, Analysis(source="voxtral", model="m", summary=CYRILLIC, title=CYRILLIC, heard_s=1.0))
    for number in range(50):
        storage = open_storage((tmp_path / "results" / f"show-{number:016}").as_uri())
        storage.put("notes.md", f"# {CYRILLIC}\n".encode())
        write_manifest(done, storage)
    return tmp_path / "results"


def run(duet: Duet, *arguments: str | Path, stdout: int | None = subprocess.PIPE, **more: object) -> tuple[int, str]:
    """Run a command with a standard output of its own; return its exit status and what it says on the other."""
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("duet")), *map(str, arguments)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        **({"env": duet.environment} | more),  # type: ignore[call-overload]
    )
    _, err = process.communicate(timeout=120)
    assert TRACEBACK not in err
    assert "Exception ignored" not in err
    return process.returncode, err


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
@pytest.mark.parametrize("command", [["ls"], ["ls", "--json"], ["show", EPISODE, "--in"]])
def test_a_terminal_without_the_letters_gets_others_in_their_place(
    duet: Duet, results: Path, encoding: str, command: list[str]
) -> None:
    done = duet(*command, results, PYTHONIOENCODING=encoding, LC_ALL="C")

    assert done.code == 0
    assert TRACEBACK not in done.err
    assert done.out


@pytest.mark.parametrize("command", [["show", EPISODE, "--json", "--in"], ["export", "--format", "txt"]])
def test_what_a_file_holds_is_passed_on_whole_whatever_the_terminal_has(
    duet: Duet, results: Path, command: list[str]
) -> None:
    place = results / EPISODE if command[0] == "export" else results

    done = duet(*command, place, PYTHONIOENCODING="latin-1:strict")

    assert CYRILLIC in done.out


@pytest.mark.parametrize("command", [["ls"], ["ls", "--json"], ["show", EPISODE, "--json", "--in"]])
def test_a_full_output_is_said_in_a_sentence_and_status_1(duet: Duet, results: Path, command: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        code, err = run(duet, *command, results, stdout=full.fileno())

    assert (code, err) == (1, "Standard output cannot be written: No space left on device.\n")


@pytest.mark.parametrize("command", [["ls"], ["ls", "--json"], ["show", EPISODE, "--json", "--in"]])
def test_an_output_that_nobody_reads_ends_a_command_without_a_word(
    duet: Duet, results: Path, command: list[str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        code, err = run(duet, *command, results, stdout=writer)
    finally:
        os.close(writer)

    assert (code, err) == (141, ""), "as a shell says it of any program in a pipe"


def test_an_output_that_is_closed_ends_a_command_without_a_word(duet: Duet, results: Path) -> None:
    for command in (["ls"], ["show", EPISODE, "--json", "--in"]):
        assert run(duet, *command, results, stdout=None, preexec_fn=lambda: os.close(1)) == (0, "")


@pytest.mark.parametrize("command", [["run", "{audio}", "--to", "{to}"], ["failed"], ["status"], ["up"]])
def test_a_home_that_cannot_be_written_is_said_in_a_sentence(duet: Duet, tmp_path: Path, command: list[str]) -> None:
    write_audio(tmp_path, "a.mp3")
    (tmp_path / "home").write_text("This is a file.")
    clean = {name: value for name, value in duet.environment.items() if not name.startswith(("DUET_", "XDG_"))}

    code, err = run(
        duet,
        *(part.format(audio=tmp_path / "a.mp3", to=tmp_path / "out") for part in command),
        env=clean | {"HOME": str(tmp_path / "home")},
    )

    assert code == 1
    assert len(err.splitlines()) <= 2
    assert f"{tmp_path / 'home'}" in err or "There is no broker" in err


def test_a_refused_folder_is_said_with_what_to_do() -> None:
    refused = PermissionError(errno.EACCES, "Permission denied", "/home/me/.local/state/duet")

    assert sentence_of(refused) == (
        "/home/me/.local/state/duet cannot be written or read: Permission denied; "
        "give yourself the right, or set DUET_STATE_DIR and DUET_CACHE_DIR to folders of yours."
    )


@pytest.mark.parametrize("command", ["run", "submit"])
def test_an_empty_destination_is_bad_usage(duet: Duet, tmp_path: Path, command: str) -> None:
    write_audio(tmp_path, "a.mp3")

    done = duet(command, tmp_path / "a.mp3", "--to", "")

    assert done.code == 2
    assert done.err == "--to is empty; name a folder, file:///folder or s3://bucket/prefix.\n"


@pytest.mark.parametrize(
    ("to", "sentence"),
    [
        ("{folder}/a.mp3/out", "what is above it is a file; choose another folder."),
        ("/proc/out", "No folder can be made at /proc/out; choose another folder."),
        ("{folder}/" + "x" * 300, "File name too long; choose another folder."),
    ],
)
def test_a_destination_that_cannot_be_made_is_said_as_what_it_is(
    duet: Duet, tmp_path: Path, to: str, sentence: str
) -> None:
    write_audio(tmp_path, "a.mp3", "b.txt")

    done = duet("run", tmp_path, "--to", to.format(folder=tmp_path))

    assert done.code == 1
    assert " ".join(done.err.split()).count(sentence) == 1
    assert "free some space" not in done.err


def test_what_is_left_out_is_said_where_nothing_can_be_written_too(duet: Duet, tmp_path: Path) -> None:
    write_audio(tmp_path, "a.mp3")
    (tmp_path / "b.txt").write_text("Notes.")

    done = duet("run", tmp_path, "--to", "/proc/out", "--json")

    assert [row["status"] for row in done.rows] == ["failed"]
    assert [Path(row["source"]).name for row in done.left_out] == ["b.txt"]
