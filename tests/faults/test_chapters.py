"""Whose chapters a result has, by real workers: Voxtral's if the transcript is there in time, or the publisher's."""

import json
from pathlib import Path

import pytest

from pipeline import submit_feed
from pipeline.settings import settings
from tests.batches import ID3
from tests.faults.fleet import TIMEOUT_S, Fleet, wait_until
from tests.web import start_site

pytestmark = pytest.mark.xdist_group("fleet")
FEED = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:podcast="https://podcastindex.org/namespace/1.0"><channel><title>The Garden Hour</title>
<item><title>Roses</title><guid>ep-1</guid><podcast:chapters url="/1.json" type="application/json+chapters"/>
<enclosure url="/1.mp3" length="79" type="audio/mpeg"/></item></channel></rss>"""


def test_voxtral_titles_the_chapters_of_a_transcript_that_is_there(fleet: Fleet) -> None:
    held = fleet.stage.hold("voxtral.slow.end")
    job = fleet.submit("slow")
    job.transcript(timeout=TIMEOUT_S)
    held.unlink()

    found = job.result(timeout=TIMEOUT_S).analysis

    assert found
    assert found.chapters_source == "voxtral"
    assert [(it.start_s, it.title) for it in found.chapters] == [(0.0, "Window 0.")]


def test_a_transcript_that_comes_after_voxtral_gets_the_outlines_chapters(fleet: Fleet) -> None:
    held = fleet.stage.hold("whisper.late.end")
    job = fleet.submit("late")
    product = Path(fleet.results) / Path(job.spec.uri).name / ".work" / job.id / "voxtral.json"
    wait_until(product.exists, "Voxtral's leg has ended")
    held.unlink()

    found = job.result(timeout=TIMEOUT_S).analysis

    assert found
    assert (found.source, found.chapters_source) == ("voxtral", "outline")
    assert [it.start_s for it in found.chapters] == [0.0]


def test_the_publishers_chapters_are_kept(fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a worker that may reach this machine, as the only one that merges
    monkeypatch.setenv("DUET_ALLOWED_HOSTS", "127.0.0.1")
    settings.cache_clear()
    fleet.processes["cpu"].kill()
    fleet.start_worker("cpu", "reaching", DUET_ALLOWED_HOSTS="127.0.0.1")
    with start_site() as site:
        chapters = [{"startTime": 0, "title": "Roses"}, {"startTime": 1.7, "title": "Thorns"}]
        site.files = {
            "/feed.xml": FEED.encode(),
            "/1.mp3": ID3 + b"one" * 100,
            "/1.json": json.dumps({"version": "1.2.0", "chapters": chapters}).encode(),
        }
        site.types = {"/feed.xml": "application/rss+xml"}
        (job,) = submit_feed(f"{site.url}/feed.xml", tmp_path / "out")

        found = job.result(timeout=TIMEOUT_S).analysis

    assert found
    assert found.chapters_source == "publisher"
    assert [(it.start_s, it.title) for it in found.chapters] == [(0.0, "Roses"), (1.7, "Thorns")]
    assert found.summary == "Windows are counted."
