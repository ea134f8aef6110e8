"""What the body of a leg works with: its job, its checkpoints, and how it tells of its progress."""

import logging
import time
from collections.abc import Callable, Sequence
from functools import cached_property

import redis
from kombu.exceptions import OperationalError

from pipeline.errors import BrokerError, CancelledError
from pipeline.ledger import Ledger
from pipeline.storage import Storage, open_storage
from pipeline.types import JobSpec, Leg, Segment
from tasks.checkpoint import StoredCheckpoints

logger = logging.getLogger(__name__)
REPORT_INTERVAL_S = 0.5


class LegContext:
    """One run of one leg of one job."""

    def __init__(
        self, spec: JobSpec, leg: Leg, ledger: Ledger, publish: Callable[[dict[str, float | str]], None]
    ) -> None:
        self.spec = spec
        self.leg = leg
        self._ledger = ledger
        self._publish = publish
        self._looked_at = float("-inf")
        self._cancelled = False
        self._last_text = ""

    @cached_property
    def storage(self) -> Storage:
        """The episode's folder."""
        return open_storage(self.spec.uri)

    @cached_property
    def checkpoints(self) -> StoredCheckpoints:
        """Where finished pieces of this leg are kept."""
        return StoredCheckpoints(self.storage, self.spec, self.leg)

    def report(self, done_s: float, total_s: float) -> None:
        """Tell of the progress, at most twice a second.

        Raises:
            CancelledError: the job has been cancelled meanwhile.
        """
        if time.monotonic() - self._looked_at < REPORT_INTERVAL_S and done_s < total_s:
            return
        self._tell({"done_s": round(done_s, 2), "total_s": round(total_s, 2), "text": self._last_text})
        if self._cancelled:
            raise CancelledError("The job was cancelled.")

    def is_cancelled(self) -> bool:
        """Whether the job has been cancelled; looks twice a second at most."""
        if time.monotonic() - self._looked_at >= REPORT_INTERVAL_S:
            self._tell({})
        return self._cancelled

    def on_segments(self, segments: Sequence[Segment]) -> None:
        """Hand segments to whoever reads them as they come."""
        self._last_text = segments[-1].text.strip()
        try:
            self._ledger.add_segments(self.spec, segments)
        except BrokerError as error:
            logger.warning("%s The segments are in the transcript all the same.", error)

    def _tell(self, progress: dict[str, float | str]) -> None:
        self._looked_at = time.monotonic()
        try:
            self._cancelled = not self._ledger.note_leg(self.spec, self.leg, seen_at=time.time(), **progress)
            if progress:
                self._publish(progress)
        except (BrokerError, OperationalError, redis.RedisError) as error:
            # Progress is not worth the work: the leg goes on, and its end is told more patiently.
            logger.warning("%s", error)
