"""Servers that refuse, each a real one: what a client is told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import BrokerError
from pipeline.settings import settings
from pipeline.state.job_store import JobStore
from pipeline.state.redis import connect, readable_errors
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
