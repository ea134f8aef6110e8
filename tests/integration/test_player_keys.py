"""The player by keyboard alone, and as axe-core sees it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from pipeline.results.formats import FORMATS
from tests.browser import needs_chromium
from tests.players import ADA, SECOND, Open, spoken_by

pytestmark = [pytest.mark.xdist_group("player"), needs_chromium]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory, episodes: dict[str, Path]) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    shutil.copy(episodes["garden-hour"], folder / "garden.mp3")
    result = spoken_by(ADA, SECOND).model_copy(update={"audio": "garden.mp3"})
    path = folder / "player.html"
    path.write_text(FORMATS["player"].render(result), "utf-8")
    return path


@pytest.fixture
def it(browser: object, page_file: Path) -> Iterator[Any]:
    opened = Open(browser, page_file)
    opened.wait_for_audio()
    yield opened
    opened.context.close()
    assert opened.complaints == []


def test_all_keys_of_the_sheet_are_its_own_and_work_while_the_bar_has_the_focus(it: Any) -> None:
    press = it.page.keyboard.press
    for control in ("#timeline", "#play", "#back", "#volume", "#link"):
        it.page.locator(control).focus()
        press("k")
        it.page.wait_for_function("!document.getElementById('audio').paused")
        press("k")
        it.page.wait_for_function("document.getElementById('audio').paused")
    it.page.locator("#timeline").focus()
    press("Home")
    press("l")
    it.waits_for("Math.abs(audio.currentTime - 30) < 0.1")
    press("j")
    it.waits_for("Math.abs(audio.currentTime - 15) < 0.1")
    press("ArrowRight")
    it.waits_for("Math.abs(audio.currentTime - 20) < 0.1")
    press("c")
    it.waits_for("Math.abs(audio.currentTime - 24) < 0.1")
    assert it.page.locator("#chapter").inner_text() == "Soil"
    press("C")
    it.waits_for("audio.currentTime < 0.1")
    press("m")
    it.waits_for("audio.muted")
    for _ in range(9):
        press("]")
    it.waits_for("audio.playbackRate === 3")
    press("?")
    assert it.page.locator("#keys kbd").count() > 25
    press("l")
    assert it.seconds < 0.1, "the sheet is read, not heard"
    press("Escape")


def test_single_keys_can_be_turned_off_for_those_who_speak_to_their_computer(it: Any) -> None:
    it.page.keyboard.press("?")
    it.page.get_by_label("Single keys are on").uncheck()
    it.page.keyboard.press("Escape")

    it.page.keyboard.press("l")
    it.page.keyboard.press("ArrowRight")
    it.waits_for("Math.abs(audio.currentTime - 5) < 0.1")
    it.page.reload()
    it.page.keyboard.press("?")
    assert not it.page.get_by_label("Single keys are on").is_checked()


def test_by_tab_alone_every_control_is_reached_and_seen_to_be(it: Any) -> None:
    order = []
    for _ in range(60):
        it.page.keyboard.press("Tab")
        order.append(
            it.page.evaluate(
                "(() => { const it = document.activeElement, name = it.id || it.dataset.at || it.dataset.speaker;"
                " return [name || '', getComputedStyle(it).outlineStyle]; })()"
            )
        )
    names = [name for name, _ in order]
    wanted = ["query", "all", "S1", "S2", "timeline", "back", "play", "on", "speed", "volume", "link", "help"]
    assert [name for name in names if name in wanted][: len(wanted)] == wanted
    assert {"0.00", "24.00"} <= set(names), "chapters and paragraphs"
    assert {outline for name, outline in order if name in wanted} <= {"solid", "auto"}


def test_on_a_phone_the_arrows_walk_through_the_tabs(browser: object, page_file: Path) -> None:
    opened = Open(browser, page_file, viewport={"width": 360, "height": 740})
    tabs = opened.page.get_by_role("tab")
    assert tabs.all_inner_texts() == ["Transcript", "Summary", "Chapters", "Quotes", "Answers", "People", "About"]

    tabs.first.focus()
    opened.page.keyboard.press("ArrowRight")
    assert opened.page.locator("#summary").is_visible()
    assert opened.page.locator("#transcript").is_hidden()
    opened.page.keyboard.press("End")
    assert opened.page.get_by_role("tabpanel").get_attribute("id") == "flaws"
    opened.page.keyboard.press("/")
    opened.page.keyboard.type("sticky")
    opened.counts("1 of 1")
    opened.page.keyboard.press("Enter")
    assert opened.page.locator("#transcript .here").is_visible(), "a place that was asked for is shown"
    opened.context.close()
    assert opened.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_axe_finds_nothing_and_fingers_find_everything(
    browser: object, page_file: Path, width: int, scheme: str
) -> None:
    opened = Open(
        browser, page_file, viewport={"width": width, "height": 800}, color_scheme=scheme, has_touch=width == 360
    )
    opened.wait_for_audio()
    opened.page.evaluate("location.hash = 't=20&q=the'")
    opened.counts("3 of 5")
    found = [_violations(opened.page)]
    for tab in ("found", "summary", "chapters", "people", "flaws") if width == 360 else ():
        opened.page.locator(f"#tab-{tab}").click()
        found.append(_violations(opened.page))
    opened.page.evaluate("document.getElementById('keys').showModal()")
    found.append(_violations(opened.page))
    opened.page.keyboard.press("Escape")

    assert [it for it in found if it] == []
    assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if width == 360:
        small = opened.page.evaluate(
            "[...document.querySelectorAll('#bar button, #dock button, #dock select, #query')]"
            ".filter((it) => it.offsetParent && Math.min(it.offsetWidth, it.offsetHeight) < 44).map((it) => it.id)"
        )
        assert small == []
    opened.context.close()
    assert opened.complaints == []


def _violations(page: object) -> list[str]:
    found = Axe().run(page)
    return [f"{it['id']}: {[node['html'][:120] for node in it['nodes']]}" for it in found.response["violations"]]
