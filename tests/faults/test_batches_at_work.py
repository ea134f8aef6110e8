"""Batches with workers that do them: what is run, in which order, and what the shell says of it."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import JobState, Options, submit, submit_folder
from pipeline.cli import main
from pipeline.storage import open_storage
from tests.duet import TRACEBACK, Finished
from tests.faults.fleet import ROOT, TIMEOUT_S, Fleet, runs, wait_until

pytestmark = pytest.mark.xdist_group("fleet")


@pytest.fixture
def show(fleet: Fleet, tmp_path: Path) -> Path:
    """Three episodes, whose names no other test has."""
    show = tmp_path / uuid.uuid4().hex[:8]
    show.mkdir()
    for number in range(3):
        (show / f"{show.name}-{number}.mp3").write_bytes(f"ID3 {show} {number}".encode())
    return show


def stems(show: Path) -> list[str]:
    return sorted(path.stem for path in show.glob("*.mp3"))


def start(fleet: Fleet, *arguments: str | Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", *map(str, arguments)],
        env=os.environ | fleet.variables | {"COLUMNS": "200"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


Shell = Callable[..., Finished]


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The command `duet` in this process: a process of its own for each call would take longer than its work."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the signals of this process are pytest's
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path) -> Finished:
        monkeypatch.setattr(sys, "argv", ["duet", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Finished(int(ended.value.code or 0), *capsys.readouterr())

    return run


def test_other_options_run_only_the_leg_that_they_touch(fleet: Fleet, show: Path) -> None:
    submit_folder(show, fleet.results).wait(timeout=TIMEOUT_S)

    asked = submit_folder(show, fleet.results, Options(questions=("Who speaks?",)))
    assert asked.wait(timeout=TIMEOUT_S).states == {JobState.COMPLETED: 3}
    known = submit_folder(show, fleet.results, Options(questions=("Who speaks?",), language="en"))
    assert known.wait(timeout=TIMEOUT_S).states == {JobState.COMPLETED: 3}

    for stem in stems(show):
        assert len(runs(fleet.stage, "whisper", stem)) == 2, "not for the question"
        assert len(runs(fleet.stage, "voxtral", stem)) == 2, "not for the language"
        assert len(list(fleet.results.glob(f"{stem}-*"))) == 1


def test_a_renamed_folder_is_done_already(fleet: Fleet, show: Path) -> None:
    submit_folder(show, fleet.results).wait(timeout=TIMEOUT_S)
    for path in show.glob("*.mp3"):
        path.rename(path.with_name(f"renamed {path.name}"))

    batch = submit_folder(show, fleet.results)

    assert batch.progress().done_before == 3
    assert not any(runs(fleet.stage, "whisper", stem) for stem in stems(show))


def test_in_a_mixed_queue_the_single_one_goes_first_then_the_short_ones(fleet: Fleet, show: Path) -> None:
    # Given a pool at work, and behind it a batch with long episodes that come first by their names
    hold = fleet.stage.hold("whisper.ahead.0")
    ahead = fleet.submit("ahead")
    wait_until(lambda: runs(fleet.stage, "whisper", "ahead"), "the pool works")
    for number in range(2):
        long = show / f"{show.name}-0-long-{number}.mp3"
        long.write_bytes(f"ID3 {long}".encode())
        with long.open("ab") as file:
            file.truncate(70_000_000)  # a hole, which takes no room on the disk
    batch = submit_folder(show, fleet.results)

    # When somebody submits one episode, and the pool goes on
    single = submit(fleet.audio(f"{show.name}-single"), fleet.results)
    hold.unlink()
    for job in (ahead, single):
        job.result(timeout=TIMEOUT_S)
    batch.wait(timeout=TIMEOUT_S)

    # Then that one is heard next, then the short ones of the batch, then the long ones
    begun = sorted((runs(fleet.stage, "whisper", stem)[0][0], stem) for stem in [*stems(show), f"{show.name}-single"])
    order = ["single" if stem.endswith("single") else "long" if "long" in stem else "short" for _, stem in begun]
    assert order == ["single", "short", "short", "short", "long", "long"]


def test_the_shell_submits_watches_lists_and_shows(fleet: Fleet, shell: Shell, show: Path) -> None:
    (show / "empty.mp3").touch()

    submitted = shell("submit", show, "--to", fleet.results, "--json")
    batch = json.loads(submitted.out)["batch"]
    watched = shell("watch", batch, "--json")
    status = shell("status", batch, "--json")
    listed = shell("status")
    ls = shell("ls", fleet.results, "--json")
    shown = shell("show", stems(show)[1], "--in", fleet.results)

    assert (submitted.code, watched.code, status.code) == (1, 1, 1), "one could not be submitted"
    assert json.loads(submitted.out)["new"] == 3
    assert sorted(row["status"] for row in watched.rows) == ["completed"] * 3 + ["failed"]
    assert json.loads(status.out)["states"] == {"completed": 3, "failed": 1}
    assert batch in listed.out
    assert {stem for stem in stems(show) if stem != "empty"} <= {
        json.loads(line)["name"].rpartition("-")[0] for line in ls.out.splitlines()
    }
    assert (ls.code, shown.code) == (0, 0)
    assert shown.out.startswith("#"), "the notes"
    assert (fleet.results / "batch.html").is_file()


def test_every_command_counts_what_is_left_out_also_beside_one_episode(fleet: Fleet, shell: Shell, show: Path) -> None:
    # Given one episode, and beside it a text and a picture
    for path in list(show.glob("*.mp3"))[1:]:
        path.unlink()
    (show / "notes.txt").write_text("Show notes.")
    (show / "cover.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))

    # When it is submitted, followed and looked at
    run = shell("run", show, "--to", fleet.results)
    as_json = shell("run", show, "--to", fleet.results, "--json")
    submitted = shell("submit", show, "--to", fleet.results)
    watched = shell("watch", "--json")
    status = shell("status", "last")

    # Then each says how many files were left out, and which
    assert [it.code for it in (run, as_json, submitted, watched, status)] == [0] * 5
    for said in (run.out, submitted.out):
        assert "2 files left out" in said
        assert "notes.txt: it is not audio" in said
    for rows in (as_json, watched):
        assert len(rows.rows) == 1
        assert [Path(row["source"]).name for row in rows.left_out] == ["cover.png", "notes.txt"]
    assert "2 files left out, such as" in status.out


def test_the_shell_says_what_is_done_already(fleet: Fleet, shell: Shell, show: Path) -> None:
    first = shell("run", show, "--to", fleet.results)
    (show / f"{show.name}-new.mp3").write_bytes(f"ID3 new {show}".encode())

    second = shell("run", show, "--to", fleet.results)

    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert "(3 new)" in first.out
    assert "(3 done already, 1 new)" in second.out


def test_an_interrupted_run_goes_on_with_the_same_command(fleet: Fleet, shell: Shell, show: Path) -> None:
    # Given a run that finds one episode done and is at work on the next
    names = stems(show)
    submit(show / f"{names[0]}.mp3", fleet.results).result(timeout=TIMEOUT_S)
    holds = [fleet.stage.hold(f"{leg}.{name}.1") for leg in ("whisper", "voxtral") for name in names[1:]]
    process = start(fleet, "run", show, "--to", fleet.results)
    wait_until(lambda: any(runs(fleet.stage, "whisper", name) for name in names[1:]), "it works")

    # When it is interrupted and begun once more
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT_S)
    for hold in holds:
        hold.unlink()
    again = shell("run", show, "--to", fleet.results, "--json")

    # Then it says so, and nothing is heard twice
    assert process.returncode == 130
    assert "Run the same command again to resume." in err
    assert TRACEBACK not in err
    assert [row["status"] for row in again.rows] == ["completed"] * 3
    assert [len(runs(fleet.stage, "whisper", name)) for name in names] == [1, 1, 1]


def test_the_shell_cancels_a_batch(fleet: Fleet, shell: Shell, show: Path) -> None:
    holds = [fleet.stage.hold(f"{leg}.{name}.0") for leg in ("whisper", "voxtral") for name in stems(show)]
    batch = json.loads(shell("submit", show, "--to", fleet.results, "--json").out)["batch"]

    cancelled = shell("cancel", batch)
    for hold in holds:
        hold.unlink()

    assert cancelled.code == 0
    assert "Cancelled 3 episodes" in cancelled.out
    assert shell("watch", batch).code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["status", "nonsense"], 1, "There is no batch 'nonsense'"),
        (["watch", "nonsense"], 1, "There is no batch 'nonsense'"),
        (["cancel", "nonsense"], 1, "There is no batch 'nonsense'"),
        (["show", "nonsense", "--in", "{results}"], 1, "There is no episode 'nonsense'"),
        (["submit", "nowhere", "--to", "{results}"], 2, "No such file or folder: "),
        (["submit", "{results}", "--to", "{results}", "--language", "Klingon"], 2, "Whisper knows"),
        (["submit"], 2, "Missing argument"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    fleet: Fleet, shell: Shell, arguments: list[str], code: int, sentence: str
) -> None:
    done = shell(*(argument.format(results=fleet.results) for argument in arguments))

    assert done.code == code
    assert sentence in done.err


def test_the_results_of_a_place_without_any_are_none(shell: Shell, tmp_path: Path) -> None:
    done = shell("ls", tmp_path / "nothing")

    assert (done.code, open_storage((tmp_path / "nothing").as_uri()).folders()) == (0, [])
    assert "There are no episodes" in done.out
