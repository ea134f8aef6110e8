"""One look at what waits, and the number of hosts that follows from it, asked for and remembered in Redis."""

import json
import time
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.errors import SettingsError
from pipeline.scaling.backlog import bytes_per_s, open_records, recent_records, speeds, waiting
from pipeline.scaling.decision import ClusterState, Decision, Demand, Limits, decide
from pipeline.scaling.drivers import Driver
from pipeline.settings import settings
from pipeline.state.job_store import JobStore
from pipeline.state.redis import readable_errors

KEY = "duet:scale"
"""What was decided last, and from what."""


@dataclass(frozen=True)
class ScalingStatus:
    """The state at one look, and the decision."""

    cluster: ClusterState
    decision: Decision


class Scaler:
    """Decides by the settings, and has a driver do it."""

    def __init__(self, job_store: JobStore, driver: Driver) -> None:
        self._job_store = job_store
        self._driver = driver
        self._limits = limits()

    def look(self) -> ScalingStatus:
        """Return the state and the decision; the backend is not asked for hosts.

        Raises:
            BrokerError: the broker does not answer.
            ScalingError: the driver cannot be asked how many there are.
        """
        recent, at = recent_records(self._job_store), time.time()
        before = self._remembered()
        asked = self._driver.hosts()
        now = ClusterState(
            at=at,
            waiting=waiting(open_records(self._job_store), bytes_per_s(recent), at),
            speeds=speeds(recent),
            hosts=int(before.get("hosts", self._limits.min_hosts)) if asked is None else asked,
        )
        history = tuple(Demand(**it) for it in before.get("history", ()))
        return ScalingStatus(now, decide(now, self._limits, history))

    def act(self) -> tuple[ScalingStatus, int]:
        """Ask for as many hosts as there should be, and return what was seen and how many it will be.

        Raises:
            BrokerError, ScalingError: as `look` does; or the driver refuses.
        """
        look = self.look()
        hosts = self._driver.ask_for(look.decision.hosts)
        kept = {"hosts": hosts, "at": look.cluster.at, "history": [asdict(it) for it in look.decision.history]}
        with readable_errors():
            self._job_store.redis.set(KEY, json.dumps(kept))
        return look, hosts

    def _remembered(self) -> dict[str, Any]:
        with readable_errors():
            kept = self._job_store.redis.get(KEY)
        found: dict[str, Any] = json.loads(kept) if kept else {}
        return found


def limits() -> Limits:
    """Return the settings' limits.

    Raises:
        SettingsError: there is a budget and no price.
    """
    own = settings()
    if own.scale_budget_per_hour is not None and not own.gpu_cost_per_hour:
        raise SettingsError(
            "DUET_SCALE_BUDGET_PER_HOUR says what all hosts may cost and not what one does; set DUET_GPU_COST_PER_HOUR."
        )
    return Limits(
        drain_target_s=own.drain_target_s,
        start_s=own.scale_start_s,
        shrink_after_s=own.scale_down_after_s,
        min_hosts=own.scale_min_hosts,
        max_hosts=own.scale_max_hosts,
        price_per_hour=own.gpu_cost_per_hour,
        budget_per_hour=own.scale_budget_per_hour,
    )
