"""Servers that refuse, each a real one: what a client is told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import exceptions

from pipeline.errors import BrokerError
from pipeline.settings import settings
from pipeline.state.job_store import JobStore
from pipeline.state.redis import broker_url, connect, readable_errors
from pipeline.state.refusals import complaint, refusal
from tests.faults.fleet import wait_until
from tests.services import start_valkey


@pytest.fixture
def broker(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of a server that was started with some options."""
    with start_valkey(tmp_path, *request.param) as url:
        monkeypatch.setenv("DUET_BROKER_URL", url)
        settings.cache_clear()
        yield connect()
    settings.cache_clear()


@pytest.mark.parametrize("broker", [["--cluster-enabled", "yes"]], indirect=True)
def test_a_part_of_a_cluster_is_named_as_what_it_is(broker: Any) -> None:
    with pytest.raises(BrokerError, match="refuses: it is part of a Redis Cluster, which Duet cannot use"):
        JobStore(broker).jobs()


@pytest.mark.parametrize("broker", [["--save", "3600 1"]], indirect=True)
def test_a_server_that_cannot_save_is_named_as_what_it_is(broker: Any, tmp_path: Path) -> None:
    # Given one that cannot write its file
    (tmp_path / "dump.rdb").mkdir()
    broker.bgsave()
    wait_until(lambda: broker.info("persistence")["rdb_last_bgsave_status"] == "err", "it could not save")

    # When something is written, then that is what is said
    with pytest.raises(BrokerError, match=r"refuses: it cannot keep what it is told \(MISCONF\)"), readable_errors():
        broker.set("name", "value")
    pipe = broker.pipeline().set("name", "value")
    with pytest.raises(BrokerError, match="MISCONF"), readable_errors():
        pipe.execute()


@pytest.mark.parametrize("broker", [[]], indirect=True)
def test_an_error_of_our_own_stays_one(broker: Any) -> None:
    broker.set("text", "value")

    with pytest.raises(Exception, match="WRONGTYPE") as caught, readable_errors():
        broker.hget("text", "field")

    assert not isinstance(caught.value, BrokerError)


@pytest.mark.parametrize("broker", [["--databases", "2"]], indirect=True)
@pytest.mark.parametrize(
    ("userinfo", "number", "said"),
    [
        ("", "0", "it does not accept the user or the password .*; check those in its address"),
        (":wr#ng@", "0", "it does not accept the user or the password"),
        ("nobody:s3cret@", "0", "it does not accept the user or the password"),
        (":s3cret@", "7", "it has no database of this number; end the address in /0"),
        ("guest:gu@st@", "0", "its user may not do all that Duet needs"),
    ],
)
def test_a_user_or_a_number_that_it_does_not_have_is_said(
    broker: Any, monkeypatch: pytest.MonkeyPatch, userinfo: str, number: str, said: str
) -> None:
    broker.acl_setuser("guest", enabled=True, passwords=["+gu@st"], categories=["+@connection"])
    broker.config_set("requirepass", "s3cret")
    socket = broker_url().partition("://")[2]
    monkeypatch.setenv("DUET_BROKER_URL", f"redis+socket://{userinfo}{socket}?virtual_host={number}")
    settings.cache_clear()

    with pytest.raises(BrokerError, match=f"The broker at .* refuses: {said}") as caught, readable_errors():
        JobStore().jobs()

    assert not any(it in str(caught.value) for it in ("s3cret", "wr#ng", "gu@st"))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (exceptions.BusyLoadingError("Redis is loading the dataset in memory"), "still reading its data"),
        (exceptions.ResponseError("DENIED Redis is running in protected mode"), "it is in protected mode"),
        (exceptions.ResponseError("BUSY Redis is busy running a script."), "a script on it does not end"),
        (exceptions.ConnectionError("max number of clients reached"), "as many connections as it takes"),
        (exceptions.AskError("1 127.0.0.1:7001"), "part of a Redis Cluster"),
        (exceptions.TryAgainError("Multiple keys request during rehashing"), "part of a Redis Cluster"),
    ],
)
def test_what_it_says_of_itself_is_told(error: exceptions.RedisError, said: str) -> None:
    found = refusal(error) if isinstance(error, exceptions.ResponseError) else error

    assert found
    assert said in (complaint(found) or "")


@pytest.mark.parametrize("field", ["foo=bar", "socket_timeout=soon", "db=x"])
def test_a_field_of_an_address_that_cannot_be_used_is_said(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    monkeypatch.setenv("DUET_BROKER_URL", f"redis://:s3cret@127.0.0.1:1/0?{field}")
    settings.cache_clear()
    try:
        with pytest.raises(BrokerError, match=f"cannot be used: .*'{field.partition('=')[0]}'(.*[^.])?\\.$") as caught:
            connect()
    finally:
        settings.cache_clear()

    assert "s3cret" not in str(caught.value)
