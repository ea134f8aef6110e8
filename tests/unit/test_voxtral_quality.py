"""The check of Voxtral's quality, with a tiny model and a simulated server, which prove the way and no quality."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.settings import settings
from tests import voxtral_checkpoint
from tests.quality import report, voxtral
from tests.quality.measure import AnswerCounter
from tests.quality.references import FolderError, audio_of, references
from tests.voxtral_server import DETAILS, OVERVIEW, VoxtralServer, running_server
from workers import device
from workers.audio.audio_file import SAMPLE_RATE_HZ, load
from workers.voxtral import device_loading
from workers.weights import voxtral as voxtral_weights

torch.set_num_threads(1)
EPISODES = Path(__file__).parents[1] / "episodes"
SECONDS_A_LETTER = 1 / 15


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An episode of a minute, and its reference with a segment for each paragraph."""
    path = tmp_path / "audio"
    path.mkdir()
    shutil.copy(EPISODES / "corner-shop.m4a", path)
    segments: list[dict[str, Any]] = []
    for text in (EPISODES / "corner-shop.txt").read_text().splitlines():
        start = segments[-1]["end"] if segments else 0.0
        segments.append({"start": start, "end": start + len(text) * SECONDS_A_LETTER, "text": text})
    (path / "corner-shop.ref.json").write_text(json.dumps({"duration_s": 60.0, "segments": segments}))
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint that ends its answers soon."""
    folder = voxtral_checkpoint.build(tmp_path_factory.mktemp("voxtral"), seed=3)
    tiny = device_loading.load(voxtral_weights.check(folder), device.ComputeDevice(torch.device("cpu"), torch.float32))
    voxtral_checkpoint.make_brief(tiny)
    tiny.model.save_pretrained(folder)
    return folder


@pytest.fixture
def tiny(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DUET_VOXTRAL", "on")
    monkeypatch.setenv("DUET_VOXTRAL_MODEL", str(checkpoint))
    monkeypatch.setenv("DUET_DEVICE", "cpu")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[VoxtralServer]:
    with running_server() as running:
        monkeypatch.setenv("DUET_VOXTRAL_URL", running.url)
        monkeypatch.setenv("DUET_VOXTRAL_BACKOFF_S", "0")
        settings.cache_clear()
        yield running
    settings.cache_clear()


def test_a_run_gives_every_figure_and_compares_with_an_earlier_one(
    tiny: None, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a run over the beginning of an episode
    asked = [str(folder), "--minutes", "0.8", "--json"]
    assert voxtral.main(asked) == 0
    out, table = capsys.readouterr()
    (line,) = out.splitlines()
    run = json.loads(line)
    (file,) = run["files"]

    # Then it has all figures of both halves, and the table names the file
    assert file["failed"] == []
    assert set(report.SUMMED) <= file.keys()
    assert file["audio_s"] <= 48
    assert file["spans"] == 2
    assert run["all"]["wer_low"] <= run["all"]["wer"] <= run["all"]["wer_high"]
    assert run["all"]["words"] == sum(words for _, words in file["segments"]) > 50
    assert file["answers"] == 3, "overview, details and the title of a chapter"
    assert file["answers_valid"] == 3
    assert file["answers_repaired"] == 0
    names = {place: sum(file[f"{place}_{name}"] for name in report.NAMES) for place in report.PLACES}
    assert names["transcription"] == names["analysis"] > 3
    assert "corner-shop.m4a" in table

    # And a run compared with it says that nothing has changed
    (tmp_path / "before.json").write_text(out)
    assert voxtral.main([*asked[:-1], "--baseline", str(tmp_path / "before.json")]) == 0
    compared = capsys.readouterr().out
    assert "95 % interval of the difference in WER: +0.00 to +0.00" in compared


@pytest.mark.parametrize(
    ("content", "valid", "repaired"),
    [
        (None, 3, 0),
        (f"```json\n{json.dumps(OVERVIEW | DETAILS)}\n```", 3, 3),
        # An overview without a language is none; the others may have less.
        ('{"title": "Bread", "key_points": ["Flour."]}', 2, 3),
    ],
)
def test_answers_of_a_server_that_were_repaired_are_counted(
    server: VoxtralServer,
    folder: Path,
    content: str | None,
    valid: int,
    repaired: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.content = content
    assert voxtral.main([str(folder), "--json"]) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert file["failed"] == []
    assert (file["answers"], file["answers_valid"], file["answers_repaired"]) == (3, valid, repaired)


def test_a_failed_analysis_leaves_the_transcription_measured(
    server: VoxtralServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.content = "I would rather not."
    assert voxtral.main([str(folder), "--json"]) == 0
    out, table = capsys.readouterr()
    (file,) = json.loads(out)["files"]
    assert file["spans_complete"] == file["spans"] > 1
    assert file["segments"]
    assert file["answers_valid"] == 0
    assert "does not keep to the schema" in file["failed"][0]
    assert "corner-shop.m4a failed: " in table


def test_a_check_without_any_figure_says_why_and_fails(
    server: VoxtralServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "corner-shop.m4a").write_text("no audio at all " * 100)
    assert voxtral.main([str(folder)]) == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert "corner-shop.m4a" in error.splitlines()[-1]


def test_an_answer_is_valid_with_all_that_its_schema_demands() -> None:
    counter = AnswerCounter()
    for key, value in (("whole", OVERVIEW), ("without a language", OVERVIEW | {"language": None})):
        counter.load(key)
        counter.save(key, value)
    counter.load("cut")
    assert len(counter.asked) == 3
    assert counter.valid == {"whole"}


def test_minutes_cut_audio_and_reference_alike(folder: Path, tmp_path: Path) -> None:
    (whole,) = references(folder)
    (part,) = references(folder, minutes=0.6)
    assert audio_of(whole, tmp_path) == folder / "corner-shop.m4a"
    assert 0 < len(part.segments) < len(whole.segments)
    assert part.end_s is not None
    assert part.segments[-1].end <= part.end_s <= 36
    assert len(load(audio_of(part, tmp_path))) == pytest.approx(part.end_s * SAMPLE_RATE_HZ, abs=1)
    assert references(folder, minutes=90) == [whole]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[]", "is no reference"),
        ('{"segments": [{"start": 0, "text": "a"}]}', "segments.0.end: Field required"),
        ('{"segments": []}', "has no words"),
    ],
)
def test_an_invalid_reference_is_named_with_what_it_must_be_like(folder: Path, content: str, sentence: str) -> None:
    (folder / "corner-shop.ref.json").write_text(content)
    with pytest.raises(FolderError, match=sentence) as caught:
        references(folder)
    assert "corner-shop.ref.json" in str(caught.value)
    assert '{"segments": [{"start": 0.0' in str(caught.value)


def test_a_folder_without_what_is_needed_is_refused_in_a_sentence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(FolderError, match=r"allow more with --minutes"):
        references(folder, minutes=0.01)
    (folder / "corner-shop.m4a").unlink()
    with pytest.raises(FolderError, match=r"corner-shop\.ref\.json has no audio file beside it"):
        references(folder)
    (folder / "corner-shop.ref.json").unlink()
    assert voxtral.main([str(folder)]) == 1
    assert voxtral.main([str(tmp_path / "nowhere")]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert "holds no reference; it must hold audio files, and beside each, such as talk.mp3, its talk.ref" in first
    assert second.endswith("nowhere.")


def test_a_baseline_that_is_none_is_refused_before_the_model_is_loaded(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in ("{}", "[1]", "no JSON"):
        (tmp_path / "before.json").write_text(content)
        assert voxtral.main([str(folder), "--baseline", str(tmp_path / "before.json")]) == 1
        assert "is not what --json printed" in capsys.readouterr().err


def test_only_files_that_both_runs_have_measured_are_compared() -> None:
    def file(name: str, errors: int, **more: Any) -> dict[str, Any]:
        return {"file": name, "failed": [], "segments": [[errors, 10]], "answers": 4, "answers_valid": 3} | more

    before = {"model": "voxtral", "files": [file("a", 1), file("b", 9), file("c", 9)]}
    now = {"model": "voxtral (int8)", "files": [file("a", 2), file("b", 1, failed=["No memory."]), file("d", 5)]}
    rows = [line.split() for line in report.comparison(before, now).splitlines()]
    assert ["wer", "10", "20", "+10"] in rows
    assert ["answers_valid", "3", "3", "+0"] in rows
    assert report.comparison(before, {"model": "other", "files": [file("d", 1)]}).startswith(
        "Both runs have measured no"
    )
    changed = {"model": "voxtral", "files": [file("a", 1, segments=[[1, 11]])]}
    assert report.comparison(before, changed).endswith("The references are not the same in both runs.")
