"""The player in a real Chromium, without a network, as a listener uses it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.results.formats import FORMATS
from pipeline.results.player import with_audio
from pipeline.types import Speaker
from tests.browser import needs_chromium
from tests.players import ADA, SECOND, Open, made, spoken_by

pytestmark = [pytest.mark.xdist_group("player"), needs_chromium]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, episodes: dict[str, Path]) -> Path:
    """A folder as `duet run` leaves it: the audio in one place, the page in another."""
    folder = tmp_path_factory.mktemp("player")
    (folder / "results" / "show").mkdir(parents=True)
    (folder / "podcasts").mkdir()
    shutil.copy(episodes["garden-hour"], folder / "podcasts" / "garden hour.mp3")
    return folder


@pytest.fixture
def it(browser: object, folder: Path) -> Iterator[Open]:
    path = folder / "results" / "show" / "player.html"
    path.write_text(FORMATS["player"].render(made("../../podcasts/garden%20hour.mp3")), "utf-8")
    opened = Open(browser, path)
    opened.wait_for_audio()
    yield opened
    opened.context.close()
    assert opened.complaints == []


def test_a_click_on_a_word_plays_from_it_as_a_click_on_a_time_does(it: Open) -> None:
    assert it.page.locator("#transcript .now").count() == 0, "nothing was said yet"
    it.page.locator("#transcript span", has_text="sticky").click()

    it.page.wait_for_function("document.querySelector('#transcript .now')?.textContent === 'please'")
    assert it.plays

    it.page.locator("#transcript .at", has_text="0:08").click()
    it.page.wait_for_function("document.querySelector('#transcript .now')?.textContent === 'we'")
    assert it.plays


def test_the_word_that_is_being_said_is_marked_while_it_plays(it: Open) -> None:
    it.page.keyboard.press(" ")

    it.page.wait_for_function("document.querySelector('#transcript .now')?.textContent === 'welcome'")
    it.page.keyboard.press(" ")
    assert it.page.evaluate("document.getElementById('audio').paused")


def test_search_finds_words_without_case_and_accents_and_across_them(it: Open) -> None:
    it.page.keyboard.press("/")
    it.page.keyboard.type("THE CAFE")
    it.counts("1 of 1")
    assert it.page.locator(".hit").all_inner_texts() == ["the", "café."]

    it.page.locator("#query").fill("the")
    it.counts("1 of 5")
    it.page.keyboard.press("Enter")
    it.counts("2 of 5")
    it.page.keyboard.press("Shift+Enter")
    it.counts("1 of 5")

    it.page.locator("#query").fill("nowhere")
    it.counts("nothing found")
    it.page.keyboard.press("Escape")
    it.counts("")
    assert it.page.locator(".hit").count() == 0


def test_search_begins_after_the_present_place_and_lists_what_it_found(it: Open) -> None:
    it.page.evaluate("location.hash = 't=20'")
    it.page.locator("#query").fill("the")

    it.counts("3 of 5")
    rows = it.page.locator("#found li")
    assert rows.count() == 5
    assert rows.nth(2).locator("mark").inner_text() == "the"
    assert rows.nth(2).inner_text().startswith("0:25 … by Costa. Let us begin with the soil and the café. If")
    assert it.page.locator("#found [aria-current]").inner_text().startswith("0:25")
    assert it.page.locator("#places").get_attribute("d").count("M") == 5, "marks on the timeline"

    rows.nth(0).locator("button").click()
    it.page.wait_for_function("document.getElementById('audio').currentTime < 5")
    assert it.plays


def test_a_chapter_a_point_and_a_quote_lead_to_their_places(it: Open) -> None:
    places = {"#chapters li:nth-child(2)": 24.0, "ul li:has-text('Wait another')": 32.0, "blockquote": 45.5}
    for place, seconds in places.items():
        it.page.locator(f"{place} .at").first.click()
        it.page.wait_for_function(f"Math.abs(document.getElementById('audio').currentTime - {seconds}) < 1.5")
        it.page.evaluate("document.getElementById('audio').pause()")
    assert it.page.locator("#chapters .now b").inner_text() == "Soil"


def test_a_doubtful_word_is_underlined_and_tells_both_readings(it: Open) -> None:
    assert it.page.locator(".doubt").all_inner_texts() == ["sidejo"]

    it.page.keyboard.press("d")

    readings = it.page.locator("#readings").inner_text()
    assert readings == "Whisper: I'm sidejo joined by Costa.\nVoxtral: I'm joined by Costa."
    assert it.seconds == pytest.approx(16.3, abs=0.05)


def test_the_keys_do_what_the_page_says(it: Open) -> None:
    it.page.keyboard.press("ArrowDown")
    it.page.wait_for_function("document.getElementById('audio').currentTime > 7")
    it.page.keyboard.press("ArrowRight")
    it.page.wait_for_function("document.getElementById('audio').currentTime > 12")
    it.page.keyboard.press("ArrowLeft")
    it.page.wait_for_function("document.getElementById('audio').currentTime < 9")
    it.page.keyboard.press("]")
    assert it.page.evaluate("document.getElementById('audio').playbackRate") == 1.25
    it.page.keyboard.press("?")
    assert it.page.locator("#keys").is_visible()
    it.page.keyboard.press("Escape")
    assert it.page.locator("#keys").is_hidden()


def test_what_was_said_is_text_and_never_markup(it: Open) -> None:
    assert it.page.title() == "Roses & </script> bees"
    assert "why <i>both</i> like" in it.page.locator("#transcript").inner_text()
    assert "What <b>roses</b> like." in it.page.locator("#summary").inner_text()


@pytest.fixture
def dialogue(browser: object, folder: Path) -> Iterator[Open]:
    path = folder / "results" / "show" / "dialogue.html"
    path.write_text(FORMATS["player"].render(spoken_by(ADA, SECOND)), "utf-8")
    opened = Open(browser, path)
    opened.wait_for_audio()
    yield opened
    opened.context.close()
    assert opened.complaints == []


def test_each_turn_begins_with_its_speaker_and_each_speaker_has_a_share_of_the_time(dialogue: Open) -> None:
    names = dialogue.page.locator("#transcript h3 .name").all_inner_texts()
    assert names == ["Ada <b>Brook</b>", "Speaker 2"] * 3
    assert dialogue.page.locator("#transcript h3 > b").all_inner_texts()[:2] == ["AB", "2"]
    rows = [" ".join(it.split()) for it in dialogue.page.locator("#voices [data-speaker]").all_inner_texts()]
    assert rows == ["AB Ada <b>Brook</b> 1:30 (75 %)", "2 Speaker 2 0:30 (25 %)"]


def test_a_filter_shows_the_chosen_speakers_alone_also_to_the_search_and_the_keys(dialogue: Open) -> None:
    shown = dialogue.page.locator("#transcript .turn:visible")
    second = dialogue.page.locator("#voices [data-speaker=S2]")

    second.focus()
    dialogue.page.keyboard.press("Space")
    assert (shown.count(), second.get_attribute("aria-pressed")) == (3, "true")
    dialogue.page.locator("#query").fill("the")
    dialogue.counts("1 of 3")
    assert dialogue.page.locator(".hit").all_inner_texts() == ["the", "the", "the"], "and not in Ada's turns"
    dialogue.page.keyboard.press("Escape")
    dialogue.page.keyboard.press("ArrowDown")
    assert dialogue.seconds == pytest.approx(8.0, abs=0.05), "her sentence is the first that is shown"

    assert dialogue.page.locator("#only").inner_text().startswith("Only the turns of Speaker 2.")
    dialogue.page.get_by_role("button", name="Everybody", exact=True).click()
    assert (shown.count(), second.get_attribute("aria-pressed")) == (6, "false")


def test_a_click_on_the_lane_of_the_turns_moves_the_audio_there(dialogue: Open) -> None:
    lane = dialogue.page.locator("#lane").bounding_box()
    assert lane is not None

    dialogue.page.mouse.click(lane["x"] + lane["width"] / 2, lane["y"] + 3)

    dialogue.page.wait_for_function("Math.abs(document.getElementById('audio').currentTime - 59 / 2) < 2")


def test_of_one_speaker_nothing_is_shown(browser: object, folder: Path) -> None:
    path = folder / "results" / "show" / "monologue.html"
    path.write_text(FORMATS["player"].render(spoken_by(ADA)), "utf-8")
    opened = Open(browser, path)

    assert opened.page.locator("#lane, #voices, .turn, #transcript h3").count() == 0
    assert opened.page.locator("#transcript p[style]").count() == 6
    assert opened.complaints == []
    opened.context.close()


CONTRAST = """(mark) => {
  const light = (colour) => colour.match(/\\d+/g).slice(0, 3).map(Number).map((it) => it / 255)
    .map((it) => (it <= 0.03928 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4))
    .reduce((sum, it, place) => sum + it * [0.2126, 0.7152, 0.0722][place], 0);
  const ratio = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  const back = light(getComputedStyle(mark).backgroundColor);
  const page = light(getComputedStyle(document.body).backgroundColor);
  return [ratio(back, light(getComputedStyle(mark).color)), ratio(back, page)];
}"""
"""Contrasts of a mark's initials and of the mark itself, as WCAG 2.2 computes them."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_many_speakers_fit_a_phone_and_their_marks_can_be_read_and_told_apart(
    browser: object, folder: Path, scheme: str
) -> None:
    path = folder / "results" / "show" / "many.html"
    speakers = [Speaker(id=f"S{number}", name="A. Longest-Name-of-all-Those-Who-Speak" * 2) for number in range(1, 21)]
    path.write_text(FORMATS["player"].render(spoken_by(*speakers)), "utf-8")
    opened = Open(browser, path, viewport={"width": 360, "height": 640}, color_scheme=scheme)

    assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    opened.page.locator("#tab-people").click()
    marks = opened.page.locator("#voices b")
    contrasts = [mark.evaluate(CONTRAST) for mark in marks.all()]
    assert len(contrasts) == 20
    assert min(initials for initials, _ in contrasts) >= 4.5
    assert min(itself for _, itself in contrasts) >= 3.0
    assert len(set(marks.all_inner_texts())) == 20, "initials that several have give way to numbers"
    assert opened.complaints == []
    opened.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_by_day_and_by_night(browser: object, folder: Path, scheme: str) -> None:
    path = folder / "results" / "show" / "phone.html"
    path.write_text(FORMATS["player"].render(made("../../podcasts/garden%20hour.mp3")), "utf-8")
    opened = Open(browser, path, viewport={"width": 360, "height": 640}, color_scheme=scheme, has_touch=True)

    assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    back = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, back.removeprefix("rgb(").rstrip(")").split(","))) < 200) == (scheme == "dark")
    opened.page.locator("#transcript .doubt").first.tap()
    assert opened.page.locator("#readings").is_visible()
    assert opened.complaints == []
    opened.context.close()


def test_without_its_audio_the_page_asks_for_it(browser: object, folder: Path) -> None:
    path = folder / "results" / "show" / "alone.html"
    path.write_text(FORMATS["player"].render(made(None)), "utf-8")
    opened = Open(browser, path)
    assert opened.page.locator("#missing").is_visible()

    opened.page.locator("#file").set_input_files(folder / "podcasts" / "garden hour.mp3")
    opened.wait_for_audio()
    opened.page.locator("#transcript span", has_text="sticky").click()

    opened.page.wait_for_function("document.querySelector('#transcript .now')?.textContent === 'please'")
    assert opened.page.locator("#missing").is_hidden()
    assert opened.complaints == []
    opened.context.close()


def test_the_audio_can_be_in_the_page_itself(browser: object, tmp_path: Path, episodes: dict[str, Path]) -> None:
    path = tmp_path / "one-file.html"
    path.write_text(with_audio(made(None), episodes["science-chat"]), "utf-8")
    opened = Open(browser, path)
    opened.wait_for_audio()

    opened.page.locator("#transcript span", has_text="Today").click()

    opened.page.wait_for_function("document.getElementById('audio').currentTime >= 8")
    assert opened.complaints == []
    opened.context.close()
