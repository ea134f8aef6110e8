"""One run of a question about a finished episode: its progress and its stop signal."""

import time
from functools import cached_property

from pipeline.results.answered import questions_folder
from pipeline.state.lease import Lease
from pipeline.state.question_store import QuestionStore
from pipeline.storage import Storage, open_storage
from pipeline.types.question import AskedQuestion, QuestionSpec
from tasks.base.checkpoints import StoredCheckpoints
from tasks.base.leg_run import REPORT_INTERVAL_S, Stop


class QuestionRun:
    """One run of one question; the lease is held."""

    def __init__(self, spec: QuestionSpec, asked: AskedQuestion, store: QuestionStore, lease: Lease) -> None:
        self.spec = spec
        self.asked = asked
        self._store = store
        self._lease = lease
        self._looked_at = float("-inf")
        self.stop: Stop | None = None

    @cached_property
    def storage(self) -> Storage:
        """The episode's folder."""
        return open_storage(self.spec.job.uri)

    @cached_property
    def checkpoints(self) -> StoredCheckpoints:
        """The answers about sections that an earlier run has finished."""
        return StoredCheckpoints(self.storage, self._folder)

    def report(self, done_s: float, total_s: float) -> None:
        """Record the progress in seconds of audio."""
        self.note(done_s=round(done_s, 2), total_s=round(total_s, 2))

    def is_cancelled(self) -> bool:
        """Whether the run must stop (`stop` has the reason); checks at most twice a second."""
        if self.stop is None and time.monotonic() - self._looked_at >= REPORT_INTERVAL_S:
            self._looked_at = time.monotonic()
            if not self._lease.is_held():
                self.stop = Stop.LEASE_LOST
            elif self._lease.must_hand_over():
                self.stop = Stop.HANDOVER
            else:
                self.note()
        return self.stop is not None

    def note(self, **fields: object) -> bool:
        """Write fields of the question. Return False, and stop the run, if its job does not exist any more."""
        self.asked = self.asked.model_copy(update=fields)
        if not self._store.put(self.asked):
            self.stop = Stop.CANCELLED
        return self.stop is not Stop.CANCELLED

    def clear_checkpoints(self) -> None:
        """Remove the answers about sections, which nobody needs after the question has ended."""
        for name in self.storage.list(self._folder):
            self.storage.delete(name)

    @property
    def _folder(self) -> str:
        return f"{questions_folder(self.asked.job)}{self.asked.id}/"
