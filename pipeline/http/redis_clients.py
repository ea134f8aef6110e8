"""Redis clients of the server: one job store for all threads, one client for the event loop."""

import asyncio
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from pipeline.state.job_store import JobStore
from pipeline.state.job_waiter import connect_async
from pipeline.state.redis import state_url

CONNECTIONS = 32


def job_store() -> JobStore:
    """Return the job store of the current broker; a restarted `duet up` has another address.

    Raises:
        BrokerError: there is no broker.
    """
    return _job_store_at(state_url())


@lru_cache(maxsize=1)
def _job_store_at(url: str) -> JobStore:
    return JobStore()


def client() -> Any:
    """Return the client of the running event loop; its replies are text.

    Raises:
        BrokerError: there is no broker.
    """
    own = _clients.setdefault(asyncio.get_running_loop(), {})
    url = state_url()
    if url not in own:
        own[url] = connect_async(url, CONNECTIONS)
    return own[url]


_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Any]] = WeakKeyDictionary()
