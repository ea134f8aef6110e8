"""The tags of a feed that feedparser does not keep."""

from pathlib import Path

from pipeline.sources.podcast_tags import read_tags
from pipeline.types import Person, Publication, PublishedFile
from pipeline.types.job import MOST_PEOPLE, MOST_TERM

HEAD = '<rss version="2.0" xmlns:podcast="https://podcastindex.org/namespace/1.0"><channel><title>Show</title>'
LIVE = "<podcast:liveItem><guid>live</guid><podcast:person>Someone Live</podcast:person></podcast:liveItem>"
ITEM = """<item><guid> ep-1 </guid>
<podcast:person role="Guest" href="https://example.org/">Ingrid
  Kowalczyk</podcast:person><podcast:person> </podcast:person>
<podcast:transcript url="1.vtt" type="text/vtt"/><podcast:transcript url="1.srt"/></item>"""


def feed(folder: Path, *parts: str) -> Path:
    file = folder / "feed.xml"
    file.write_text("".join((HEAD, *parts, "</channel></rss>")), "utf-8")
    return file


def test_the_people_of_an_episode_come_before_those_of_the_show(tmp_path: Path) -> None:
    host = "<podcast:person>Dharmesh Shah</podcast:person>"
    after = '<podcast:person role="editor">Ann</podcast:person>'

    tags = read_tags(feed(tmp_path, host, ITEM, LIVE, after))

    of_show = [Person(name="Dharmesh Shah", role="host"), Person(name="Ann", role="editor")]
    assert tags.people_of("ep-1") == [Person(name="Ingrid Kowalczyk", role="guest"), *of_show]
    assert tags.people_of("ep-2") == of_show
    assert tags.transcripts_of("ep-1") == [
        PublishedFile(url="1.vtt", media_type="text/vtt"),
        PublishedFile(url="1.srt"),
    ]


def test_malformed_xml_has_no_tags(tmp_path: Path) -> None:
    tags = read_tags(feed(tmp_path, ITEM, "<item><title>Salt & bread</title></item>"))

    assert tags.people_of("ep-1") == tags.transcripts_of("ep-1") == []


def test_a_feed_names_only_so_many_people_and_in_so_many_letters() -> None:
    many = tuple(Person(name=f"{number}{'x' * 1000}", role="y" * 1000) for number in range(1000))

    people = Publication(feed="https://example.org/f.xml", people=many).people

    assert len(people) == MOST_PEOPLE
    assert len(people[0].name) == len(people[0].role) == MOST_TERM
