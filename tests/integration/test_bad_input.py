"""Bad input gets one clear sentence, and the rest goes on."""

import json
from pathlib import Path

import pytest

from tests.duet import TRACEBACK, Duet, Finished, excerpt, silence
from tests.mutations import silent_wav

pytestmark = pytest.mark.xdist_group("bad-input")

SENTENCES = {
    "absurd.wav": ("failed", "claims a sound of 1 Hz"),
    "empty.mp3": ("failed", "is empty (0 bytes)"),
    "good.wav": ("completed", ""),
    "not-there.mp3": ("failed", "not-there.mp3."),
    "silent.wav": ("partial", "No speech was found in 0:05 of audio"),
    "text.mp3": ("failed", "cannot be decoded as audio"),
    "truncated.m4a": ("partial", "of 1:06 is there"),
    "truncated.mp3": ("partial", "of 0:59 is there"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, episodes: dict[str, Path]) -> Path:
    folder = tmp_path_factory.mktemp("podcasts")
    excerpt(episodes["corner-shop"], 8.0, folder / "good.wav")
    silence(5.0, folder / "silent.wav")
    silent_wav(folder / "absurd.wav", 100_000, rate_hz=1)
    (folder / "empty.mp3").touch()
    (folder / "text.mp3").write_text("These are the show notes, not the show.\n" * 50)
    mp3, m4a = episodes["garden-hour"].read_bytes(), episodes["corner-shop"].read_bytes()
    (folder / "truncated.mp3").write_bytes(mp3[: len(mp3) // 4])
    (folder / "truncated.m4a").write_bytes(m4a[: len(m4a) // 4])
    return folder


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Finished:
    duet = Duet(tmp_path_factory.mktemp("bad"), cache)
    done = duet("run", folder, folder / "not-there.mp3", "--to", folder / "out", "--json")
    assert duet.processes() == []
    return done


def test_each_episode_has_its_sentence_and_the_exit_status_is_1(finished: Finished) -> None:
    assert finished.code == 1
    assert TRACEBACK not in finished.out + finished.err
    found = {Path(row["source"]).name: row for row in finished.rows}
    assert sorted(found) == sorted(SENTENCES)
    for name, (status, sentence) in SENTENCES.items():
        assert found[name]["status"] == status, found[name]
        assert sentence in found[name]["reason"], found[name]


def test_the_manifest_says_the_same(finished: Finished) -> None:
    for row in finished.rows:
        if row["uri"]:
            manifest = json.loads((Path(row["uri"].removeprefix("file://")) / "result.json").read_text())
            assert manifest["state"] == row["status"]
            assert manifest["reason"] == row["reason"]


def test_silence_gets_no_invented_words(finished: Finished) -> None:
    (row,) = (row for row in finished.rows if "silent" in row["source"])
    transcript = json.loads((Path(row["uri"].removeprefix("file://")) / "transcript.json").read_text())
    assert transcript["text"] == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere", "--to", "out"], "No such file or folder: "),
        (["{folder}/hollow", "--to", "out"], "holds no audio file"),
        (["{folder}/good.wav"], "--to"),
        (["{folder}/good.wav", "--to", "out", "--loud"], "No such option: --loud"),
        (["{folder}/good.wav", "--to", "out", "--language", "Klingon"], "Whisper knows"),
    ],
)
def test_bad_usage_is_one_sentence_and_status_2(duet: Duet, folder: Path, arguments: list[str], sentence: str) -> None:
    (folder / "hollow").mkdir(exist_ok=True)

    done = duet("run", *(argument.format(folder=folder) for argument in arguments))

    assert done.code == 2
    assert sentence in done.err
    assert TRACEBACK not in done.out + done.err


def test_a_destination_that_cannot_be_written_is_said_for_every_episode(duet: Duet, folder: Path) -> None:
    (folder / "a-file").write_text("in the way")

    done = duet("run", folder / "good.wav", folder / "silent.wav", "--to", folder / "a-file" / "out", "--json")

    assert done.code == 1
    assert [row["status"] for row in done.rows] == ["failed"] * 2
    assert all("a-file" in row["reason"] and "another folder" in row["reason"] for row in done.rows)
    assert TRACEBACK not in done.err


def test_a_destination_of_an_unknown_kind_is_said(duet: Duet, folder: Path) -> None:
    done = duet("run", folder / "good.wav", "--to", "ftp://host/folder", "--json")

    assert done.code == 1
    assert "use a folder, file:///folder or s3://bucket/prefix" in done.rows[0]["reason"]


def test_a_broker_that_is_not_there_is_said_and_status_1(duet: Duet, folder: Path) -> None:
    done = duet("run", folder / "good.wav", "--to", folder / "out", DUET_BROKER_URL="redis://:secret@127.0.0.1:1/0")

    assert done.code == 1
    assert "redis://127.0.0.1:1/0 does not answer" in done.err
    assert "secret" not in done.out + done.err
    assert TRACEBACK not in done.err


def test_a_setting_that_cannot_be_used_is_said(duet: Duet, folder: Path) -> None:
    done = duet("run", folder / "good.wav", "--to", folder / "out", DUET_RETRY_LIMIT="many")

    assert done.code == 1
    assert "DUET_RETRY_LIMIT='many' cannot be used" in done.err
    assert TRACEBACK not in done.err


def test_a_model_that_is_not_there_is_said_before_an_episode_is_taken(duet: Duet, folder: Path) -> None:
    done = duet("run", folder / "good.wav", "--to", folder / "elsewhere", DUET_WHISPER_MODEL="enormous")

    assert done.code == 1
    assert "DUET_WHISPER_MODEL='enormous' is neither a file nor one of tiny.en" in done.err
    assert TRACEBACK not in done.err
