"""People come back to episodes that are done: other options, by force, cancelled; and no result may lose by it."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

from pipeline import submit
from pipeline.errors import DuetError
from pipeline.results.manifest import MANIFEST
from pipeline.state.job_store import JobStore
from pipeline.types import EpisodeResult, Options
from tests.faults.fleet import Fleet

OTHER_OPTIONS = (Options(task="translate"), Options(questions=("Who pays?",)), Options(language="en"))
CANCELLED_SHARE = 0.5
"""Of the jobs that are begun here, those that are cancelled at once."""


class Revisits:
    """Comes back to episodes that have a result, and watches that none of them gets a lesser one."""

    def __init__(self, fleet: Fleet, stems: Sequence[str], seed: int) -> None:
        self.asked: Counter[str] = Counter()
        """What was asked for, and how often."""
        self.overwritten = 0
        """How many results were replaced by one with less in it, or with the words of another job."""
        self._fleet, self._stems, self._random = fleet, stems, Random(seed)
        self._worth: dict[Path, int] = {}
        self._read_at_ns: dict[Path, int] = {}

    def come_back(self) -> None:
        """Ask for one episode again, in another way or by force, if it has a result; cancel some of these jobs."""
        stem = self._random.choice(self._stems)
        forced = self._random.random() < 1 / 3
        options = Options() if forced else self._random.choice(OTHER_OPTIONS)
        cancelled = self._random.random() < CANCELLED_SHARE
        source = self._fleet.path(stem)
        with suppress(DuetError):  # the broker is what is broken just now
            if not submit(source, to=self._fleet.results, job_store=JobStore(self._fleet.redis())).state.is_final:
                return
            job = submit(source, to=self._fleet.results, options=options, force=forced)
            self.asked["forced" if forced else "asked for something else"] += 1
            if cancelled:
                self.asked["cancelled"] += job.cancel()

    def look(self) -> None:
        """Read each result that has changed since the last look, and count those that lost something."""
        for path in self._fleet.results.glob(f"*/{MANIFEST}"):
            written_at_ns = path.stat().st_mtime_ns
            if self._read_at_ns.get(path) == written_at_ns:
                continue
            self._read_at_ns[path] = written_at_ns
            result = EpisodeResult.from_json(path.read_bytes())
            before, self._worth[path] = self._worth.get(path, 0), worth(result)
            self.overwritten += self._worth[path] < before or is_mixed(result)


def worth(result: EpisodeResult) -> int:
    """Return how much of an episode a result has: 2 for a transcript and what Voxtral understood."""
    return (result.transcript is not None) + (result.analysis is not None and result.analysis.source == "voxtral")


def is_mixed(result: EpisodeResult) -> bool:
    """Whether the text is not of the task that the result's own job asked for."""
    return bool(result.text) and ("Translated" in result.text) != (result.options.task == "translate")
