"""Users and passwords in addresses go to their own host alone, and into nothing that anybody sees."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import DuetError, without_credentials
from pipeline.settings import settings
from pipeline.sources import Rejected, find, find_all
from pipeline.sources.digest_cache import Digests
from pipeline.sources.web_address import authorization, for_apps, with_login_of, without_login
from tests.batches import ID3
from tests.web import Site, start_site

BASIC = "Basic " + b64encode("me:p@ss:wörd/#".encode()).decode()
LOGIN = "me:p%40ss%3Aw%C3%B6rd%2F%23@"
FEED = """<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>Show</title>
<item><guid>1</guid><enclosure url="1.mp3"/></item><item><guid>2</guid><enclosure url="{own}/2.mp3"/></item>
<item><guid>3</guid><enclosure url="{other}/3.mp3"/></item><item><guid>4</guid><enclosure url="/jump.mp3"/></item>
<item><guid>5</guid><enclosure url="{named}/5.mp3"/></item>
<atom:link rel="next" href="{own}/next.xml"/></channel></rss>"""


@pytest.fixture
def sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Site, Site]]:
    """A host that asks for a password, and another one that its feed leads to."""
    monkeypatch.setenv("DUET_ALLOWED_HOSTS", "127.0.0.1,localhost")
    monkeypatch.setenv("DUET_CACHE_DIR", str(tmp_path / "cache"))
    settings.cache_clear()
    with start_site() as own, start_site() as other:
        named = other.url.replace("://", "://you:secret@")
        own.files["/feed.xml"] = FEED.format(own=own.url, other=other.url, named=named).encode()
        own.files["/next.xml"] = FEED.replace("<guid>", "<guid>older").format(own=own.url, other="", named="").encode()
        for name in ("1", "2", "3", "4", "5"):
            own.files[f"/{name}.mp3"] = other.files[f"/{name}.mp3"] = ID3 + name.encode()
        own.redirects["/jump.mp3"] = f"{other.url}/4.mp3"
        own.logins = dict.fromkeys(("/feed.xml", "/next.xml", "/1.mp3", "/2.mp3", "/jump.mp3"), BASIC)
        yield own, other
    settings.cache_clear()


def with_login(url: str, login: str = LOGIN) -> str:
    return url.replace("://", f"://{login}")


def test_a_password_goes_to_its_own_host_and_to_no_other(sites: tuple[Site, Site], tmp_path: Path) -> None:
    own, other = sites
    digests = Digests(tmp_path / "digests.sqlite")

    found = list(find(with_login(f"{own.url}/feed.xml")))
    read = [it.read(digests) for it in found if not isinstance(it, Rejected) and "older" not in str(it)]  # type: ignore[union-attr]

    assert [it.source.rpartition("/")[2] for it in read] == ["1.mp3", "2.mp3", "3.mp3", "jump.mp3", "5.mp3"]
    assert all(headers["authorization"] == BASIC for _, _, headers in own.requests)
    assert ["authorization" in other.asked(f"/{name}.mp3")[0] for name in "345"] == [False, False, True]
    shown = "".join([str(it) for it in read] + [it.name for it in found if not isinstance(it, Rejected)])  # type: ignore[union-attr]
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*.sqlite*"))
    for secret in ("p@ss", "p%40ss", "secret@", "you:secret"):
        assert secret not in shown
        assert secret.encode() not in kept


@pytest.mark.parametrize("login", ["", "me:wrong@", "me@"])
def test_a_feed_that_is_not_open_is_said_without_the_password(sites: tuple[Site, Site], login: str) -> None:
    url = with_login(f"{sites[0].url}/feed.xml", login)

    (rejected,) = find_all([url])

    assert isinstance(rejected, Rejected)
    assert f"{sites[0].url}/feed.xml answers 401" in rejected.reason
    assert "wrong" not in rejected.reason + rejected.source


@pytest.mark.parametrize("scheme", ["feed", "FEED", "podcast", "itpc", "pcast", "rss"])
@pytest.mark.parametrize("login", ["", LOGIN])
def test_a_scheme_of_podcast_apps_leads_to_the_feed(sites: tuple[Site, Site], scheme: str, login: str) -> None:
    sites[0].logins = {"/feed.xml": BASIC} if login else {}

    found = next(find(f"{scheme}://{login}{sites[0].url.removeprefix('http://')}/feed.xml"))

    assert found.name == f"{sites[0].url}/1.mp3"  # type: ignore[union-attr]
    assert next(find(f"feed:{with_login(sites[0].url, login)}/feed.xml"))


def test_no_password_is_sent_openly_because_https_is_blocked() -> None:
    assert for_apps("feed://me:pw@example.org/f.xml") == ["https://me:pw@example.org/f.xml"]
    assert for_apps("feed://example.org/f.xml") == ["https://example.org/f.xml", "http://example.org/f.xml"]
    assert for_apps("feeds/f.xml") == for_apps("feed:1.mp3") == for_apps("https://example.org/") == []


@pytest.mark.parametrize(
    "other", ["http://h/x", "https://h:8443/x", "https://g/x", "https://h.g/x", "https://you:pw@h/x"]
)
def test_another_scheme_port_or_host_is_another_place(other: str) -> None:
    assert with_login_of("https://me:pw@h/feed.xml", other) == other


def test_the_default_port_and_capitals_are_the_same_place() -> None:
    assert with_login_of("https://me:pw@h/feed.xml", "https://H:443/x") == "https://me:pw@H:443/x"
    assert authorization("https://me:pw@h/") == {"Authorization": "Basic bWU6cHc="}
    assert without_login("https://me:pw@bücher.example:8443/ä?x=1#part") == "https://xn--bcher-kva.example:8443/ä?x=1"


@pytest.mark.parametrize("password", ["a@b", "a:b", "a/b", "a#b", "a?b", "a/b@c", "@", "/"])
@pytest.mark.parametrize("scheme", ["https", "HTTP", "feed", "feed:https", "itpc"])
def test_a_password_with_odd_letters_is_not_shown_and_not_echoed(
    sites: tuple[Site, Site], password: str, scheme: str
) -> None:
    url = f"{scheme}://SECRET:SECRET{password}SECRET@127.0.0.1:1/feed.xml"

    assert without_credentials(url) == f"{scheme}://127.0.0.1:1/feed.xml"
    with pytest.raises(DuetError) as refused:
        list(find(url))
    assert "SECRET" not in str(refused.value)
    (rejected,) = find_all([url])
    assert "SECRET" not in f"{rejected.source}{rejected.reason}"  # type: ignore[union-attr]
