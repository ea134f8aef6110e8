"""One run of a leg: its job, checkpoints, progress and stop signal."""

import logging
import time
from collections.abc import Callable, Sequence
from enum import Enum, auto
from functools import cached_property

import redis
from kombu.exceptions import OperationalError

from pipeline.errors import BrokerError, CancelledError
from pipeline.results.manifest import work_folder
from pipeline.settings import settings
from pipeline.state import metric_events
from pipeline.state.job_store import JobStore
from pipeline.state.lease import Lease
from pipeline.state.metric_definitions import LOST, MEMORY
from pipeline.storage import Storage, open_storage
from pipeline.types import JobSpec, Leg, Segment
from pipeline.types.records import LegRecord
from tasks.base.checkpoints import StoredCheckpoints

logger = logging.getLogger(__name__)
REPORT_INTERVAL_S = 0.5
LOOKS_UNHEARD = 2
MAX_LOSSES = 4
"""Consecutive process losses without progress after which the leg, or the merge, is taken to be the cause."""


class Stop(Enum):
    """The reason for stopping a leg before its end."""

    CANCELLED = auto()
    HANDOVER = auto()
    """The worker is stopping; another one resumes the leg."""
    FAST_LEG_WAITS = auto()
    """A transcript waits for this process, which is more urgent; the leg resumes from its checkpoints."""
    LEASE_LOST = auto()
    """The worker was declared lost, and another one has started the leg."""


class LegRun:
    """One run of one leg of one job."""

    def __init__(
        self,
        spec: JobSpec,
        leg: Leg,
        job_store: JobStore,
        lease: Lease,
        publish: Callable[[dict[str, float | str]], None],
    ) -> None:
        self.spec = spec
        self.leg = leg
        self._job_store = job_store
        self._lease = lease
        self._publish = publish
        self._looked_at = float("-inf")
        self._confirmed_at = time.monotonic()
        self.stop: Stop | None = None
        self.reason = LOST
        """The reason label of the failure metric, should the leg fail."""
        self._last_text = ""

    @cached_property
    def storage(self) -> Storage:
        """The episode's folder."""
        return open_storage(self.spec.uri)

    @cached_property
    def checkpoints(self) -> StoredCheckpoints:
        """The checkpoints of this leg."""
        return StoredCheckpoints(self.storage, f"{work_folder(self.spec)}{self.leg}/")

    def report(self, done_s: float, total_s: float) -> None:
        """Publish the progress, at most twice a second.

        Raises:
            CancelledError: the leg must stop; `stop` has the reason.
        """
        if time.monotonic() - self._looked_at < REPORT_INTERVAL_S and done_s < total_s:
            return
        self._update({"done_s": round(done_s, 2), "total_s": round(total_s, 2), "text": self._last_text})
        if self.stop:
            raise CancelledError("The job was cancelled.")

    def is_cancelled(self) -> bool:
        """Whether the leg must stop (`stop` has the reason); checks at most twice a second."""
        if time.monotonic() - self._looked_at >= REPORT_INTERVAL_S:
            self._update({})
        return self.stop is not None

    def losses_in_a_row(self) -> int:
        """Return the number of consecutive losses of the leg's process if it reaches MAX_LOSSES, else 0.

        A leg that makes progress each time is not the cause of the losses: its machines are being taken away.
        """
        if not self._lease.was_left_behind:
            return 0
        record = self._job_store.get(self.spec.job)
        known = record.legs[self.leg] if record else LegRecord()
        pieces = self.checkpoints.count
        losses = known.losses + 1 if pieces <= known.pieces else 1
        self._job_store.note_leg(self.spec, self.leg, losses=losses, pieces=pieces)
        self._job_store.count(metric_events.step_retried(self.leg, LOST))
        return losses if losses >= MAX_LOSSES else 0

    def may_start_afresh(self) -> bool:
        """Whether the leg may restart in a fresh process after an out-of-memory error; counts the restart."""
        record = self._job_store.get(self.spec.job)
        before = record.legs[self.leg].fresh_starts if record else 0
        self._job_store.note_leg(self.spec, self.leg, fresh_starts=before + 1)
        if before:
            return False
        self._job_store.count(metric_events.step_retried(self.leg, MEMORY))
        return True

    def on_segments(self, segments: Sequence[Segment]) -> None:
        """Publish segments to clients that follow the running job."""
        self._last_text = segments[-1].text.strip()
        try:
            self._job_store.add_segments(self.spec, segments)
        except BrokerError as error:
            logger.warning("%s The segments will be in the transcript.", error)

    def _update(self, progress: dict[str, float | str]) -> None:
        while not self._try_update(progress):
            # A worker without a heartbeat is declared lost after a while, so its leg must pause until Redis answers.
            if time.monotonic() - self._confirmed_at < settings().sweep_interval_s * LOOKS_UNHEARD:
                break
        self._looked_at = time.monotonic()

    def _try_update(self, progress: dict[str, float | str]) -> bool:
        try:
            if not self._job_store.note_leg(self.spec, self.leg, seen_at=time.time(), **progress):
                self.stop = Stop.CANCELLED
            elif not self._lease.is_held():
                self.stop = Stop.LEASE_LOST
            elif self._lease.must_hand_over():
                self.stop = Stop.HANDOVER
            self._confirmed_at = time.monotonic()
            if progress:
                self._publish(progress)
        except (BrokerError, OperationalError, redis.RedisError) as error:
            logger.warning("%s", error)
            return False
        return True
