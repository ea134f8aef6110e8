"""The dialog that corrects words, by what it sends to the server; tests/http has it with a real one."""

import json
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from pipeline.results.player import Served, page
from tests.browser import chromium, needs_chromium
from tests.players import ADA, SECOND, spoken_by

pytestmark = [pytest.mark.xdist_group("player"), needs_chromium]
URL = "http://duet.test/jobs/x/player"
EMPTY = json.dumps({"corrections": []})


def test_a_word_its_sentence_or_a_selection_is_sent_with_the_start_of_its_first_word() -> None:
    sent: list[Any] = []

    def answer(route: Any) -> None:
        request = route.request
        if request.method == "PATCH":
            sent.append(request.post_data_json)
        if request.url == URL:
            route.fulfill(body=page(spoken_by(ADA, SECOND), "", Served("/jobs/x", "/")), content_type="text/html")
        else:
            route.fulfill(body=EMPTY, content_type="application/json")

    with chromium() as browser:
        opened = browser.new_page(viewport={"width": 360, "height": 740}, has_touch=True)
        opened.route("**/*", answer)
        opened.goto(URL)
        opened.get_by_role("button", name="Correct", exact=True).click()
        _correct(opened, "Costa.", "Kosta.")
        _correct(opened, "sidejo", "I\u2019m here with Kosta.", whole=True)
        opened.get_by_role("button", name="Done correcting").click()
        opened.evaluate("""() => {
          const words = [...document.querySelectorAll('#transcript span[data-t]')];
          document.getSelection().setBaseAndExtent(words[3].firstChild, 0, words[5].firstChild, 2);
        }""")
        opened.get_by_role("toolbar").get_by_role("button", name="Correct").click()
        assert Axe().run(opened).response["violations"] == []
        opened.get_by_label("Always").check()
        _save(opened, "here")

    assert sent == [
        {"changes": [{"kind": "words", "start_s": 17.2, "was": "Costa.", "becomes": "Kosta."}]},
        {
            "changes": [
                {
                    "kind": "words",
                    "start_s": 16,
                    "was": "I'm sidejo joined by Costa.",
                    "becomes": "I\u2019m here with Kosta.",
                }
            ]
        },
        {"changes": [{"kind": "words", "start_s": 0.9, "was": "welcome to the", "becomes": "here", "always": True}]},
    ]


def _correct(opened: Any, word: str, becomes: str, *, whole: bool = False) -> None:
    opened.locator("#transcript span", has_text=word).first.click()
    if whole:
        opened.get_by_role("button", name="Whole sentence").click()
    _save(opened, becomes)


def _save(opened: Any, becomes: str) -> None:
    opened.locator("#becomes").fill(becomes)
    opened.get_by_role("button", name="Save").click()
    opened.wait_for_selector("#editor", state="hidden")
