"""The diarization error rate of turns against a reference, as NIST's md-eval counts it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Turn = tuple[str, float, float]
"""Speaker, start and end in seconds."""
FRAME_S = 0.01
COLLAR_S = 0.25
"""Audio on both sides of each boundary of the reference that does not count."""


@dataclass(frozen=True)
class DiarizationError:
    """Errors as shares of the reference's speech, where two who talk at once count twice."""

    missed: float
    false_alarm: float
    confusion: float
    """Speech given to another speaker."""

    @property
    def rate(self) -> float:
        """The diarization error rate."""
        return self.missed + self.false_alarm + self.confusion


def diarization_error(reference: Sequence[Turn], found: Sequence[Turn], collar_s: float = COLLAR_S) -> DiarizationError:
    """Return the errors under the mapping of speakers that leaves the fewest."""
    frames = round(max((end_s for _, _, end_s in [*reference, *found]), default=0.0) / FRAME_S) + 1
    counted = np.ones(frames, bool)
    for _, start_s, end_s in reference:
        for bound_s in (start_s, end_s):
            counted[max(round((bound_s - collar_s) / FRAME_S), 0) : round((bound_s + collar_s) / FRAME_S)] = False
    true, ours = _active(reference, frames)[:, counted], _active(found, frames)[:, counted]
    together = true.astype(float) @ ours.T.astype(float)
    rows, columns = linear_sum_assignment(-together)
    right = together[rows, columns].sum()
    spoken, heard = true.sum(axis=0), ours.sum(axis=0)
    total = max(float(spoken.sum()), 1.0)
    return DiarizationError(
        missed=float(np.maximum(spoken - heard, 0).sum()) / total,
        false_alarm=float(np.maximum(heard - spoken, 0).sum()) / total,
        confusion=float(np.minimum(spoken, heard).sum() - right) / total,
    )


def read_rttm(path: Path) -> list[Turn]:
    """Return the turns of an RTTM file."""
    lines = [line.split() for line in path.read_text().splitlines()]
    return [(it[7], float(it[3]), float(it[3]) + float(it[4])) for it in lines if it and it[0] == "SPEAKER"]


def _active(turns: Sequence[Turn], frames: int) -> NDArray[np.bool_]:
    names = sorted({speaker for speaker, _, _ in turns})
    active = np.zeros((len(names), frames), bool)
    for speaker, start_s, end_s in turns:
        active[names.index(speaker), round(start_s / FRAME_S) : round(end_s / FRAME_S)] = True
    return active
