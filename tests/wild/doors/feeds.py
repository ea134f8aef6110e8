"""Feeds of podcasts as publishers write them; no worker is needed."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pipeline import submit_feed
from pipeline.errors import DuetError
from pipeline.types import Options, Publication
from tests.batches import ID3, own_settings
from tests.services import start_valkey
from tests.web import Site, start_site
from tests.wild.case import Case

NAMESPACES = (
    "xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd' xmlns:media='http://search.yahoo.com/mrss/' "
    "xmlns:podcast='https://podcastindex.org/namespace/1.0' xmlns:atom='http://www.w3.org/2005/Atom'"
)


def item(inside: str, title: str = "One", path: str = "/{case}.mp3", kind: str = "type='audio/mpeg'") -> str:
    """Return an item of a feed; `{case}` becomes a name that no other case has."""
    enclosure = f"<enclosure url='{path}' {kind}/>" if path else ""
    return f"<item><title>{title}</title>{enclosure}{inside}</item>"


@dataclass(frozen=True)
class Document:
    """A whole feed, and other files of its server."""

    text: str
    charset: str = "utf-8"
    more: tuple[tuple[str, str], ...] = ()
    """Ends of their paths, with their contents."""


def _date(text: str) -> str:
    return item(f"<pubDate>{text}</pubDate>")


def _type(kind: str) -> str:
    return item("", path="/listen/{case}", kind=kind)


WHOLE = (
    f"<?xml version='1.0' encoding='utf-8'?><rss version='2.0' {NAMESPACES}><channel><title>Show</title>"
    f"{item('')}</channel></rss>"
)
PAGED = WHOLE.replace("</title>", "</title><atom:link rel='next' href='{case}2.xml'/>", 1)
PAGE = "<html><head><link rel='alternate' type='application/rss+xml' href='{case}.rss'></head></html>"
JSON = (
    '{"version": "https://jsonfeed.org/version/1.1", "title": "Show", "items": [{"id": "1", "title": "One", '
    '"attachments": [{"url": "/{case}.mp3", "mime_type": "audio/mpeg"}]}]}'
)
CASES = (
    Case("date", "zeros", _date("0000-00-00 00:00:00"), "'One' of no date"),
    Case("date", "year 1", _date("Mon, 01 Jan 0001 00:00:00 +0000"), "'One' of "),
    Case("date", "year 9999, west of Greenwich", _date("Fri, 31 Dec 9999 23:59:59 -1200"), "'One' of no date"),
    Case("date", "words", _date("yesterday"), "'One' of no date"),
    Case("date", "as it should be", _date("Fri, 21 Mar 2025 07:00:00 -0700"), "'One' of 2025-03-21"),
    Case("enclosure", "type of any bytes", _type("type='application/octet-stream'"), "'One'"),
    Case("enclosure", "type that is none", _type("type='file'"), "'One'"),
    Case("enclosure", "no type", _type(""), "'One'"),
    Case(
        "enclosure",
        "a picture",
        item("", path="/{case}.jpg", kind="type='image/jpeg'"),
        "encloses no audio",
    ),
    Case(
        "enclosure",
        "video of no type, then audio",
        item("<enclosure url='/{case}.mp3' type='audio/mpeg'/>", path="/{case}.m4v", kind=""),
        "'One'",
    ),
    Case("enclosure", "blanks around", item("", path=" /{case}.mp3 "), "'One'"),
    Case("enclosure", "media:content", item("<media:content url='/{case}.mp3' type='audio/mpeg'/>", path=""), "'One'"),
    Case(
        "enclosure",
        "podcast:alternateEnclosure",
        item(
            "<podcast:alternateEnclosure type='audio/mpeg'><podcast:source uri='{site}/{case}.mp3'/>"
            "</podcast:alternateEnclosure>",
            path="",
        ),
        "'One'",
    ),
    Case("title", "markup", item("", title="&lt;b&gt;Bread&lt;/b&gt; &amp;amp; butter"), "'Bread & butter'"),
    Case("title", "line breaks", item("", title="\n  Bread\n\tand butter "), "'Bread and butter'"),
    Case("title", "100,000 letters", item("", title="long " * 20_000), "'long long"),
    Case(
        "guid",
        "none, each with a transcript",
        "".join(
            item(f"<podcast:transcript url='/{it}.vtt' type='text/vtt'/>", title=it, path=f"/{{case}}{it}.mp3")
            for it in ("One", "Two")
        ),
        "'One' of no date with One.vtt; taken: 'Two' of no date with Two.vtt",
    ),
    Case("guid", "one and the same", item("<guid>1</guid>") + item("<guid>1</guid>", "Two", "/{case}Two.mp3"), "'Two'"),
    Case("feed", "blank lines first", Document("\n\n" + WHOLE), "'One'"),
    Case(
        "feed",
        "windows-1252",
        Document(WHOLE.replace("One", "Café").replace("utf-8", "windows-1252"), "cp1252"),
        "'Café'",
    ),
    Case("feed", "UTF-16", Document(WHOLE.replace("One", "Café").replace("utf-8", "utf-16"), "utf-16"), "'Café'"),
    Case(
        "feed", "wrong charset", Document(WHOLE.replace("One", "Café").replace("utf-8", "iso-8859-1"), "utf-8"), "'Caf"
    ),
    Case("feed", "cut short", Document(WHOLE.partition("</channel>")[0]), "'One'"),
    Case("feed", "undeclared entity", Document(WHOLE.replace("One", "One &nbsp; more")), "'One more'"),
    Case(
        "feed",
        "two pages",
        Document(PAGED, more=(("2.xml", WHOLE.replace("One", "Two").replace("{case}", "{case}Two")),)),
        "taken: 'Two'",
    ),
    Case("feed", "page that comes again", Document(PAGED.replace("2.xml", ".xml")), "taken: 'One'"),
    Case("feed", "web page that names its feed", Document(PAGE, more=((".rss", WHOLE),)), "'One'"),
    Case(
        "feed", "list of shows", Document("<opml version='2.0'><body><outline xmlUrl='x'/></body></opml>"), "rejected: "
    ),
    Case("feed", "JSON", Document(JSON), "'One'"),
    Case("feed", "not a feed", Document("<html><body>Moved</body></html>"), "is neither audio nor a podcast feed"),
)


def answers(cases: tuple[Case, ...], folder: Path) -> dict[Case, str]:
    """Submit each feed to a broker without workers."""
    with ExitStack() as stack:
        url = stack.enter_context(start_valkey(folder))
        stack.enter_context(own_settings(url, folder / "cache", DUET_ALLOWED_HOSTS="127.0.0.1"))
        site = stack.enter_context(start_site())
        return {case: _answer(f"case{n}", case.input, site, folder / "out") for n, case in enumerate(cases)}


def _answer(name: str, feed: str | Document, site: Site, to: Path) -> str:
    whole = feed if isinstance(feed, Document) else Document(WHOLE.replace(item(""), feed))
    files = ((".xml", whole.text), *whole.more)
    for end, text in files:
        own = text.replace("{case}", name).replace("{site}", site.url)
        site.files[f"/{name}{end}"] = own.encode(whole.charset)
    for path in (f"/{name}.mp3", f"/listen/{name}", f"/{name}One.mp3", f"/{name}Two.mp3"):
        site.files[path] = ID3 + path.encode()
    try:
        batch = submit_feed(f"{site.url}/{name}.xml", to, Options(legs=("whisper",)))
    except DuetError as error:
        return f"rejected: {error}"
    taken = [job.spec.episode.publication for job in batch]
    left_out = [f"skipped: {it.reason}" for it in batch.skipped] + [f"rejected: {it.reason}" for it in batch.rejected]
    return "; ".join([*sorted(f"taken: {_told(it)}" for it in taken if it), *left_out])


def _told(it: Publication) -> str:
    files = [file.url.rpartition("/")[2] for file in it.transcripts]
    return f"{it.title!r} of {it.published_at or 'no date'}{f' with {chr(44).join(files)}' if files else ''}"
