"""The outline that stands in for Voxtral: made of the transcript, marked, and about the right things."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.types import Analysis, Segment, Transcript
from workers.outline import outline
from workers.outline.sentences import sentences

EPISODES = Path(__file__).parents[1] / "episodes"

BREAD = (
    "Good bread needs time and good flour. A sourdough starter rises slowly in a warm kitchen.",
    "Knead the dough until the dough is smooth. The oven must be hot before the bread goes in.",
    "A baker weighs the flour and the water. The crust of a bread tells you how hot the oven was.",
    "We bake bread twice a week in that oven. Let the dough rest, then shape the dough with wet hands.",
)
STARS = (
    "A telescope gathers the light of distant stars. The bigger the mirror, the more light it gathers.",
    "Galaxies are islands of stars. Astronomers measure how fast galaxies move away from the telescope.",
    "A dying star throws its gas into space. From such gas new stars and planets form.",
    "The telescope in orbit sees stars that no mirror on the ground sees. Planets pass before their stars.",
)


def transcript(*texts: str, segment_s: float = 10.0, language: str = "en") -> Transcript:
    segments = tuple(
        Segment(id=index, start_s=index * segment_s, end_s=(index + 1) * segment_s, text=text)
        for index, text in enumerate(texts)
    )
    return Transcript(
        text=" ".join(texts),
        language=language,
        segments=segments,
        audio_s=segment_s * len(texts),
        model="base",
    )


def test_chapters_begin_where_the_subject_changes() -> None:
    found = outline(transcript(*BREAD * 4, *STARS * 4, segment_s=12.0))
    assert found.source == "outline"
    assert found.model == "outline"
    assert len(found.chapters) == 2
    assert found.chapters[0].start_s == 0
    assert abs(found.chapters[1].start_s - 12.0 * 16) <= 24
    assert {"bread", "dough", "oven", "flour"} & set(found.chapters[0].title.casefold().replace(",", "").split())
    assert {"stars", "telescope", "galaxies"} & set(found.chapters[1].title.casefold().replace(",", "").split())
    topics = " ".join(found.topics).casefold()
    assert "stars" in topics
    assert "dough" in topics
    assert not {"the", "is", "of"} & set(topics.split())


def test_chatter_between_two_subjects_hides_neither() -> None:
    found = outline(transcript(*BREAD * 4, *["Yeah, well, so, um, you know. Right, right."] * 12, *STARS * 4))
    assert len(found.chapters) in (2, 3)
    assert "dough" in found.chapters[0].title.casefold()
    assert "stars" in found.chapters[-1].title.casefold()


def test_every_sentence_is_one_that_was_said() -> None:
    spoken = transcript(*BREAD, *STARS)
    found = outline(spoken)
    assert all(point.text in spoken.text for point in found.key_points)
    assert found.summary_sentence in spoken.text
    assert all(f"{part}." in spoken.text for part in found.summary.rstrip(".").split(". "))
    assert len({point.text for point in found.key_points}) == len(found.key_points) == 5
    assert Analysis.from_json(found.to_json()) == found


def quoted(found: Analysis) -> list[str]:
    """Return every sentence that an outline quotes."""
    gists = [chapter.gist for chapter in found.chapters if chapter.gist]
    return [
        found.summary_sentence,
        *re.split(r"(?<=[.!?]) ", found.summary),
        *gists,
        *(it.text for it in found.key_points),
    ]


@pytest.mark.parametrize("name", ["garden-hour", "corner-shop", "science-chat", "ocean-talk"])
def test_no_sentence_is_quoted_twice(name: str) -> None:
    lines = (EPISODES / f"{name}.txt").read_text("utf-8").splitlines()

    said = quoted(outline(transcript(*lines)))
    twice = quoted(outline(transcript(*lines, *lines)))

    assert len(set(said)) == len(said)
    assert len(set(twice)) == len(twice)


def test_in_a_long_episode_each_chapter_has_a_gist_of_its_own() -> None:
    found = outline(transcript(*BREAD * 4, *STARS * 4, segment_s=12.0))

    assert all(chapter.gist and chapter.title[0].isupper() for chapter in found.chapters)
    assert len(set(quoted(found))) == len(quoted(found))


FRAMES = {
    "en": ("Welcome back to the bread show.", "This episode is brought to you by Oven Bread.", "See you next week."),
    "de": ("Herzlich willkommen zum Brot.", "Danke fürs Zuhören beim Brot.", "Bis zum nächsten Mal mit Brot."),
    "fr": ("Bienvenue dans le pain.", "Merci de nous avoir écoutés sur le pain.", "À la semaine prochaine, le pain."),
    "es": ("Bienvenidos al pan.", "Gracias por escuchar el pan.", "Nos vemos la semana que viene con pan."),
    "it": ("Benvenuti al pane.", "Grazie per averci ascoltato sul pane.", "Alla prossima con il pane."),
    "pt": ("Bem-vindos ao pão.", "Obrigado por ouvir o pão.", "Até a próxima, com pão."),
    "nl": ("Welkom bij het brood.", "Bedankt voor het luisteren naar brood.", "Tot de volgende keer met brood."),
}


@pytest.mark.parametrize("language", FRAMES)
def test_greetings_sign_offs_and_advertisements_are_not_quoted(language: str) -> None:
    # Given formulas about the same word as the few other sentences, so that they would be quoted for want of others
    word = FRAMES[language][0].rstrip(".").split()[-1]
    about = [f"Xylo {word} {other} qvarta {word} mirtel." for other in ("brango", "feldun", "pastrik", "golvane")]

    said = quoted(outline(transcript(FRAMES[language][0], *about, *FRAMES[language][1:], language=language)))

    assert not set(FRAMES[language]) & set(said)
    assert set(about) & set(said)


def test_in_other_languages_what_frames_an_episode_is_left_out_by_its_place() -> None:
    bread = ["Хлеб пекут из муки и воды в печи.", "Тесто для хлеба отдыхает в печи из муки."] * 6

    said = quoted(outline(transcript("Здравствуйте, это хлеб.", *bread, "До свидания, хлеб!", language="ru")))

    assert not {"Здравствуйте, это хлеб.", "До свидания, хлеб!"} & set(said)


def test_an_episode_of_nothing_but_greetings_has_a_summary() -> None:
    assert outline(transcript("Welcome to the show.", "Thank you for listening.")).summary


def test_nothing_said_gives_an_empty_outline() -> None:
    found = outline(transcript())
    assert (found.summary, found.chapters, found.topics, found.source) == ("", (), (), "outline")
    assert outline(transcript("Hm.")).summary == "Hm."
    assert outline(transcript("♪ ♪ ♪")).topics == ()


def test_speech_without_punctuation_and_other_scripts() -> None:
    endless = ["so we talked about bread and flour and then about bread again and the oven"] * 30
    assert len(list(sentences(transcript(*endless)))) > 10
    found = outline(transcript(*["Хлеб пекут из муки. Тесто для хлеба отдыхает."] * 6, language="ru"))
    assert any("хлеб" in topic or "тесто" in topic for topic in found.topics)
    assert outline(transcript("面包需要时间。面粉很重要。", language="zh")).summary


def test_a_sentence_across_segments_is_one() -> None:
    found = list(sentences(transcript("We bake bread and", "we eat it. Then", "we sleep.")))
    assert [sentence.text for sentence in found] == ["We bake bread and we eat it.", "Then we sleep."]
    assert found[0].start_s == 0
    assert 10 < found[1].start_s < 20


@pytest.mark.parametrize(
    ("name", "about", "summary"),
    [
        ("garden-hour", {"tomatoes", "soil", "garden", "leaves", "weather", "plant"}, "compost"),
        ("corner-shop", {"Open Door Foundation", "bakery", "Laura", "bread"}, "bread"),
        ("science-chat", {"light", "blue", "sky", "red", "sun", "scattered", "sunset", "air"}, "Blue light"),
    ],
)
def test_the_topics_of_a_minute_are_what_it_is_about(name: str, about: set[str], summary: str) -> None:
    found = outline(transcript(*(EPISODES / f"{name}.txt").read_text("utf-8").splitlines()))
    assert set(found.topics) == about, "and none of finally, today, please, outside"
    assert summary in found.summary_sentence
    assert not any("welcome" in point.text.casefold() for point in found.key_points[:2])


def test_how_people_talk_is_no_topic() -> None:
    chat = "Yeah, um, okay, so uh, I'm gonna say the telescope is, you know, kinda great. Yeah, right, really."
    assert outline(transcript(*[chat] * 8)).topics == ("telescope",)


def test_abbreviations_and_numbers_end_no_sentence() -> None:
    found = sentences(transcript("Dr. Miller paid 3.5 dollars, e.g. for bread. Then he left."))
    assert [sentence.text for sentence in found] == ["Dr. Miller paid 3.5 dollars, e.g. for bread.", "Then he left."]


def test_three_hours_take_a_moment() -> None:
    lines = [*BREAD, *STARS] * 130
    program = (
        "import sys, time\n"
        "from workers.outline import outline\n"
        "from pipeline.types import Transcript\n"
        "spoken = Transcript.from_json(sys.stdin.read())\n"
        "started_s = time.process_time()\n"
        "outline(spoken)\n"
        "print(time.process_time() - started_s)\n"
        "assert 'torch' not in sys.modules\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        input=transcript(*lines).to_json().decode(),
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert float(run.stdout) < 20
