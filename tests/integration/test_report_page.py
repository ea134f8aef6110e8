"""The report of a batch in a real Chromium: small and large, narrow and wide, light and dark, with the keyboard."""

from pathlib import Path
from typing import Any, Literal

import pytest

from tests.browser import chromium, needs_chromium
from tests.reports import page_of

pytestmark = needs_chromium
SMALLEST_LETTERS = """() => Math.min(...[...document.querySelectorAll("body *")]
    .filter(it => it.checkVisibility() && [...it.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
    .map(it => parseFloat(getComputedStyle(it).fontSize)))"""


def opened(browser: Any, folder: Path, page: str, width: int = 1400, scheme: str = "light") -> Any:
    """Return a page that has loaded a report."""
    (folder / "batch.html").write_text(page)
    shown = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    shown.goto((folder / "batch.html").as_uri())
    shown.locator("#tools").wait_for()
    return shown


def titles(shown: Any) -> list[str]:
    """Return the titles in the order of the table, without the rows that are filtered out."""
    return list(shown.locator("tbody tr:not([hidden]) th b").all_inner_texts())


@pytest.mark.parametrize("count", [3, 40])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_read_it(count: int, scheme: Literal["light", "dark"], tmp_path: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with chromium() as browser:
        for width in (360, 1400):
            shown = opened(browser, tmp_path, page_of(count, voxtral=count > 3), width, scheme)
            shown.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")

            assert axe.run(shown).response["violations"] == []
            assert shown.evaluate("document.documentElement.scrollWidth") <= width
            assert shown.evaluate(SMALLEST_LETTERS) >= 11


def test_many_episodes_are_sorted_and_found(tmp_path: Path) -> None:
    with chromium() as browser:
        # Given more rows than are in the page from the start
        shown = opened(browser, tmp_path, page_of(1_000))
        assert shown.locator("tbody tr").count() == 1_000

        # When they are sorted with the keyboard
        shown.get_by_role("button", name="Length").focus()
        shown.keyboard.press("Enter")
        shown.keyboard.press("Enter")

        # Then the longest comes first, and those without a length last
        head = shown.get_by_role("columnheader", name="Length")
        assert head.get_attribute("aria-sort") == "descending"
        shown.wait_for_function("""() => {
            const values = [...document.querySelectorAll("tbody tr")].map(it => Number(it.cells[1].dataset.v || 0));
            return values.every((it, place) => !place || values[place - 1] >= it);
        }""")

        # And a search shows those that fit, in each status
        shown.get_by_label("Search").fill("episode 99 tomatoes")
        shown.get_by_text("19 of 1,000 shown").wait_for()
        shown.locator("#status").select_option("failed")
        shown.get_by_text("2 of 1,000 shown").wait_for()
        assert {it.partition(":")[0] for it in titles(shown)} == {"Episode 899", "Episode 998"}


def test_without_a_script_the_first_episodes_are_there(tmp_path: Path) -> None:
    (tmp_path / "batch.html").write_text(page_of(400))
    with chromium() as browser:
        shown = browser.new_context(java_script_enabled=False).new_page()
        shown.goto((tmp_path / "batch.html").as_uri())

        assert shown.locator("tbody tr").count() == 300
        assert "100 more episodes: batch.json" in shown.inner_text("main")


def test_links_lead_below_the_page_whatever_the_names_are(tmp_path: Path) -> None:
    with chromium() as browser:
        shown = opened(browser, tmp_path, page_of(3))

        assert shown.locator("tbody b a").first.evaluate("it => it.href").startswith(f"{tmp_path.as_uri()}/ep-0-")
