"""The pools' health in words, each with the way to mend it."""

from typing import Literal

from pydantic import BaseModel, Field

from pipeline.state.pool_status import pool_states
from pipeline.state.worker_registry import WorkerRegistry
from pipeline.types.pools import LOADING, POOLS, UNAVAILABLE

OFF = "off: "


class PoolView(BaseModel):
    """The health of one pool."""

    pool: str = Field(examples=["whisper"])
    status: Literal["ready", "loading", "off", "unavailable", "failed", "not there"]
    device: str
    mend: str = Field(description="What to do; empty where nothing is to be done.")


def pool_views(registry: WorkerRegistry) -> list[PoolView]:
    """Return the health of all pools; may block.

    Raises:
        BrokerError: the broker does not answer.
    """
    at_work, states = registry.pools(), pool_states()
    return [_view(pool, states.get(pool, {}), is_there=pool in at_work) for pool in POOLS]


def _view(pool: str, state: dict[str, str], *, is_there: bool) -> PoolView:
    if not is_there:
        mend = f"Start it with `duet up`, or on another machine with `duet worker {pool}`."
        return PoolView(pool=pool, status="not there", device="", mend=mend)
    status, model = state.get("status", LOADING), state.get("model", "")
    if status == UNAVAILABLE:
        mend = model.removeprefix(OFF) or "It is tried again with the next episode; `duet doctor` says more."
        return PoolView(pool=pool, status="unavailable", device=state.get("device", ""), mend=mend)
    if model.startswith(OFF):
        return PoolView(pool=pool, status="off", device=state.get("device", ""), mend=model.removeprefix(OFF))
    if status == LOADING:
        return PoolView(pool=pool, status="loading", device=state.get("device", ""), mend="")
    if status in ("ready", "idle"):
        return PoolView(pool=pool, status="ready", device=state.get("device", ""), mend="")
    return PoolView(pool=pool, status="failed", device=state.get("device", ""), mend="`duet doctor` says why.")
