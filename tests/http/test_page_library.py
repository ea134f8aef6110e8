"""The home page as a library: what can be done with episodes, states without any, and ten thousand of them."""

import json
import time
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe

from pipeline.http.job_catalogue import JobCatalogue, JobFilter
from pipeline.http.job_lists import JobLists
from pipeline.state.job_store import INDEX, JOB_PREFIX, JobStore
from pipeline.types import Episode, JobSpec, LegOutcome, Options
from tests.browser import needs_chromium
from tests.faults.fleet import Fleet, wait_until
from tests.http.server import Server, serve
from tests.http.test_page import LIVE, Open

pytestmark = [pytest.mark.xdist_group("http"), needs_chromium]
MANY = 10_000


@pytest.fixture
def home(browser: object, server: Server) -> Iterator[Open]:
    opened = Open(browser, server.url)
    opened.page.wait_for_selector(LIVE)
    yield opened
    opened.context.close()
    assert opened.complaints == []


def test_a_failed_episode_offers_a_retry_and_nothing_to_listen_to(home: Open, server: Server) -> None:
    flags = [server.fleet.stage.die(f"{leg}.mended.1", "fail") for leg in ("whisper", "voxtral")]
    server.send("/hybrid", "mended.mp3")
    home.wait_for("mended.mp3", "failed")
    card = home.job("mended.mp3")

    assert card.get_by_role("link", name="Listen").count() == 0
    for flag in flags:
        flag.unlink()
    card.get_by_role("button", name="Retry").click()

    home.wait_for("mended.mp3", "completed")
    assert card.get_by_role("link", name="Listen").count() == 1


def test_an_episode_is_deleted_after_a_question(home: Open, server: Server) -> None:
    job = server.send("/hybrid?wait=60", "unwanted.mp3").json()["id"]
    home.wait_for("unwanted.mp3", "completed")
    card = home.job("unwanted.mp3")

    for answer in ("Keep it", "Delete"):
        card.locator(".menu summary").click()
        card.get_by_role("button", name="Delete").click()
        assert "unwanted.mp3" in home.page.locator("#confirm").inner_text()
        home.page.locator("#confirm").get_by_role("button", name=answer).click()
        if answer == "Keep it":
            assert server.http.get(f"/jobs/{job}").status_code == 200

    card.wait_for(state="detached")
    assert server.http.get(f"/jobs/{job}").status_code == 404


def test_an_episode_is_processed_again_with_other_options(home: Open, server: Server) -> None:
    server.send("/hybrid?wait=60", "heard again.mp3")
    home.wait_for("heard again.mp3", "completed")
    home.job("heard again.mp3").locator(".menu summary").click()
    home.job("heard again.mp3").get_by_role("button", name="Process again").click()

    home.page.locator("#again [name=language]").fill("German")
    home.page.locator("#again").get_by_role("button", name="Process again").click()

    wait_until(lambda: home.job("heard again.mp3").count() == 2, "the second job is listed")
    found = server.http.get("/jobs", params={"text": "heard again"}).json()["jobs"]
    assert [it["options"]["language"] for it in found] == ["de", None]


def test_a_card_says_what_the_episode_is_about_and_what_stands_in_for_it(home: Open, server: Server) -> None:
    off = server.fleet.stage.switch_off_voxtral()
    server.send("/hybrid?wait=60", "outlined.mp3")
    off.unlink()
    home.wait_for("outlined.mp3", "completed")

    home.job("outlined.mp3").locator(".label", has_text="Outline").wait_for()
    assert home.job("outlined.mp3").locator(".status").inner_text() == "transcribed + outline"
    assert "good" in (home.job("outlined.mp3").locator(".status").get_attribute("class") or "")


def test_the_list_is_filtered_and_the_filter_is_in_the_address(home: Open, server: Server) -> None:
    for name in ("haystack.mp3", "needle.mp3"):
        server.send("/hybrid?wait=60", name)
        home.wait_for(name, "completed")

    home.page.locator("#text").fill("needle")
    wait_until(lambda: home.page.locator("#jobs > li").count() == 1, "one is listed")
    home.page.reload()
    wait_until(lambda: home.page.locator("#jobs > li").count() == 1, "one is listed again")

    assert home.page.locator("#text").input_value() == "needle"
    home.page.locator("#text").fill("nowhere to be found")
    home.page.wait_for_selector("#none:has-text('No episode fits')")


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_complain_of(browser: object, server: Server, width: int, scheme: str) -> None:
    server.send("/hybrid?wait=60", "seen by axe.mp3")
    flags = [server.fleet.stage.die(f"{leg}.not for axe.1", "fail") for leg in ("whisper", "voxtral")]
    server.send("/hybrid?wait=60", "not for axe.mp3")
    hold = server.fleet.stage.hold("whisper.held for axe.1")
    held = server.send("/hybrid", "held for axe.mp3").json()["id"]
    opened = Open(
        browser, server.url, viewport={"width": width, "height": 900}, color_scheme=scheme, has_touch=width < 500
    )
    page = opened.page
    page.wait_for_selector("#jobs .leg")
    page.locator("#options summary").click()
    page.locator("#query").fill("window")
    page.wait_for_selector("#places mark")
    page.locator("#jobs > li", has_text="seen by axe").first.locator(".menu summary").click()

    found = Axe().run(page)

    assert found.violations_count == 0, found.generate_report()
    if width < 500:
        small = page.evaluate(
            "[...document.querySelectorAll('button, a[href], summary, select, input:not([type=file])')]"
            ".filter(it => it.checkVisibility() && it.getBoundingClientRect().height < 44).map(it => it.outerHTML)"
        )
        assert small == []
    hold.unlink()
    for flag in flags:
        flag.unlink()
    server.wait_for(held, "completed")
    opened.context.close()


def test_an_empty_server_shows_the_first_command_and_one_without_a_broker_comes_back(
    browser: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fleet = Fleet(tmp_path_factory.mktemp("empty"))
    try:
        fleet.start_broker()
        with serve(fleet, fleet.results) as server:
            opened = Open(browser, server.url)
            opened.page.wait_for_selector("#none:has-text('curl -F file=@')")
            opened.page.wait_for_selector("#pools:has-text('Whisper: not there')")

            fleet.processes["valkey"].kill()
            opened.page.wait_for_selector("#trouble:has-text('duet up')")
            assert Axe().run(opened.page).violations_count == 0
            fleet.start_broker()

            opened.page.wait_for_selector("#none:has-text('curl -F file=@')")
            opened.context.close()
    finally:
        fleet.stop()


def test_ten_thousand_jobs_are_listed_in_pages_and_filtered(browser: object, unstaffed: Server) -> None:
    store = JobStore(unstaffed.fleet.redis())
    write_many(store)
    lists, times = JobLists(), {}
    lists.catalogue.cards(store)
    for name, wanted in {"all": JobFilter(), "filtered": JobFilter(group="done", text="episode 77")}.items():
        began = time.perf_counter()
        count, found = lists.page(store, wanted, 0, 50)
        times[name] = time.perf_counter() - began
        assert (count, len(found)) == ((MANY, 50) if name == "all" else (280, 50))
    print(f"10,000 jobs: {', '.join(f'{name} {1000 * took:.0f} ms' for name, took in times.items())}")

    opened = Open(browser, unstaffed.url)
    opened.page.wait_for_selector(LIVE)
    opened.page.wait_for_selector("#more:has-text('9,950 more')")
    nodes = opened.page.evaluate("document.querySelectorAll('*').length")
    print(f"{nodes} elements")
    assert nodes < 2000
    opened.page.locator("#more").click()
    wait_until(lambda: opened.page.locator("#jobs > li").count() == 100, "the next page is listed")
    for job in store.jobs()[:2000]:
        store.redis.publish(f"{JOB_PREFIX}{job}", "completed")
    assert opened.page.evaluate("document.querySelectorAll('#jobs > li').length") <= 200
    opened.page.locator("#text").fill("episode 4242")
    wait_until(lambda: opened.page.locator("#jobs > li").count() == 1, "one is listed")
    assert opened.page.evaluate("document.querySelectorAll('*').length") < 2000, "a burst of changes is not drawn"
    opened.context.close()


def write_many(store: JobStore) -> None:
    """Write ended jobs as they are after a large batch."""
    outcome = LegOutcome(leg="whisper", status="ok", audio_s=1800.0, work_s=60.0).model_dump_json()
    with store.redis.pipeline(transaction=False) as pipe:
        for number in range(MANY):
            job = f"{number:016x}-00000000"
            episode = Episode(
                id=f"{number:016x}", source=f"/pods/episode {number}.mp3", slug="episode", size_bytes=1000
            )
            spec = JobSpec(
                job=job, attempt=1, episode=episode, options=Options(), audio_uri="file:///a", uri="file:///r"
            )
            fields = {"attempt": 1, "state": "completed", "rank": 3, "submitted_at": number, "ended_at": number + 60}
            fields |= {"spec": spec.model_dump_json(), "whisper.outcome": outcome, "whisper.text": json.dumps("words")}
            pipe.hset(f"{JOB_PREFIX}{job}", mapping=fields)
            pipe.zadd(INDEX, {job: number})
        pipe.execute()


def test_the_catalogue_reads_again_what_has_ended(server: Server) -> None:
    store, catalogue = JobStore(server.fleet.redis()), JobCatalogue()
    hold = server.fleet.stage.hold("whisper.catalogued.1")
    job = server.send("/hybrid", "catalogued.mp3").json()["id"]

    def group() -> str:
        return next(it.group for it in catalogue.cards(store) if it.job == job)

    assert group() == "open"
    hold.unlink()
    server.wait_for(job, "completed")
    assert group() == "done"
