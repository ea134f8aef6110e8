"""A broker behind TLS, with a password of odd characters: what everybody who talks to it makes of its address."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import redis

from pipeline import JobState
from pipeline.errors import BrokerError
from pipeline.messaging.app import client_app
from pipeline.settings import settings
from pipeline.state.job_waiter import connect_async
from pipeline.state.redis import broker_url, connect, readable_errors, unreachable
from tests.faults.fleet import TIMEOUT_S, Fleet
from tests.services import start_valkey
from tests.tls import TlsServer, tls_before

PASSWORD = "p/w@with:odd?#[char%s"

Configure = Callable[[str], None]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """A Valkey that wants a password, behind TLS."""
    folder = tmp_path_factory.mktemp("tls")
    with start_valkey(folder) as url:
        socket = Path(url.removeprefix("redis+socket://"))
        redis.Redis(unix_socket_path=str(socket)).config_set("requirepass", PASSWORD)
        with tls_before(socket, folder) as running:
            yield running


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch, server: TlsServer) -> Iterator[Configure]:
    """Have an address as the broker, and the server's authority among those of the system."""
    monkeypatch.setenv("SSL_CERT_FILE", str(server.authority))

    def choose(url: str) -> None:
        monkeypatch.setenv("DUET_BROKER_URL", url)
        settings.cache_clear()

    yield choose
    settings.cache_clear()


def answers() -> list[bool]:
    """Ask the broker in each way in which Duet does: by redis-py, by asyncio, by kombu and by Celery's results."""
    url = broker_url()
    app = client_app(url)

    async def ping() -> bool:
        client = connect_async(url, 2)
        try:
            return bool(await client.ping())
        finally:
            await client.aclose()

    with app.connection_for_write() as connection, connect() as client:
        return [
            bool(client.ping()),
            asyncio.run(ping()),
            bool(connection.default_channel.client.ping()),
            bool(app.backend.client.ping()),
        ]


@pytest.mark.parametrize("scheme", ["rediss", "valkeys", "REDISS"])
@pytest.mark.parametrize("query", ["", "?ssl_cert_reqs=required", "?ssl_cert_reqs=CERT_REQUIRED"])
def test_the_authorities_of_the_system_are_trusted(
    server: TlsServer, configure: Configure, scheme: str, query: str
) -> None:
    configure(f"{scheme}://:{quote(PASSWORD, safe='')}@localhost:{server.port}/0{query}")

    assert answers() == [True] * 4


def test_a_password_may_be_written_as_it_is(server: TlsServer, configure: Configure) -> None:
    configure(f"rediss://:{PASSWORD}@localhost:{server.port}/0")

    assert answers() == [True] * 4


def test_an_authority_may_be_named_and_a_name_left_unchecked(
    server: TlsServer, configure: Configure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    own = f"rediss://:{quote(PASSWORD, safe='')}@"
    configure(f"{own}localhost:{server.port}/0?ssl_ca_certs={server.authority}")
    assert answers() == [True] * 4

    configure(f"{own}localhost:{server.port}/0?ssl_cert_reqs=CERT_NONE")
    assert answers() == [True] * 4

    socket = redis.Redis(ssl=True, port=server.port, host="localhost", password=PASSWORD, ssl_cert_reqs="none")
    path = Path(socket.config_get("unixsocket")["unixsocket"])
    with tls_before(path, tmp_path, "another.example") as elsewhere:
        there = f"{own}localhost:{elsewhere.port}/0?ssl_ca_certs={elsewhere.authority}"
        configure(there)
        with pytest.raises(BrokerError, match="CERTIFICATE_VERIFY_FAILED"), readable_errors():
            connect().ping()
        configure(f"{there}&ssl_check_hostname=false")
        assert answers() == [True] * 4


def test_a_server_that_nobody_vouches_for_is_not_talked_to_and_no_password_is_said(
    server: TlsServer, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    configure(f"rediss://:{PASSWORD}@localhost:{server.port}/0")

    with pytest.raises(BrokerError, match="CERTIFICATE_VERIFY_FAILED") as caught, readable_errors():
        connect().ping()

    assert f"rediss://localhost:{server.port}/0" in str(caught.value)
    assert not any(it in str(caught.value) for it in (PASSWORD, quote(PASSWORD, safe=""), "odd"))
    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        client_app(broker_url()).connection_for_write().ensure_connection(max_retries=1)


def test_a_wrong_password_is_said_without_it(server: TlsServer, configure: Configure) -> None:
    configure(f"rediss://somebody:wrong/password@localhost:{server.port}/0")

    with pytest.raises(BrokerError) as caught, readable_errors():
        connect().ping()

    assert "wrong/password" not in str(caught.value)
    assert "wrong/password" not in str(unreachable(redis.ConnectionError("gone")))


def test_an_episode_goes_all_the_way_over_tls(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    fleet = Fleet(tmp_path_factory.mktemp("tls-fleet"))
    try:
        fleet.start_broker()
        with tls_before(Path(fleet.url.removeprefix("redis+socket://")), tmp_path) as running:
            fleet.variables |= {
                "DUET_BROKER_URL": f"rediss://localhost:{running.port}/0?ssl_ca_certs={running.authority}"
            }
            for pool in ("whisper", "voxtral", "cpu"):
                fleet.start_worker(pool)
            fleet.start_clock()
            fleet.wait_for_workers("whisper", "voxtral", "cpu")
            with fleet.client():
                job = fleet.submit("over-tls")
                assert job.result(timeout=TIMEOUT_S).state is JobState.COMPLETED, fleet.logs()
    finally:
        fleet.stop()
