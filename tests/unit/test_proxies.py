"""Proxies of the environment, which are no way around the guard."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import AddressError, AudioError, DuetError, TransientError
from pipeline.settings import settings
from pipeline.sources import find_one
from pipeline.sources.download import Download
from pipeline.sources.proxies import proxy_of
from tests.batches import ID3
from tests.proxy import Proxy, start_proxy
from tests.web import Site, start_site

HOST = "feeds.example"
"""A name that only the proxy knows."""


@pytest.fixture
def site() -> Iterator[Site]:
    with start_site() as site:
        site.files["/ep.mp3"] = ID3
        yield site


@pytest.fixture
def proxy(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    place = site.url.removeprefix("http://")
    with start_proxy(**{HOST: place, "127.0.0.1": place, "metadata.internal": place, "localhost": place}) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("://", "://me:p%40ss@"))
        monkeypatch.setenv("DUET_CACHE_DIR", str(tmp_path / "cache"))
        monkeypatch.setenv("DUET_ALLOWED_HOSTS", "")
        monkeypatch.setattr("pipeline.sources.download.LONGEST_WAIT_S", 0.0)
        settings.cache_clear()
        yield proxy
    settings.cache_clear()


def fetch(url: str) -> bytes:
    return Download(url).fetch(10_000).read_bytes()


def test_the_proxy_fetches_what_it_alone_can_resolve_and_alone_is_told_its_password(proxy: Proxy, site: Site) -> None:
    assert fetch(f"http://{HOST}/ep.mp3") == ID3

    ((asked, headers),) = proxy.asked
    assert asked == f"GET http://{HOST}/ep.mp3"
    assert headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
    assert not any("proxy-authorization" in headers for _, _, headers in site.requests)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "[::1]", "169.254.169.254", "localhost", "metadata.internal", "intranet"],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_is_private_is_not_asked_of_the_proxy(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, host: str, scheme: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)

    with pytest.raises(AddressError, match="DUET_ALLOWED_HOSTS"):
        fetch(f"{scheme}://{host}/ep.mp3")
    assert proxy.asked == []


def test_a_redirect_to_what_is_private_is_not_asked_of_the_proxy(proxy: Proxy, site: Site) -> None:
    site.redirects["/jump.mp3"] = "http://127.0.0.1/ep.mp3"

    with pytest.raises(AddressError, match="not a public address"):
        fetch(f"http://{HOST}/jump.mp3")
    assert len(proxy.asked) == 1


@pytest.mark.parametrize("allowed", ["metadata.internal", "127.0.0.1"])
def test_what_the_setting_names_is_asked_of_the_proxy(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, allowed: str
) -> None:
    monkeypatch.setenv("DUET_ALLOWED_HOSTS", allowed)
    settings.cache_clear()

    assert fetch(f"http://{allowed}/ep.mp3") == ID3


def test_https_goes_through_a_tunnel(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", proxy.url.removeprefix("http://"))

    with pytest.raises(TransientError, match=f"{HOST}/ep.mp3"):  # behind the tunnel is no TLS
        fetch(f"https://{HOST}/ep.mp3")

    assert proxy.asked[0][0] == f"CONNECT {HOST}:443"


def test_a_proxy_that_refuses_is_named_without_its_password(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", "://me:SECRET@"))

    with pytest.raises(
        TransientError, match=rf"The proxy {proxy.url} does not lead to https://other\.example/ep\.mp3 .*403"
    ) as refused:
        fetch("https://other.example/ep.mp3")
    assert "SECRET" not in str(refused.value)
    with pytest.raises(AudioError, match="403"):
        fetch("http://other.example/ep.mp3")


@pytest.mark.parametrize(
    "none", ["127.0.0.1", "*", "example.org, 127.0.0.1", "localhost,127.0.0.1:{port}", "10.0.0.0/8, 127.0.0.0/8"]
)
def test_what_no_proxy_names_is_asked_directly(
    proxy: Proxy, site: Site, monkeypatch: pytest.MonkeyPatch, none: str
) -> None:
    monkeypatch.setenv("DUET_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("NO_PROXY", none.format(port=site.url.rpartition(":")[2]))
    settings.cache_clear()

    assert fetch(f"{site.url}/ep.mp3") == ID3
    assert proxy.asked == []


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_the_variables_count_in_either_case(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "proxy.example:3128")

    assert proxy_of("https://example.org/ep.mp3") == "http://proxy.example:3128"


@pytest.mark.parametrize("proxy_url", ["socks5://me:SECRET@127.0.0.1:1080", "http://", "http://me:SECRET/@x:1"])
def test_a_proxy_of_another_kind_is_said(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, proxy_url: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy_url)

    with pytest.raises(DuetError, match=r"is none of http:// or https://; correct HTTP_PROXY") as refused:
        find_one("https://example.org/ep")
    assert "SECRET" not in str(refused.value)
