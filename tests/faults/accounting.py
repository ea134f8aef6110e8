"""What became of a batch: counted from the job store, from storage and from what the engines wrote down."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.results.manifest import MANIFEST
from pipeline.state.job_store import JobStore
from pipeline.types import EpisodeResult, JobState

Line = dict[str, Any]


@dataclass(frozen=True)
class Accounting:
    """Figures of one soak."""

    submitted: int
    completed: int
    partial: int
    failed: int
    duplicates: int
    lost: int
    overwritten: int
    done_again: float
    """Windows worked on more than once, as a share of all windows."""
    reasons: tuple[str, ...]

    @classmethod
    def of(
        cls,
        audio: Collection[Path],
        revisited: Collection[Path],
        results: Path,
        journal: Sequence[Line],
        overwritten: int = 0,
    ) -> "Accounting":
        """Count what became of the episodes in these files.

        Those that were asked for again are worked on again by intent: of them only what is lost is counted.
        """
        manifests = [EpisodeResult.from_json(path.read_bytes()) for path in results.glob(f"*/{MANIFEST}")]
        job_store = JobStore()
        records = [it for it in job_store.get_many(job_store.jobs()) if it]
        states = Counter(it.state for it in manifests)
        told = {(it.spec.job, it.spec.attempt): it.state for it in records}
        again = {episode_id(path) for path in revisited}
        agreed = {
            it.episode.id
            for it in manifests
            if (it.episode.id in again and it.transcript) or told.get((it.job, it.attempt)) is it.state
        }
        once = [it for it in records if it.spec.episode.id not in again]
        journal = [it for it in journal if it["stem"] not in {path.stem for path in revisited}]
        begun = [it for it in journal if it["event"] == "window"]
        needed = len({_window(it) for it in begun})
        return cls(
            submitted=len(audio),
            completed=states[JobState.COMPLETED],
            partial=states[JobState.PARTIAL],
            failed=states[JobState.FAILED],
            duplicates=_more_than_one(it.episode.id for it in manifests)
            + _more_than_one(it.spec.episode.id for it in once)
            + sum(it.spec.attempt > 1 for it in once)
            + worked_after_they_were_saved(journal)
            + worked_by_one_that_was_superseded(journal),
            lost=len({episode_id(path) for path in audio} - agreed),
            overwritten=overwritten,
            done_again=(len(begun) - needed) / max(needed, 1),
            reasons=tuple(sorted({it.reason for it in manifests if it.reason})),
        )


def episode_id(audio: Path) -> str:
    """Return the id of the episode that a file holds."""
    return hashlib.sha256(audio.read_bytes()).hexdigest()[:16]


def worked_after_they_were_saved(journal: Iterable[Line]) -> int:
    """Count the windows that were worked on although their checkpoint was there."""
    saved: set[tuple[Any, ...]] = set()
    count = 0
    for line in journal:
        if line["event"] == "saved":
            saved.add(_window(line))
        elif line["event"] == "window" and _window(line) in saved:
            count += 1
    return count


def worked_by_one_that_was_superseded(journal: Iterable[Line]) -> int:
    """Count the windows that a run of a leg began after another run of it had begun: two at once."""
    newest: dict[tuple[Any, ...], int] = {}
    count = 0
    for line in journal:
        leg = (line["leg"], line["stem"])
        if line["event"] == "begin":
            newest[leg] = line["pid"]
        elif line["event"] == "window" and newest[leg] != line["pid"]:
            count += 1
    return count


def _window(line: Line) -> tuple[Any, ...]:
    return line["leg"], line["stem"], line["window"]


def _more_than_one(names: Iterable[str]) -> int:
    return sum(count - 1 for count in Counter(names).values())
