"""The player with an episode of three hours, on a desk and on a phone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.results.player import page
from tests.browser import needs_chromium
from tests.long_episode import CHAPTERS, WORDS, long_episode, silence
from tests.players import Open

pytestmark = [pytest.mark.xdist_group("player"), needs_chromium]
LAID_OUT = """[...document.querySelectorAll('#transcript p[style] > :first-child')]
  .filter((it) => it.checkVisibility({ contentVisibilityAuto: true })).length"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    silence(folder / "three-hours.wav")
    path = folder / "player.html"
    path.write_text(page(long_episode(), "three-hours.wav"), "utf-8")
    return path


@pytest.fixture(params=[360, 1400])
def it(browser: object, page_file: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    opened = Open(browser, page_file, viewport={"width": request.param, "height": 800})
    opened.wait_for_audio()
    yield opened
    opened.context.close()
    assert opened.complaints == []


def test_three_hours_are_there_but_only_what_is_seen_is_laid_out(it: Any) -> None:
    assert it.page.locator("#transcript span[data-t]").count() == WORDS
    assert it.page.locator("#chapters li").count() == CHAPTERS
    paragraphs = it.page.locator("#transcript p[style]").count()
    assert it.page.evaluate(LAID_OUT) < paragraphs / 10


def test_any_place_is_reached_and_shown(it: Any) -> None:
    for seconds in (9000, 61.5, 10_700, 5400):
        it.page.evaluate(f"location.hash = 't={seconds}'")
        it.waits_for(f"Math.abs(audio.currentTime - {seconds}) < 0.1")
        it.page.wait_for_function(
            "(() => { const word = document.querySelector('#transcript .now'), box = word.getBoundingClientRect();"
            f" return Math.abs(word.dataset.t - {seconds}) < 1 && box.top > 0"
            " && box.bottom < document.getElementById('dock').getBoundingClientRect().top; })()"
        )
    assert it.page.locator("#timeline").get_attribute("aria-valuetext") == "1:30:00 of 3:00:00"


def test_thousands_of_places_are_counted_and_the_nearest_is_shown(it: Any) -> None:
    it.page.evaluate("location.hash = 't=5400&q=the'")

    it.page.wait_for_function("/^1,3\\d\\d of 2,\\d\\d\\d$/.test(document.getElementById('count').textContent)")
    place = float(it.page.locator("#transcript .here").get_attribute("data-t"))
    assert 5399.9 <= place < 5420
    assert it.page.locator("#found li").count() == 100
