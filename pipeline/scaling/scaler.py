"""The autoscaler: measures the backlog, decides the number of hosts, requests it and stores it in Redis."""

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
"""Redis key of the last decision and its history."""


@dataclass(frozen=True)
class ScalingStatus:
    """The measured state of the cluster, and the decision."""

    cluster: ClusterState
    decision: Decision


class Scaler:
    """Decides by the settings, and requests the hosts from a driver."""

    def __init__(self, job_store: JobStore, driver: Driver) -> None:
        self._job_store = job_store
        self._driver = driver
        self._limits = limits()

    def status(self) -> ScalingStatus:
        """Return the state and the decision without requesting hosts.

        Raises:
            BrokerError: the broker does not answer.
            ScalingError: the number of hosts cannot be read from the backend.
        """
        recent, at = recent_records(self._job_store), time.time()
        before = self._last_decision()
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
        """Request the decided number of hosts; return the state with the decision, and the accepted number.

        Raises:
            BrokerError, ScalingError: as for `status`, or the backend rejected the request.
        """
        status = self.status()
        hosts = self._driver.set_hosts(status.decision.hosts)
        kept = {"hosts": hosts, "at": status.cluster.at, "history": [asdict(it) for it in status.decision.history]}
        with readable_errors():
            self._job_store.redis.set(KEY, json.dumps(kept))
        return status, hosts

    def _last_decision(self) -> dict[str, Any]:
        with readable_errors():
            kept = self._job_store.redis.get(KEY)
        found: dict[str, Any] = json.loads(kept) if kept else {}
        return found


def limits() -> Limits:
    """Return the limits from the settings.

    Raises:
        SettingsError: a budget is set without a price.
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
