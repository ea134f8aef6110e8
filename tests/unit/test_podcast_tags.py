"""The tags of a feed that feedparser does not keep."""

import pytest

from pipeline.sources.podcast_tags import ItemTags, PodcastTags, read_tags
from pipeline.types import Person, Publication, PublishedFile
from pipeline.types.publication import MOST_PEOPLE, MOST_TERM

HEAD = '<rss version="2.0" xmlns:podcast="https://podcastindex.org/namespace/1.0"><channel><title>Show</title>'
LIVE = "<podcast:liveItem><guid>live</guid><podcast:person>Someone Live</podcast:person></podcast:liveItem>"
ITEM = """<item><guid> ep-1 </guid>
<podcast:person role="Guest" href="https://example.org/">Ingrid
  Kowalczyk</podcast:person><podcast:person> </podcast:person>
<podcast:transcript url="1.vtt" type="text/vtt"/><podcast:transcript url="1.srt"/></item>"""


def feed(*parts: str) -> str:
    return "".join((HEAD, *parts, "</channel></rss>"))


def test_the_people_of_an_episode_and_those_of_the_show_are_told_apart() -> None:
    host = "<podcast:person>Dharmesh Shah</podcast:person>"
    after = '<podcast:person role="editor">Ann</podcast:person>'

    tags = read_tags(feed(host, ITEM, LIVE, after), "https://example.org/feed.xml")

    assert tags.people == [Person(name="Dharmesh Shah", role="host"), Person(name="Ann", role="editor")]
    (item,) = tags.items
    assert item.people == [Person(name="Ingrid Kowalczyk", role="guest")]
    assert item.transcripts == [
        PublishedFile(url="https://example.org/1.vtt", media_type="text/vtt"),
        PublishedFile(url="https://example.org/1.srt"),
    ]


def test_items_without_a_guid_or_with_the_same_one_have_their_own_tags() -> None:
    guids = ("", "<guid/>", "<guid>same</guid>", "<guid>same</guid>")
    items = [f"<item>{guid}<podcast:transcript url='/{n}.vtt'/></item>" for n, guid in enumerate(guids)]

    tags = read_tags(feed(*items))

    assert [[it.url for it in tags.of(n, 4).transcripts] for n in range(4)] == [[f"/{n}.vtt"] for n in range(4)]
    assert tags.of(0, 3) == ItemTags(), "they may be the tags of another item"


@pytest.mark.parametrize(
    "odd", ["Salt & bread", "&nbsp;&eacute;", "&#0;&#x1F;&#xD800;", "\x07", "&amp;nbsp; &;", "&AMP;&LT;"]
)
def test_what_is_not_quite_xml_keeps_its_tags(odd: str) -> None:
    tags = read_tags(feed(ITEM, f"<item><title>{odd}</title></item>"))

    assert len(tags.items) == 2
    assert tags.items[0].people


def test_malformed_xml_has_no_tags() -> None:
    assert read_tags(feed(ITEM, "<item><title>Salt</item>")) == PodcastTags()


def test_a_feed_names_only_so_many_people_and_in_so_many_letters() -> None:
    many = tuple(Person(name=f"{number}{'x' * 1000}", role="y" * 1000) for number in range(1000))

    people = Publication(feed="https://example.org/f.xml", people=many).people

    assert len(people) == MOST_PEOPLE
    assert len(people[0].name) == len(people[0].role) == MOST_TERM
