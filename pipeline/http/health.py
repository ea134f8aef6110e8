"""The routes `/health`, the liveness of this process, and `/ready`, the readiness of broker, pools and storage."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Literal

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from pipeline.errors import DuetError
from pipeline.http.redis_clients import job_store
from pipeline.state.pool_status import pool_states
from pipeline.state.redis import readable_errors
from pipeline.state.worker_registry import WorkerRegistry
from pipeline.storage import open_storage
from pipeline.types.pools import POOLS, UNAVAILABLE

router = APIRouter(tags=["server"])
logger = logging.getLogger(__name__)
KEPT_S = 5.0
"""Seconds for which a result is cached, so that frequent requests do not cause frequent writes to storage."""
PATIENCE_S = 5.0
"""Seconds for which a request waits for a check; a slower one is reported as not answering until it ends."""
OFF_FOR_NOW = "off for now; episodes end partial meanwhile, and it is tried again"
"""Status of a pool without which jobs still end, partial."""


class Health(BaseModel):
    """The liveness of the server process."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """The readiness of the server to complete a new job, with one result per check."""

    status: Literal["ready", "not ready"]
    checks: dict[str, str]
    """`ok` or the error of each check; the log has the cause. Voxtral that is off for now does not prevent jobs."""


class CachedCheck:
    """A check that runs in one thread, at most every `KEPT_S` after its end, for any number of requests."""

    def __init__(self, check: Callable[[], dict[str, str]], late: dict[str, str]) -> None:
        self._check = check
        self._late = late
        self._own_thread = CapacityLimiter(1)  # the server's threads are for its requests
        self._running: asyncio.Task[dict[str, str]] | None = None
        self._ended_at = float("-inf")

    async def found(self) -> dict[str, str]:
        """Return the result of the checks, or a timeout as their failure."""
        if self._running is None or (self._running.done() and time.monotonic() - self._ended_at > KEPT_S):
            self._running = asyncio.create_task(self._run_check())
        await asyncio.wait({self._running}, timeout=PATIENCE_S)
        return self._running.result() if self._running.done() else self._late

    async def _run_check(self) -> dict[str, str]:
        try:
            return await to_thread.run_sync(self._check, limiter=self._own_thread, abandon_on_cancel=True)
        finally:
            self._ended_at = time.monotonic()


class Readiness:
    """The checks of broker, pools and storage."""

    def __init__(self, destination: str) -> None:
        self._destination = destination
        self._checks = (
            CachedCheck(_broker_and_pools, {"broker": "does not answer"}),
            CachedCheck(self._storage, {"storage": "does not answer"}),
        )

    async def checks(self) -> dict[str, str]:
        """Return `ok` or the error of each check."""
        found = await asyncio.gather(*(check.found() for check in self._checks))
        return {name: said for one in found for name, said in one.items()}

    def _storage(self) -> dict[str, str]:
        try:
            open_storage(self._destination).check_writable()
        except DuetError as error:
            logger.warning("%s", error)
            return {"storage": "cannot be written"}
        return {"storage": "ok"}


@router.get("/health")
async def health() -> Health:
    """Report that the server process is alive."""
    return Health()


@router.get("/ready", responses={503: {"description": "Not ready", "model": Ready}})
async def ready(request: Request, response: Response) -> Ready:
    """Report whether broker, pools and storage are available; 503 if a new job would not be completed."""
    readiness: Readiness = request.app.state.readiness
    checks = await readiness.checks()
    is_ready = set(checks.values()) <= {"ok", OFF_FOR_NOW}
    response.status_code = 200 if is_ready else 503
    return Ready(status="ready" if is_ready else "not ready", checks=checks)


def _broker_and_pools() -> dict[str, str]:
    try:
        with readable_errors():
            at_work = WorkerRegistry(job_store().redis).pools()
        states = pool_states()
    except DuetError as error:
        logger.warning("%s", error)
        return {"broker": "does not answer"}
    return {"broker": "ok"} | {
        f"pool-{pool}": _pool(states.get(pool, {})) if pool in at_work else "not there" for pool in POOLS
    }


def _pool(state: dict[str, str]) -> str:
    status = state.get("status", "ready")
    if status == UNAVAILABLE:
        return OFF_FOR_NOW
    return "ok" if status in ("ready", "idle") else status
