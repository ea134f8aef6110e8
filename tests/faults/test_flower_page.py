"""Flower in a real Chromium, while real workers are at a batch."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.messaging.app import QUEUES
from pipeline.messaging.commands import environment
from pipeline.monitoring.flower import launch
from pipeline.types import JobState
from tests.browser import chromium, needs_chromium
from tests.faults.fleet import TIMEOUT_S, Fleet, wait_until
from tests.services import free_ports

pytestmark = [pytest.mark.xdist_group("faults"), needs_chromium]
USER, PASSWORD = "me", "a,secret"
"""A comma separates several passwords where Flower reads them from its own variable."""
DONE = {"transcribe", "analyze", "merge"}


@pytest.fixture
def flower(fleet: Fleet) -> Iterator[str]:
    """Flower, as `duet up` and `duet flower` start it, watching the fleet."""
    (port,) = free_ports(1)
    own = environment() | fleet.variables | {"DUET_FLOWER_AUTH": f"{USER}:{PASSWORD}"}
    process = fleet._start("flower", launch.command("127.0.0.1", port), own)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: status(url) == 401, "Flower asks for the password")
        yield url
    finally:
        process.kill()


def status(url: str) -> int:
    try:
        return int(urllib.request.urlopen(url, timeout=10).status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def tasks(page: Any, search: str = "") -> dict[str, dict[str, str]]:
    """Return the tasks that fit a search, as the page's own question to Flower is answered, by what is done."""
    asked = {
        "draw": 1,
        "start": 0,
        "length": 100,
        "search[value]": search,
        "order[0][column]": 0,
        "order[0][dir]": "desc",
        "columns[0][data]": "received",
    }
    answer = page.request.get(f"{page.url.rpartition('/')[0]}/tasks/datatable", params=asked)
    return {it["name"].partition(" · ")[0]: it for it in answer.json()["data"]}


def ended(told: dict[str, dict[str, str]]) -> set[str]:
    """Return what Flower has heard the end of; workers tell it each for itself, in any order."""
    return {name for name, task in told.items() if task["state"] == "SUCCESS"}


def test_a_batch_is_seen_in_words_while_it_runs(fleet: Fleet, flower: str) -> None:
    with chromium() as browser:
        page = browser.new_context(http_credentials={"username": USER, "password": PASSWORD}).new_page()
        page.goto(f"{flower}/tasks")

        # Given an episode of which one leg is in its midst and another waits at its start
        held = fleet.stage.hold("whisper.ep-042.2"), fleet.stage.hold("voxtral.ep-042.0")
        job = fleet.submit("ep-042")
        wait_until(lambda: tasks(page, "ep-042").get("transcribe", {}).get("state") == "50 %", "the fast leg moves")
        told = tasks(page, "ep-042")["transcribe"]
        assert told["name"] == "transcribe · ep-042.mp3 · 00:00:04"
        assert told["result"] == "00:00:02 of 00:00:04", "a held engine says where it is"
        page.reload()
        page.locator("#tasks-table").get_by_text(told["name"]).wait_for()

        # When it has ended
        for hold in held:
            hold.unlink()
        job.result(timeout=TIMEOUT_S)

        # Then both legs and the merge are found by its name and by its job, and say what became of them
        for search in ("ep-042", f"kwargs:job={job.id}"):
            wait_until(lambda it=search: ended(tasks(page, it)) >= DONE, "each worker has told of its end")
            told = tasks(page, search)
            assert told["transcribe"]["result"].startswith("ok in ")
            assert told["merge"]["result"].startswith("completed")
        assert not [name for name in tasks(page) if name.startswith("beat.")]

        # And queues and pools are there
        page.goto(f"{flower}/broker")
        assert all(queue in page.locator("body").inner_text() for queue in QUEUES)
        page.goto(f"{flower}/workers")
        for queue in QUEUES:
            page.get_by_text(f"{queue}@fleet").first.wait_for()


def test_what_failed_is_found_by_the_filter_and_counted(fleet: Fleet, flower: str) -> None:
    with chromium() as browser:
        page = browser.new_context(http_credentials={"username": USER, "password": PASSWORD}).new_page()
        page.goto(f"{flower}/tasks")

        # Given an episode of which nothing came, and one of which only the analysis is missing
        for point in ("whisper.ep-lost.0", "voxtral.ep-lost.0", "voxtral.ep-half.0"):
            fleet.stage.die(point, "fail")
        lost, half = fleet.submit("ep-lost"), fleet.submit("ep-half")

        # When both have ended
        for job in (lost, half):
            wait_until(lambda it=job: it.state.is_final, "the job ends")
        wait_until(lambda: tasks(page, "ep-lost").get("merge", {}).get("state") == "FAILURE", "the merge failed")
        wait_until(lambda: tasks(page, "ep-half").get("merge", {}).get("state") == "partial", "the merge is partial")

        # Then the filter finds the one that failed, its legs beside its merge
        assert (lost.state, half.state) == (JobState.FAILED, JobState.PARTIAL), "the chord went on"
        page.reload()
        page.get_by_role("button", name="Failed").click()
        rows = page.locator("#tasks-table tbody tr")
        rows.filter(has_text="merge · ep-lost.mp3").wait_for()
        assert not rows.filter(has_text="merge · ep-half.mp3").count()
        assert set(tasks(page, "state:FAILURE ep-lost")) == {"transcribe", "analyze", "merge"}
        assert set(tasks(page, "state:PARTIAL")) == {"merge"}

        # And a name leads to all of its episode, and the workers count what failed
        rows.filter(has_text="merge · ep-lost.mp3").get_by_role("link", name="merge").click()
        rows.filter(has_text="diarize · ep-lost.mp3").wait_for()
        page.goto(f"{flower}/workers")
        page.wait_for_function("document.querySelector('#workers-failed').innerText === '4'")
