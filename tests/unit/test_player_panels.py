"""The player's panels: an outline that says so, sentences once, and short reasons."""

import re

from pipeline.results.player import page
from pipeline.types import Analysis, Chapter, EpisodeResult, KeyPoint, LegOutcome, Publication
from tests.results import EPISODE, merged, result, segment

LONG = "Voxtral needs a CUDA device and this machine has no NVIDIA driver; run the voxtral pool elsewhere."


def outlined(*, short: str = "no GPU here") -> EpisodeResult:
    outline = Analysis(
        source="outline",
        model="outline",
        summary="Blue light is scattered. Plants like the sun.",
        chapters=(Chapter(start_s=0.0, title="light, blue", gist="Blue light is scattered."),),
        key_points=(KeyPoint(text="Plants like the sun!", start_s=3.0), KeyPoint(text="Water them.", start_s=5.0)),
        heard_s=9.0,
    )
    leg = LegOutcome(leg="voxtral", status="skipped", reason=LONG, short=short, unavailable=True)
    made = result(merged(segment("Blue light is scattered.", 0.0)), outline)
    return made.model_copy(update={"legs": {**made.legs, "voxtral": leg}})


def test_an_outline_is_labelled_as_quoted_with_the_short_reason() -> None:
    assert "Outline (quoted from the transcript; Voxtral did not run: no GPU here)" in page(outlined(), "")
    assert "<h2>Outline (quoted from the transcript; Voxtral did not run)</h2>" in page(outlined(short=""), "")


def test_one_sentence_is_not_summary_and_chapter_and_key_point_at_once() -> None:
    beside = page(outlined(), "").partition("<aside")[2].partition("</aside>")[0]

    assert beside.count("Blue light is scattered") == 1
    assert beside.count("Plants like the sun") == 1
    assert beside.count("Water them.") == 1


def test_what_this_machine_cannot_do_is_said_once_and_short_with_the_reason_behind() -> None:
    for missing in ((), (LONG,)):
        text = page(outlined().model_copy(update={"missing": missing}), "")

        assert text.count(LONG) == 1
        assert re.search(
            r"No analysis by Voxtral: no GPU here\. <details><summary>Details</summary><p>" + re.escape(LONG), text
        )


def test_the_head_has_the_feeds_title_show_number_and_date() -> None:
    published = Publication(
        feed="https://example.org/feed",
        show="Garden & Co",
        title="Tomatoes <3",
        season=2,
        number=5,
        published_at="2026-03-03T06:00:00Z",
    )
    episode = EPISODE.model_copy(update={"publication": published})
    text = page(outlined().model_copy(update={"episode": episode, "audio_s": 3723.0}), "")

    assert "<h1>Tomatoes &lt;3</h1>" in text
    assert '<p id="facts">Garden &amp; Co · Season 2, episode 5 · 3 March 2026 · 1:02:03</p>' in text


def test_a_file_has_no_address_of_a_server_and_no_way_to_correct() -> None:
    text = page(outlined(), "")

    assert not re.search(r"data-api|fetch\(|id=\"edit\"|All episodes", text)
