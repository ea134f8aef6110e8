"""Who may use a server without a key: this machine, and nobody that a proxy speaks for."""

import socket
from collections.abc import Iterator

import pytest

from pipeline.state.api_keys import ApiKeyStore
from tests.faults.fleet import Fleet
from tests.http.server import Server, serve
from tests.http.test_keys import duet

pytestmark = pytest.mark.xdist_group("http")


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A broker of its own, which never had a key."""
    fleet = Fleet(tmp_path_factory.mktemp("without-keys"))
    try:
        fleet.start_broker()
        yield fleet
    finally:
        fleet.stop()


@pytest.mark.parametrize(
    "header",
    [
        {"X-Forwarded-For": "203.0.113.9"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Host": "duet.example"},
        {"X-Forwarded-Server": "duet.example"},
        {"X-Forwarded-Proto": "https"},
        {"X-Forwarded-Port": "443"},
        {"X-Real-IP": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
        {"Via": "1.1 proxy.example"},
        {"CF-Connecting-IP": "203.0.113.9"},
    ],
    ids=lambda it: "".join(it),
)
def test_what_a_proxy_passes_on_needs_a_key(server: Server, header: dict[str, str]) -> None:
    answer = server.http.get("/jobs", headers=header)

    assert answer.status_code == 401
    assert "make a key first" in answer.json()["detail"]
    assert "duet keys add NAME" in answer.json()["detail"]


def test_a_proxy_that_says_nothing_of_itself_and_speaks_http_1_0_needs_a_key(server: Server) -> None:
    # As nginx does with no more than `proxy_pass http://127.0.0.1:8000;`
    host, port = server.url.removeprefix("http://").split(":")
    head = f"GET /jobs HTTP/1.0\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"

    assert b" 401 " in answered(host, int(port), head).splitlines()[0]


def test_something_that_is_no_key_does_not_switch_off_the_check_for_foreign_pages(server: Server) -> None:
    foreign = {"Origin": "https://evil.example", "Authorization": "Bearer x"}

    assert server.http.get("/jobs", headers=foreign).status_code == 403
    assert server.http.get("/jobs", headers={"Authorization": "Bearer x"}).status_code == 200


def test_a_server_that_had_keys_stays_closed_when_its_broker_has_lost_them(fresh: Fleet) -> None:
    # Given a server that has a key, and one that was started when it had
    with serve(fresh, fresh.results) as first:
        _, key = ApiKeyStore(fresh.redis()).add("somebody")
        header = {"Authorization": f"Bearer {key}"}
        assert first.http.get("/jobs", headers=header).status_code == 200

        # When the broker forgets it all
        fresh.redis().flushall()

        # Then nobody gets in, and the sentence says why and how
        answer = first.http.get("/jobs")
        assert answer.status_code == 401
        assert "its broker has none now" in answer.json()["detail"]
        assert "duet keys open" in answer.json()["detail"]
        assert first.http.get("/jobs", headers=header).status_code == 401

    # Nor after a restart
    with serve(fresh, fresh.results) as second:
        assert second.http.get("/jobs").status_code == 401

        # Until somebody says so
        assert duet(fresh, "keys", "open").returncode == 0
        assert second.http.get("/jobs").status_code == 200
        assert second.http.get("/jobs", headers={"Via": "1.1 proxy"}).status_code == 401


def test_a_key_that_is_added_and_revoked_can_be_undone(fresh: Fleet) -> None:
    with serve(fresh, fresh.results) as server:
        assert server.http.get("/jobs").status_code == 200, "as long as there was no key"
        assert "From now on" in duet(fresh, "keys", "add", "newsroom").stderr
        assert server.http.get("/jobs").status_code == 401
        refused = duet(fresh, "keys", "open")
        assert refused.returncode != 0
        assert "newsroom" in refused.stderr

        # When the only key is revoked, it stays closed, and both say how to open it
        assert "duet keys open" in duet(fresh, "keys", "revoke", "newsroom").stderr
        answer = server.http.get("/jobs")
        assert answer.status_code == 401
        assert "every key was revoked" in answer.json()["detail"]
        assert "duet keys open" in answer.json()["detail"]

        # Then it is opened, and closed again by the next key
        assert duet(fresh, "keys", "open").returncode == 0
        assert server.http.get("/jobs").status_code == 200
        duet(fresh, "keys", "add", "second")
        assert server.http.get("/jobs").status_code == 401


def test_a_server_that_knows_of_a_proxy_takes_nobody_without_a_key(fresh: Fleet) -> None:
    fresh.variables["DUET_SERVE_TRUSTED_PROXIES"] = "127.0.0.1"
    done = duet(fresh, "serve", "--port", "1")
    assert done.returncode == 2
    assert "make a key first" in done.stderr

    _, key = ApiKeyStore(fresh.redis()).add("somebody")
    with serve(fresh, fresh.results) as server:
        assert server.http.get("/jobs").status_code == 401
        assert server.http.get("/jobs", headers={"Authorization": f"Bearer {key}"}).status_code == 200


@pytest.mark.parametrize(("trusted", "is_secure"), [("127.0.0.1/32", True), ("10.1.2.3", False)])
def test_the_cookie_is_for_https_alone_where_a_trusted_proxy_says_that_this_is_https(
    fresh: Fleet, trusted: str, is_secure: bool
) -> None:
    _, key = ApiKeyStore(fresh.redis()).add("somebody")
    with serve(fresh, fresh.results, DUET_SERVE_TRUSTED_PROXIES=trusted) as server:
        answer = server.http.post("/session", json={"key": key}, headers={"X-Forwarded-Proto": "https"})

        assert answer.status_code == 200
        assert ("Secure" in answer.headers["Set-Cookie"]) is is_secure


def answered(host: str, port: int, text: str) -> bytes:
    with socket.create_connection((host, port), timeout=60) as connection:
        connection.sendall(text.encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))
