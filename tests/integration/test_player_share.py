"""The player's links, quotes and memory, and a text that follows the audio."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.results.formats import FORMATS
from tests.browser import needs_chromium
from tests.players import ADA, SECOND, Open, spoken_by

pytestmark = [pytest.mark.xdist_group("player"), needs_chromium]
SELECT = """([from, to]) => {
  const words = [...document.querySelectorAll('#transcript span[data-t]')];
  const range = document.createRange();
  range.setStart(words.find((it) => it.textContent === from).firstChild, 1);
  range.setEnd(words.find((it) => it.textContent === to).firstChild, 2);
  document.getSelection().removeAllRanges();
  document.getSelection().addRange(range);
}"""
PASTED = "navigator.clipboard.readText()"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory, episodes: dict[str, Path]) -> Path:
    folder = tmp_path_factory.mktemp("share")
    shutil.copy(episodes["garden-hour"], folder / "garden.mp3")
    path = folder / "player.html"
    result = spoken_by(ADA, SECOND).model_copy(update={"audio": "garden.mp3"})
    path.write_text(FORMATS["player"].render(result), "utf-8")
    return path


@pytest.fixture
def it(browser: object, page_file: Path) -> Iterator[Any]:
    opened = Open(browser, page_file, permissions=["clipboard-read", "clipboard-write"])
    opened.wait_for_audio()
    yield opened
    opened.context.close()
    assert opened.complaints == []


def test_a_link_to_this_moment_is_copied_and_leads_there_also_in_an_open_page(it: Any) -> None:
    it.page.locator("#timeline").focus()
    it.page.keyboard.press("l")
    it.page.get_by_role("button", name="Copy link to this moment").click()
    it.page.wait_for_selector("#toast:has-text('Link to 0:30 copied')")
    link = it.page.evaluate(PASTED)
    assert link.endswith("player.html#t=30")

    it.page.evaluate("location.hash = 't=0:45&q=happy+gardening'")
    it.waits_for("Math.abs(audio.currentTime - 45) < 0.1")
    assert it.page.locator(".hit").all_inner_texts() == ["happy", "gardening!"], "words that come from the home page"
    assert it.page.locator("#query").input_value() == "happy gardening"
    it.page.goto(link)
    it.waits_for("Math.abs(audio.currentTime - 30) < 0.1")


def test_words_that_nobody_said_in_a_row_are_each_marked(it: Any) -> None:
    it.page.evaluate("location.hash = 'q=soil Costa'")

    it.counts("1 of 2")
    assert it.page.locator(".hit").all_inner_texts() == ["Costa.", "soil"]


def test_selected_words_become_a_quote_with_time_and_speaker(it: Any) -> None:
    it.page.evaluate(SELECT, ["Today", "roses"])

    it.page.get_by_role("button", name="Copy quote").click()
    it.page.wait_for_selector("#toast:has-text('Quote copied')")
    assert it.page.evaluate(PASTED) == "“Today we talk about roses”\n— Speaker 2, Roses & </script> bees, 0:08"
    it.page.get_by_role("toolbar").get_by_role("button", name="Copy link").click()
    it.page.wait_for_selector("#toast:has-text('Link to 0:08 copied')")
    assert it.page.evaluate(PASTED).endswith("#t=8")
    assert it.page.evaluate("document.getElementById('audio').paused"), "to select is not to play"
    it.page.evaluate("document.getSelection().removeAllRanges()")
    it.page.wait_for_selector("#pick", state="hidden")


def test_place_and_speed_are_remembered_by_episode(it: Any) -> None:
    it.page.locator("#speed").select_option("1.75")
    it.page.locator("#transcript span", has_text="sticky").click()
    it.page.keyboard.press("k")
    it.waits_for("audio.paused && audio.currentTime >= 32")
    place = it.seconds
    it.page.reload()
    it.wait_for_audio()

    it.waits_for(f"Math.abs(audio.currentTime - {place}) < 0.2")
    assert it.page.evaluate("document.getElementById('audio').playbackRate") == 1.75
    assert it.page.locator("#toast").inner_text().startswith("You were at 0:3")
    it.page.get_by_role("button", name="Start over").click()
    it.waits_for("audio.currentTime < 0.1")


def test_a_browser_that_keeps_nothing_plays_all_the_same(browser: object, page_file: Path) -> None:
    context = browser.new_context(offline=True)  # type: ignore[attr-defined]
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } })"
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(page_file.as_uri())
    page.wait_for_function("document.getElementById('audio').readyState > 0")

    page.locator("#transcript span", has_text="sticky").click()
    page.wait_for_function("document.getElementById('audio').currentTime > 33")
    page.keyboard.press("k")
    context.close()
    assert errors == []


AT_REST = """new Promise((resolve) => {
  let last = null;
  const look = () => { if (scrollY === last) resolve(); else { last = scrollY; requestAnimationFrame(look); } };
  look();
})"""
"""Resolves when a smooth movement of the page has ended."""


def test_the_text_follows_until_one_scrolls_and_again_when_asked(browser: object, page_file: Path) -> None:
    opened = Open(browser, page_file, viewport={"width": 900, "height": 420})
    opened.wait_for_audio()
    opened.page.locator("#tab-transcript").focus()
    opened.page.evaluate("location.hash = 't=44'")
    opened.page.keyboard.press("k")
    seen = "(() => { const box = document.querySelector('#transcript .now').getBoundingClientRect();"
    seen += " return box.top > 0 && box.bottom < document.getElementById('dock').getBoundingClientRect().top; })()"
    opened.page.wait_for_function(seen)
    opened.page.evaluate(AT_REST)

    opened.page.mouse.move(400, 200)
    opened.page.mouse.wheel(0, -3000)
    opened.page.wait_for_selector("#return", state="visible")
    opened.page.wait_for_function("scrollY === 0")
    opened.waits_for("audio.currentTime > 45")
    assert opened.page.evaluate("scrollY") == 0, "it stays where the reader is"

    opened.page.get_by_role("button", name="Back to the current place").click()
    opened.page.wait_for_function(seen)
    assert opened.page.locator("#return").is_hidden()
    opened.context.close()
    assert opened.complaints == []


def test_on_paper_there_is_text_alone(it: Any) -> None:
    it.page.emulate_media(media="print")

    assert it.page.locator("#dock, #bar, #floating").all_inner_texts()
    assert not any(it.page.locator(name).is_visible() for name in ("#dock", "#bar", "#floating"))
    assert it.page.locator("#summary").is_visible()
    assert it.page.locator("#transcript").is_visible()
