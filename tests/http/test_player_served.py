"""The served player in a real browser: the way back, downloads, and corrections that the server keeps."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import needs_chromium
from tests.http.server import Server
from tests.http.test_speakers import done

pytestmark = [pytest.mark.xdist_group("http"), needs_chromium]
PATIENCE_MS = 120_000


@pytest.fixture(scope="module")
def job(server: Server) -> str:
    return done(server, "corrected in the player.mp3")[0]


@pytest.fixture
def page(browser: object, server: Server, job: str) -> Iterator[Any]:
    context = browser.new_context(base_url=server.url)  # type: ignore[attr-defined]
    context.set_default_timeout(PATIENCE_MS)
    opened = context.new_page()
    refused: list[str] = []
    opened.on("console", lambda it: refused.append(it.text) if "Content Security Policy" in it.text else None)
    opened.on("pageerror", lambda error: refused.append(str(error)))
    opened.goto(f"/jobs/{job}/player")
    yield opened
    context.close()
    assert refused == []


def test_the_page_leads_back_home_and_to_the_files(page: Any, job: str) -> None:
    links = page.get_by_role("navigation", name="Episode").get_by_role("link")

    assert [it.strip("← ") for it in links.all_inner_texts()] == ["All episodes", "JSON", "Text", "SRT", "WebVTT"]
    with page.expect_download() as saved:
        page.get_by_role("link", name="SRT").click()
    assert saved.value.suggested_filename.endswith(".srt")
    page.get_by_role("link", name="All episodes").click()
    page.wait_for_url("**/")


def test_a_word_is_corrected_in_place_and_undone_from_the_list(page: Any, server: Server, job: str) -> None:
    page.get_by_role("button", name="Correct", exact=True).click()
    page.locator("#transcript span[data-t]").first.click()
    assert page.locator("#becomes").input_value() == "Window 0."
    page.locator("#becomes").fill("Fenster <i>")
    page.keyboard.press("Enter")

    page.wait_for_selector("#transcript span:has-text('Fenster')")
    assert "Fenster <i>" in server.http.get(f"/jobs/{job}/transcript.txt").text
    page.get_by_role("button", name="Done correcting").click()
    page.get_by_role("button", name="Changes (1)").click()
    page.get_by_role("button", name="Undo: Fenster <i> for Window 0.").click()
    page.locator("#transcript").filter(has_not_text="Fenster").wait_for()
    page.wait_for_selector("#changes", state="hidden")
    assert "Fenster" not in server.http.get(f"/jobs/{job}/transcript.txt").text


def test_by_keyboard_alone_text_is_corrected_and_undone(page: Any, server: Server, job: str) -> None:
    page.keyboard.press("e")
    page.wait_for_selector("#editor[open]")
    page.keyboard.type("The first of them.")
    page.keyboard.press("Enter")
    page.locator("#transcript").filter(has_text="The first of them.").wait_for()
    page.wait_for_selector("#editor", state="hidden")

    page.keyboard.press("u")
    page.locator("#transcript").filter(has_not_text="The first of them.").wait_for()
    assert "Window 0" in server.http.get(f"/jobs/{job}/transcript.txt").text


def test_a_refusal_is_told_and_what_was_typed_stays(page: Any, server: Server, job: str) -> None:
    change = {"kind": "words", "start_s": 0.0, "was": "Window 0.", "becomes": "Meanwhile"}
    page.keyboard.press("e")
    made = server.http.patch(f"/jobs/{job}/corrections", json={"changes": [change]}).json()["corrections"]

    page.locator("#becomes").fill("Vindov")
    page.get_by_role("button", name="Save").click()

    page.wait_for_selector("#refusal:has-text('Meanwhile')")
    assert page.locator("#becomes").input_value() == "Vindov"
    server.http.delete(f"/jobs/{job}/corrections/{made[0]['id']}")


def test_a_speaker_and_a_chapter_are_named(page: Any, server: Server, job: str) -> None:
    page.get_by_role("button", name="Correct", exact=True).click()
    page.locator("#transcript h3").first.click()
    page.locator("#becomes").fill("Ada Example")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector("#transcript h3:has-text('Ada Example')")
    assert "Ada Example" in page.locator("#voices").inner_text()
    page.get_by_role("status").get_by_role("button", name="Undo").click()
    page.wait_for_selector("#transcript h3:has-text('Speaker 1')")

    page.locator("#chapters button").first.click()
    page.locator("#becomes").fill("All the windows")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector("#chapters b:has-text('All the windows')")
    titles = [it["title"] for it in server.http.get(f"/jobs/{job}/result").json()["analysis"]["chapters"]]
    assert titles[0] == "All the windows"
