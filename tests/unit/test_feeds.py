"""Feeds as publishers write them, from a real web server; what they enclose is not downloaded here."""

import json
import time
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from pipeline.errors import AudioError, DuetError
from pipeline.settings import settings
from pipeline.sources import Found, Rejected, Skipped, find
from pipeline.sources.web import WebAudio
from tests.web import Site, start_site

NAMESPACES = (
    'xmlns:podcast="https://podcastindex.org/namespace/1.0" xmlns:media="http://search.yahoo.com/mrss/" '
    'xmlns:atom="http://www.w3.org/2005/Atom"'
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with pytest.MonkeyPatch.context() as patch, start_site() as site:
        patch.setenv("DUET_ALLOWED_HOSTS", "127.0.0.1")
        patch.setenv("DUET_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        settings.cache_clear()
        yield site
    settings.cache_clear()


def rss(*parts: str) -> bytes:
    title = "<title>&lt;b&gt;Show&lt;/b&gt;</title>"
    return f'<rss version="2.0" {NAMESPACES}><channel>{title}{"".join(parts)}</channel></rss>'.encode()


def item(*parts: str, title: str = "One") -> str:
    return f"<item><title>{title}</title>{''.join(parts)}</item>"


def found_in(site: Site, data: bytes, path: str = "/show/feed.xml", media_type: str = "application/xml") -> list[Found]:
    site.files[path], site.types[path] = data, media_type
    return list(find(f"{site.url}{path}"))


def only_url(site: Site, data: bytes) -> str:
    (found,) = found_in(site, data)
    assert isinstance(found, WebAudio), found
    return found.url.removeprefix(site.url)


@pytest.mark.parametrize(
    "media_type",
    [
        "application/octet-stream", "file", "mp3", "audio", "video", "", "text/html", " AUDIO/MPEG ", "audio/mpeg; x=y",
        "binary/octet-stream", "application/force-download", "undefined",
    ],
)  # fmt: skip
def test_an_enclosure_without_an_ending_is_tried_whatever_its_type(site: Site, media_type: str) -> None:
    assert only_url(site, rss(item(f'<enclosure url="/play/1" type="{media_type}"/>'))) == "/play/1"


@pytest.mark.parametrize(
    "enclosure",
    [
        '<enclosure url="/cover" type="image/jpeg"/>',
        '<enclosure url="/notes" type="Application/PDF"/>',
        '<enclosure url="/cover.JPG?x=1" type="application/octet-stream"/>',
        '<enclosure url="/notes.pdf"/>',
        '<enclosure url=""/>',
        "<enclosure/>",
        '<media:content url="/pixel" medium="image"/>',
        '<media:content url="/v/1" type="application/x-shockwave-flash"/>',
        '<podcast:alternateEnclosure type="audio/opus"><podcast:source uri="ipfs://a"/></podcast:alternateEnclosure>',
    ],
)
def test_what_is_surely_no_audio_is_skipped(site: Site, enclosure: str) -> None:
    skipped, _ = found_in(site, rss(item(enclosure), item('<enclosure url="/2.mp3"/>')))

    assert isinstance(skipped, Skipped)
    assert skipped.reason == "it encloses no audio"


@pytest.mark.parametrize(
    "parts",
    [
        '<enclosure url="/cover.jpg" type="image/jpeg"/><enclosure url="/1" type="audio/mpeg"/>',
        '<enclosure url="/1.mp4" type="video/mp4"/><enclosure url="/1" type="audio/mp4"/>',
        '<enclosure url="/what"/><enclosure url="/1" type="audio/mp4"/>',
        '<media:content url="/1" type="audio/mpeg"/>',
        '<media:content url="/1" medium="audio"/>',
        '<media:group><media:content url="/0" type="audio/mpeg"/>'
        '<media:content url="/1" type="audio/mpeg" isDefault="true"/></media:group>',
        '<atom:link rel="enclosure" href="/1" type="audio/mpeg"/>',
        '<podcast:alternateEnclosure type="audio/opus"><podcast:source uri="/1"/></podcast:alternateEnclosure>',
        '<enclosure url=" /1&#10;" type="audio/mpeg"/>',
        '<enclosure url="/1" type="audio/mpeg" length="huge"/>',
    ],
)
def test_of_all_that_is_enclosed_the_audio_is_taken(site: Site, parts: str) -> None:
    assert only_url(site, rss(item(parts))) == "/1"


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://example.org/Ünder stand/100%25.mp3", None),
        ("//example.org/1.mp3", "http://example.org/1.mp3"),
        ("HTTPS://EXAMPLE.ORG/1.mp3", None),
        ("https://bücher.example/1.mp3", None),
        ("feed://example.org/1.mp3", "http://example.org/1.mp3"),
        ("https://example.org/1.mp3?a=1&amp;amp;b=2", "https://example.org/1.mp3?a=1&b=2"),
    ],
)
def test_addresses_are_taken_as_they_are_written(site: Site, url: str, taken: str | None) -> None:
    assert only_url(site, rss(item(f'<enclosure url="{url}"/>'))) == (taken or url)


def test_relative_addresses_refer_to_xml_base_or_to_the_address_that_answered(site: Site) -> None:
    site.redirects["/old.xml"] = "/moved/feed.xml"
    site.files["/moved/feed.xml"] = rss(item('<enclosure url="1.mp3"/>'))
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://example.org/a/"><title>S</title><entry>'
        '<title>One</title><link rel="enclosure" href="1.mp3" type="audio/mpeg"/></entry></feed>'
    )

    assert only_url(site, atom.encode()) == "https://example.org/a/1.mp3"
    one = item('<enclosure url="1.mp3"/>')
    based = f'<rss version="2.0"><channel xml:base="/b/">{one}</channel></rss>'
    assert only_url(site, based.encode()) == "/b/1.mp3"
    (found,) = find(f"{site.url}/old.xml")
    assert found.url == f"{site.url}/moved/1.mp3"  # type: ignore[union-attr]


@pytest.mark.parametrize("guid", ["", "<guid/>", "<guid>same</guid>", "<guid> <![CDATA[same]]>\n</guid>"])
def test_each_item_has_its_own_transcripts_and_people(site: Site, guid: str) -> None:
    items = [
        item(
            guid,
            f'<enclosure url="/{n}.mp3"/><podcast:transcript url="/{n}.vtt" type="text/vtt"/>'
            f"<podcast:person>Guest &amp;amp; {n}</podcast:person>",
        )
        for n in range(3)
    ]
    found = found_in(site, rss(*items))

    own = [it.publication for it in found]  # type: ignore[union-attr]
    assert [[file.url for file in it.transcripts] for it in own] == [[f"{site.url}/{n}.vtt"] for n in range(3)]
    assert [[person.name for person in it.people] for it in own] == [[f"Guest & {n}"] for n in range(3)]
    assert {it.show for it in own} == {"Show"}
    assert len({it._key() for it in found}) == 3  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "next_page",
    ['<atom:link rel="next" href="{}"/>', '<link xmlns="http://www.w3.org/2005/Atom" rel="next" href="{}"/>'],
)
def test_the_pages_of_a_feed_are_read_and_what_is_there_twice_is_once(site: Site, next_page: str) -> None:
    one, two, three = (item(f'<enclosure url="/{n}.mp3"/><guid>{n}</guid>') for n in range(3))
    site.files["/show/2.xml"] = rss(two, three, next_page.format("feed.xml#again"))

    found = found_in(site, rss(one, two, next_page.format("2.xml")))

    assert [it.name.removeprefix(site.url) for it in found] == ["/0.mp3", "/1.mp3", "/2.mp3"]
    site.requests.clear()
    list(find(f"{site.url}/show/feed.xml"))
    assert "if-none-match" in site.asked("/show/2.xml")[0]


def test_a_page_that_is_broken_costs_only_itself_and_what_is_older(site: Site) -> None:
    page = rss(item('<enclosure url="/1.mp3"/>'), '<atom:link rel="next" href="/gone.xml?token=SECRET"/>')

    episode, rejected = found_in(site, page)

    assert isinstance(episode, WebAudio)
    assert isinstance(rejected, Rejected)
    assert rejected.source == f"{site.url}/gone.xml"
    assert "older episodes are left out" in rejected.reason
    assert "/gone.xml was not found (404)" in rejected.reason
    assert "SECRET" not in rejected.reason


def test_a_feed_that_counts_its_pages_on_without_end_is_left(site: Site) -> None:
    for n in range(5):
        one = item('<enclosure url="/1.mp3"/>')
        site.files[f"/feed?page={n}"] = rss(one, f'<atom:link rel="next" href="/feed?page={n + 1}"/>')

    assert len(list(find(f"{site.url}/feed?page=0"))) == 1
    assert not site.asked("/feed?page=2")


def test_the_page_of_a_show_leads_to_its_feed(site: Site) -> None:
    site.files["/shows/1.rss"] = rss(item('<enclosure url="1.mp3"/>'))
    page = (
        '<!DOCTYPE html><html><head><title>Show</title><link rel="stylesheet" href="x.css">'
        '<LINK REL="alternate home" TYPE="application/rss+xml" HREF="/shows/1.rss"></head><body>&nbsp;<p></html>'
    )

    (found,) = found_in(site, page.encode(), "/show", "text/html")

    assert found.url == f"{site.url}/shows/1.mp3"  # type: ignore[union-attr]
    assert found.publication.feed == f"{site.url}/shows/1.rss"  # type: ignore[union-attr]
    site.files["/shows/1.rss"] = page.encode()
    with pytest.raises(AudioError, match=r"1\.rss is neither audio nor a podcast feed"):
        list(find(f"{site.url}/show"))


def test_a_json_feed_is_a_feed(site: Site) -> None:
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Show",
        "authors": [{"name": "Rosa Thorn"}],
        "next_url": "/2.json",
        "items": [
            {
                "id": "1", "title": "One", "date_published": "2025-03-21T08:00:00+01:00", "url": "/1",
                "attachments": [{"url": "/1.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 9}],
            },
            {"id": 2}, "odd", {"id": "3", "title": 3, "attachments": ["odd", {"url": 3}], "authors": "odd"},
        ],
    }  # fmt: skip
    site.files["/2.json"] = json.dumps(
        feed | {"next_url": None, "items": [{"attachments": [{"url": "/2.mp3"}]}]}
    ).encode()

    found = found_in(site, json.dumps(feed).encode(), "/feed.json", "application/feed+json")

    first, *_, last = found
    assert isinstance(first, WebAudio)
    assert first.publication
    assert first.publication.published_at == "2025-03-21T07:00:00.000+00:00"
    assert [it.name for it in first.publication.people] == ["Rosa Thorn"]
    assert last.url == f"{site.url}/2.mp3"  # type: ignore[union-attr]
    assert len(found) == 4


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (
            b'<?xml version="1.0"?><opml version="2.0"><body/></opml>',
            r"is a list of feeds \(OPML\); give the address of each",
        ),
        (b'{"version": "https://jsonfeed.org/version/1"}', "neither audio nor a podcast feed"),
        (b"[" * 100_000, "neither audio nor a podcast feed"),
        (b"/etc/passwd", "neither audio nor a podcast feed"),
        (b"\xff\xfe\x00\xd8", "neither audio nor a podcast feed"),
    ],
)
def test_what_is_no_feed_is_said(site: Site, data: bytes, sentence: str) -> None:
    with pytest.raises(AudioError, match=sentence):
        found_in(site, data, "/odd", "text/plain")


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\n " + b'<?xml version="1.0" encoding="utf-8"?>' + rss(item('<enclosure url="/1.mp3"/>')),
        b'<?xml version="1.0"?><?xml-stylesheet href="a.xsl" type="text/xsl"?>'
        + rss(item('<enclosure url="/1.mp3"/>')),
        rss(item('<enclosure url="/1.mp3"/>', title="Salt & bread &nbsp; \x07")),
        rss(item('<enclosure url="/1.mp3"/>')).decode().encode("utf-16"),
        rss(item('<enclosure url="/1.mp3"/>'), "<item><title>cut o"),
    ],
    ids=["blank lines", "stylesheet", "not quite XML", "UTF-16", "cut off"],
)
def test_a_feed_is_read_though_it_is_not_quite_right(site: Site, data: bytes) -> None:
    assert found_in(site, data)[0].url == f"{site.url}/1.mp3"  # type: ignore[union-attr]


def test_a_long_feed_is_read_at_once(site: Site) -> None:
    one = (
        '<enclosure url="/{0}.mp3" type="audio/mpeg"/><guid>{0}</guid><description>' + "Notes. " * 50 + "</description>"
    )
    data = rss(*(item(one.format(n)) for n in range(3000)))

    began = time.monotonic()
    assert len(found_in(site, data)) == 3000
    assert time.monotonic() - began < 60


texts = st.text(st.characters(exclude_categories=[]), max_size=30) | st.sampled_from(
    [
        "<b>",
        "&amp;lt;",
        "]]>",
        "<![CDATA[",
        "http://[bad",
        "http://h:99999/",
        "0000-00-00 00:00:00",
        "&",
        "\u202e",
        "9" * 400,
    ]
)
types = st.sampled_from(["audio/mpeg", "image/png", "", "mp3", "text/html"]) | texts
entries = st.tuples(texts, texts, texts, texts, types)


@examples(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=st.lists(entries, max_size=5), cut=st.none() | st.integers(0, 2000), raw=st.booleans())
def test_whatever_a_feed_holds_each_item_has_one_outcome(
    site: Site, items: list[tuple[str, str, str, str, str]], cut: int | None, raw: bool
) -> None:
    def written(title: str, date: str, guid: str, url: str, media_type: str) -> str:
        title, date, guid = (it if raw else escape(it) for it in (title, date, guid))
        enclosure = f"<enclosure url={quoteattr(url)} type={quoteattr(media_type)}/>"
        return f"<item><title>{title}</title><pubDate>{date}</pubDate><guid>{guid}</guid>{enclosure}</item>"

    text = rss(item('<enclosure url="/1.mp3"/>')).decode()
    data = text.replace("</channel>", "".join(written(*it) for it in items) + "</channel>").encode(errors="replace")
    try:
        found = found_in(site, data[:cut], "/any.xml")
    except DuetError:
        assert cut is not None
    else:
        if cut is None and not raw:
            assert len(found) == len(items) + 1
        assert all(isinstance(it, WebAudio | Rejected | Skipped) for it in found)
