"""Which hosts a URL from outside may lead to, looked at again whenever a connection is made."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from pipeline.errors import AddressError, TransientError
from pipeline.settings import settings
from pipeline.sources.url_guard import PublicPoolManager, check_url

PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
    "64:ff9b:1::7f00:1", "::7f00:1", "::ffff:0:7f00:1", "fec0::1", "3fff::1", "5f00::1", "192.0.0.192", "192.88.99.1",
    "168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::a83f:8110",
]  # fmt: skip
Allow = Callable[[str], None]


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Allow]:
    def set_hosts(hosts: str) -> None:
        monkeypatch.setenv("DUET_ALLOWED_HOSTS", hosts)
        settings.cache_clear()

    set_hosts("")
    yield set_hosts
    settings.cache_clear()


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let every name lead to the given addresses; to the next list of them each time it is looked up."""

    def set_addresses(*lookups: list[str]) -> None:
        answers = list(lookups)

        def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[object]:
            found = answers.pop(0) if len(answers) > 1 else answers[0]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

        monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)

    return set_addresses


@contextmanager
def web_server(location: str | None = None) -> Iterator[int]:
    """Run a server that says hello, or sends everybody elsewhere, and yield its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302 if location else 200)
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(b"" if location else b"hello")

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(allow: Allow, address: str) -> None:
    url = f"http://[{address}]/ep.mp3" if ":" in address else f"http://{address}/ep.mp3"

    with pytest.raises(AddressError, match=r"not a public address.*DUET_ALLOWED_HOSTS"):
        check_url(url)


@pytest.mark.parametrize("url", ["http://2130706433/", "http://0x7f000001/", "http://127.1/", "http://0177.0.0.1/"])
def test_an_address_in_disguise_is_refused(allow: Allow, url: str) -> None:
    with pytest.raises(AddressError, match="not a public address"):
        check_url(url)


@pytest.mark.parametrize("url", ["https://8.8.8.8/ep.mp3", "http://[2606:4700:4700::1111]:8080/x", "http://1.1.1.1"])
def test_a_public_address_is_permitted(allow: Allow, url: str) -> None:
    check_url(url)


def test_one_private_address_among_public_ones_is_enough_to_refuse(allow: Allow, resolve: Callable[..., None]) -> None:
    resolve(["8.8.8.8", "10.0.0.1"])

    with pytest.raises(AddressError, match=r"feeds\.example is at 10\.0\.0\.1"):
        check_url("https://feeds.example/show.xml")


@pytest.mark.parametrize("url", ["ftp://8.8.8.8/x", "file:///etc/passwd", "ep.mp3", "http://", "https://host:port/"])
def test_what_is_no_web_address_is_refused(allow: Allow, url: str) -> None:
    with pytest.raises(AddressError, match="no address"):
        check_url(url)


def test_a_host_that_is_not_there_is_said(allow: Allow, monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)

    with pytest.raises(AddressError, match=r"There is no host feeds\.example .*check the spelling"):
        check_url("https://feeds.example/")


def test_a_name_server_that_is_away_is_a_passing_trouble(allow: Allow, monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)

    with pytest.raises(TransientError, match="Temporary failure"):
        check_url("https://feeds.example/")


@pytest.mark.parametrize("allowed", ["127.0.0.1", "127.0.0.0/8", "localhost, 127.0.0.1", "::1,127.0.0.1/32"])
def test_what_the_setting_names_is_permitted(allow: Allow, allowed: str) -> None:
    allow(allowed)

    with web_server() as port:
        answer = PublicPoolManager(retries=False).request("GET", f"http://127.0.0.1:{port}/")

    assert answer.data == b"hello"


def test_a_connection_to_a_private_address_is_not_made(allow: Allow) -> None:
    with web_server() as port, pytest.raises(AddressError, match="not a public address"):
        PublicPoolManager().request("GET", f"http://127.0.0.1:{port}/")


def test_a_redirect_to_a_private_address_is_not_followed(allow: Allow) -> None:
    allow("localhost")  # the name is permitted, the address is not

    with (
        web_server() as inner,
        web_server(f"http://127.0.0.1:{inner}/") as outer,
        pytest.raises(AddressError, match=r"127\.0\.0\.1 is not a public address"),
    ):
        PublicPoolManager().request("GET", f"http://localhost:{outer}/")


def test_a_name_that_changes_its_address_after_the_look_is_not_connected_to(
    allow: Allow, resolve: Callable[..., None]
) -> None:
    resolve(["8.8.8.8"], ["127.0.0.1"])
    with web_server() as port:
        check_url(f"http://feeds.example:{port}/")

        with pytest.raises(AddressError, match=r"feeds\.example is at 127\.0\.0\.1"):
            PublicPoolManager().request("GET", f"http://feeds.example:{port}/")
