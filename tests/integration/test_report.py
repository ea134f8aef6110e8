"""The report of a batch: the failures first, links that lead somewhere, and nothing from outside."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import jsonschema
import pytest

from pipeline import JobState, submit_folder
from pipeline.state.job_store import JobStore
from pipeline.storage import open_storage
from pipeline.types import LegOutcome
from pipeline.types.schemas import schema
from tests.batches import end_jobs, write_audio


class Links(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attributes if name in ("href", "src") and value]


def links(page: str) -> list[str]:
    parser = Links()
    parser.feed(page)
    return [link for link in parser.found if link != "data:,"]


@pytest.fixture
def reported(job_store: JobStore, tmp_path: Path) -> Path:
    """A folder with the report of a batch with an episode of each kind; its name asks to be quoted."""
    write_audio(tmp_path / "show", "a done.mp3", "b <img src=x onerror=alert(1)>.mp3", "c failed.mp3", "d.mp3")
    (tmp_path / "show" / "empty.mp3").touch()
    (tmp_path / "show" / "notes.txt").write_text("Show notes.")
    to = tmp_path / "my results #1"
    batch = submit_folder(tmp_path / "show", to)
    jobs = sorted(batch, key=lambda job: job.spec.episode.source)
    for job in jobs[:2]:
        for leg, work_s in (("whisper", 12.5), ("voxtral", 140.0)):
            outcome = LegOutcome(leg=leg, status="ok", audio_s=1800.0, work_s=work_s)
            job_store.note_leg(job.spec, leg, outcome=outcome.model_dump_json())
        storage = open_storage(job.uri)
        storage.put("notes.md", b"# Notes\n")
        storage.put("player.html", b"<!doctype html>")
        storage.put("transcript.tsv", b"start\tend\ttext\n0\t900\tOne <b> two\n900\t1800\tthree\n")
        storage.put("analysis.json", b'{"source": "outline", "summary_sentence": "It is <b>about</b> bread."}')
    end_jobs(job_store, [job.id for job in jobs[:2]])
    end_jobs(job_store, [jobs[2].id], JobState.FAILED)

    assert batch.write_report() == f"{to.as_uri()}/batch.html"
    return to


def test_the_failures_come_first(reported: Path) -> None:
    page = (reported / "batch.html").read_text()

    states = re.findall(r'<td><span class="\w+">([\w ]+)<', page)

    assert states == ["failed", "failed", "waiting", "completed", "completed"]
    assert page.count("empty.mp3 is empty (0 bytes)") == 1, "each reason once"
    assert "1 file skipped</b>: it is not audio <small>notes.txt</small>" in page


def test_every_link_leads_to_a_file_and_nothing_comes_from_outside(reported: Path) -> None:
    found = links((reported / "batch.html").read_text())

    assert len(found) == 4
    for link in found:
        assert "://" not in link
        assert (reported / unquote(link)).is_file(), link


def test_names_are_shown_and_never_run(reported: Path) -> None:
    page = (reported / "batch.html").read_text()

    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_the_sums_and_a_bar_for_each_leg_of_each_episode_are_there(reported: Path) -> None:
    page = (reported / "batch.html").read_text()

    assert len(re.findall(r'<rect class="whisper"', page)) == 2
    assert len(re.findall(r'<rect class="voxtral"', page)) == 2
    assert "Voxtral 2:20, 13×" in page
    assert "<dt>Words</dt><dd>8</dd>" in page
    assert "<dt>Whisper at work</dt><dd>0:25 <small>144× real time, 144× to 144×</small></dd>" in page
    assert "<dt>Cost</dt>" not in page, "no price is set"


def test_a_summary_that_is_quoted_is_said_to_be(reported: Path) -> None:
    assert "<i>Outline, quoted:</i> It is &lt;b&gt;about&lt;/b&gt; bread." in (reported / "batch.html").read_text()


def test_the_json_says_the_same(reported: Path) -> None:
    report = json.loads((reported / "batch.json").read_text())

    jsonschema.validate(report, schema("batch"))
    assert report["states"] == {"failed": 2, "submitted": 1, "completed": 2}
    assert len(report["episodes"]) == 5
    assert report["schema_version"] == "1.1"
    assert report["totals"]["legs"]["voxtral"]["work_s"] == 280.0
    assert report["totals"]["words"] == 8
    assert {len(it["sources"]) for it in report["missed"]} == {1}
    assert any(it["reason"] == "So." for it in report["missed"])
    assert report["episodes"][-1]["summary"] == "It is <b>about</b> bread."
    assert [it["reason"] for it in report["skipped"]] == ["it is not audio"]
    assert report["places"] == [str(reported.parent / "show")]
