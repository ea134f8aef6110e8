"""The home page in a real browser, with a real server behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.state.api_keys import ApiKeyStore
from tests.browser import needs_chromium
from tests.faults.fleet import Fleet, wait_until
from tests.http.server import Server, audio, serve

LIVE = "body[data-live]"
PATIENCE_MS = 120_000  # a machine that others use too may stand still for a while
pytestmark = [pytest.mark.xdist_group("http"), needs_chromium]


class Open:
    """A page that is open, and what it complained of."""

    def __init__(self, browser: object, url: str, **context: object) -> None:
        self.context = browser.new_context(**context)  # type: ignore[attr-defined]
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda it: self.complaints.append(it.text) if it.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(url)

    def job(self, name: str) -> object:
        return self.page.locator("#jobs > li", has_text=name)

    def wait_for(self, name: str, state: str) -> None:
        self.page.wait_for_selector(f"#jobs > li.{state} >> text={name}", state="attached")


@pytest.fixture
def home(browser: object, server: Server) -> Iterator[Open]:
    opened = Open(browser, server.url)
    opened.page.wait_for_selector(LIVE)
    yield opened
    opened.context.close()
    assert opened.complaints == []


@pytest.fixture
def episode(tmp_path: Path) -> Path:
    path = tmp_path / f"{tmp_path.name}.mp3"
    path.write_bytes(audio())
    return path


def test_a_file_that_is_chosen_is_sent_and_both_legs_are_seen_to_work(
    home: Open, server: Server, episode: Path
) -> None:
    holds = [server.fleet.stage.hold(f"{leg}.{episode.stem}.1") for leg in ("whisper", "voxtral")]

    home.page.locator("#files").set_input_files(episode)
    home.wait_for(episode.name, "running")
    row = home.job(episode.name)
    home.page.wait_for_function(
        "name => [...document.querySelectorAll('#jobs > li')].some(it => it.textContent.includes(name)"
        " && it.querySelectorAll('.leg').length > 1"
        " && [...it.querySelectorAll('.leg:not(.speakers) progress')].every(bar => bar.value > 0 && bar.value < 1))",
        arg=episode.name,
    )
    holds[0].unlink()
    home.wait_for(episode.name, "transcribed")
    holds[1].unlink()
    home.wait_for(episode.name, "completed")

    assert row.locator("progress").count() == 0, "what is done needs no bars"
    row.locator(".menu summary").click()
    assert row.locator(".menu li a").all_inner_texts() == [
        "Text",
        "Captions (SRT)",
        "Captions (WebVTT)",
        "Notes (Markdown)",
        "Chapters (JSON)",
        "Transcript (JSON)",
        "Everything (JSON)",
    ]


def test_files_dropped_on_the_page_are_sent(home: Open) -> None:
    home.page.evaluate(
        """() => {
          const data = new DataTransfer();
          for (const name of ["dropped-1.mp3", "dropped-2.mp3"]) {
            data.items.add(new File(["ID3\\x04\\0\\0" + Math.random()], name, { type: "audio/mpeg" }));
          }
          for (const type of ["dragenter", "dragover", "drop"]) {
            document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
          }
        }"""
    )

    home.wait_for("dropped-1.mp3", "completed")
    home.wait_for("dropped-2.mp3", "completed")


def test_what_is_refused_says_why(home: Open, tmp_path: Path) -> None:
    (tmp_path / "notes.pdf").write_bytes(b"%PDF-1.7 " + bytes(9000))

    home.page.locator("#files").set_input_files(tmp_path / "notes.pdf")

    home.page.wait_for_selector("#sending .refused")
    assert "it is not audio but application/pdf" in home.page.locator("#sending").inner_text()
    assert home.page.get_by_role("button", name="Try again").is_visible()
    home.complaints.clear()  # the browser tells of each answer that is an error


def test_a_job_of_somebody_else_appears_by_itself_and_can_be_cancelled(home: Open, server: Server) -> None:
    hold = server.fleet.stage.hold("whisper.of somebody else.0")

    server.send("/hybrid", "of somebody else.mp3")
    home.wait_for("of somebody else.mp3", "running")
    home.job("of somebody else.mp3").get_by_role("button", name="Cancel").click()

    home.wait_for("of somebody else.mp3", "cancelled")
    hold.unlink()


def is_found(home: Open, job: str) -> bool:
    """Return whether a place of a job is shown; ask for more places if it is not."""
    if home.page.locator(f"#places a[href*='{job}'] mark").count():
        return True
    more = home.page.locator("#more-places")
    if more.is_visible():
        more.click()
    return False


def test_a_search_leads_to_the_place_in_the_player(home: Open, server: Server) -> None:
    job = server.send("/hybrid?wait=60", "found.mp3").json()["id"]

    home.page.keyboard.press("/")
    home.page.keyboard.type("wind")
    wait_until(lambda: is_found(home, job), "the place is found among those of other tests")
    assert home.page.locator(f"#places a[href*='{job}'] b").all_inner_texts() == [
        "Speaker 1: ",
        "Speaker 2: ",
        "Speaker 1: ",
    ]
    href = home.page.locator(f"#places a[href*='{job}']").first.get_attribute("href")
    home.page.locator(f"#places a[href='{href}']").click()

    home.page.wait_for_selector("#transcript")
    assert "/player#t=" in home.page.url
    assert home.page.locator("audio").get_attribute("src") == f"/jobs/{job}/audio"
    assert home.page.url.endswith("&q=wind")
    wait_until(lambda: home.page.evaluate("document.getElementById('audio').error !== null"), "it is no real audio")
    home.page.go_back()
    home.page.wait_for_selector("#places mark")
    assert home.page.locator("#query").input_value() == "wind"
    home.complaints.clear()


def test_by_keyboard_alone_an_episode_is_opened(home: Open, server: Server) -> None:
    server.send("/hybrid?wait=60", "by keyboard.mp3")
    home.wait_for("by keyboard.mp3", "completed")
    order = []
    for _ in range(40):
        home.page.keyboard.press("Tab")
        order.append(home.page.evaluate("document.activeElement.id || document.activeElement.textContent"))
        if order[-1] == "by keyboard.mp3":
            break

    assert [it for it in order if it in ("query", "files", "url", "text")] == ["query", "files", "url", "text"]
    home.page.keyboard.press("Enter")
    home.page.wait_for_url("**/player")
    home.complaints.clear()


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_by_day_and_by_night(browser: object, server: Server, width: int, scheme: str) -> None:
    server.send("/hybrid?wait=60", f"{'a very long name of an episode ' * 4}.mp3")
    opened = Open(browser, server.url, viewport={"width": width, "height": 800}, color_scheme=scheme)
    opened.page.wait_for_selector("#jobs > li")

    assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    back = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, back.removeprefix("rgb(").rstrip(")").split(","))) < 200) == (scheme == "dark")
    assert opened.complaints == []
    opened.context.close()


def test_the_key_is_asked_for_once_and_no_script_can_read_it(browser: object, fleet: Fleet) -> None:
    keys = ApiKeyStore(fleet.redis())
    kept, key = keys.add("page")
    try:
        with serve(fleet, fleet.results / "keyed") as server:
            opened = Open(browser, server.url)
            opened.page.locator("#secret").fill("duet_wrong")
            opened.page.keyboard.press("Enter")
            opened.page.wait_for_selector("#refused:has-text('not known')")
            opened.page.locator("#secret").fill(key)
            opened.page.keyboard.press("Enter")
            opened.page.wait_for_selector(LIVE)
            opened.page.reload()
            opened.page.wait_for_selector(LIVE)

            assert opened.page.evaluate("document.cookie") == ""
            opened.page.get_by_role("button", name="Sign out").click()
            opened.page.wait_for_selector("#secret:focus")
            opened.context.close()
    finally:
        fleet.redis().hdel("duet:keys", kept.id)


def test_the_reference_shows_what_there_is_and_asks_nobody_else(browser: object, server: Server) -> None:
    opened = Open(browser, f"{server.url}/docs")
    asked: list[str] = []
    opened.page.on("request", lambda it: asked.append(it.url))

    opened.page.reload()
    opened.page.wait_for_selector(".opblock-summary-path >> text=/transcribe")

    assert all(url.startswith((server.url, "data:")) for url in asked)
    opened.context.close()
    assert opened.complaints == []
