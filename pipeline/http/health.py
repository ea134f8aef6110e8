"""`/health`: this process lives. `/ready`: broker, pools and storage are there, so that jobs will be done."""

import logging
import time
from threading import Lock
from typing import Literal

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from pipeline.errors import DuetError
from pipeline.http.broker import ledger
from pipeline.pools import POOLS, pool_states
from pipeline.roster import Roster
from pipeline.storage import open_storage

router = APIRouter(tags=["server"])
logger = logging.getLogger(__name__)
KEPT_S = 5.0
"""How long an answer stands: whoever asks more often must not write to storage more often."""


class Health(BaseModel):
    """This process lives."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Whether a job that is sent now will be done, and what is in its way."""

    status: Literal["ready", "not ready"]
    checks: dict[str, str]
    """`ok`, or what is wrong; the log says why."""


class Readiness:
    """Looks whether broker, pools and storage are there, once in a while."""

    def __init__(self, destination: str) -> None:
        self._destination = destination
        self._lock = Lock()
        self._looked_at = float("-inf")
        self._checks: dict[str, str] = {}

    def checks(self) -> dict[str, str]:
        """Return what is wrong, or `ok`, by what was looked at; may block."""
        with self._lock:
            if time.monotonic() - self._looked_at > KEPT_S:
                self._checks = {**_broker_and_pools(), "storage": self._storage()}
                self._looked_at = time.monotonic()
            return self._checks

    def _storage(self) -> str:
        try:
            open_storage(self._destination).check_writable()
        except DuetError as error:
            logger.warning("%s", error)
            return "cannot be written"
        return "ok"


@router.get("/health")
async def health() -> Health:
    """Tell that this process lives."""
    return Health()


@router.get("/ready", responses={503: {"description": "Not ready", "model": Ready}})
async def ready(request: Request, response: Response) -> Ready:
    """Tell whether broker, pools and storage are there."""
    readiness: Readiness = request.app.state.readiness
    checks = await to_thread.run_sync(readiness.checks)
    is_ready = set(checks.values()) == {"ok"}
    response.status_code = 200 if is_ready else 503
    return Ready(status="ready" if is_ready else "not ready", checks=checks)


def _broker_and_pools() -> dict[str, str]:
    try:
        at_work = Roster(ledger().redis).pools()
        states = pool_states()
    except DuetError as error:
        logger.warning("%s", error)
        return {"broker": "does not answer"}
    return {"broker": "ok"} | {
        f"pool-{pool}": _pool(states.get(pool, {})) if pool in at_work else "not there" for pool in POOLS
    }


def _pool(state: dict[str, str]) -> str:
    status = state.get("status", "ready")
    return "ok" if status in ("ready", "idle") else status
