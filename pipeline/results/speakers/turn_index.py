"""An index of speaker turns by time."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from pipeline.types import SpeakerTurn

NEARBY_S = 1.0
"""Maximum distance in seconds of a word from the turn that it is given to, if no turn covers it."""
_SLOT_S = 10.0


class TurnIndex:
    """The turns of an episode, in order of their starts; turns may overlap."""

    def __init__(self, turns: Iterable[SpeakerTurn]) -> None:
        self.turns = sorted(turns, key=lambda turn: (turn.start_s, turn.end_s))
        self._slots: defaultdict[int, list[SpeakerTurn]] = defaultdict(list)
        for turn in self.turns:
            for slot in _slots(turn.start_s, turn.end_s):
                self._slots[slot].append(turn)

    def speaker_of(self, start_s: float, end_s: float) -> str | None:
        """Return the speaker who covers most of a span, or else the nearest one; None if none is nearby.

        Of two who cover all of it, the one with the longer turn: the other one interjects.
        """
        near = self._near(start_s, end_s)
        covered: defaultdict[str, float] = defaultdict(float)
        longest: defaultdict[str, float] = defaultdict(float)
        for turn in near:
            covered_s = min(turn.end_s, end_s) - max(turn.start_s, start_s)
            if covered_s > 0:
                covered[turn.speaker] += covered_s
                longest[turn.speaker] = max(longest[turn.speaker], turn.end_s - turn.start_s)
        if covered:
            return max(covered, key=lambda speaker: (round(covered[speaker], 3), longest[speaker]))
        nearest = min(near, key=lambda turn: max(turn.start_s - end_s, start_s - turn.end_s), default=None)
        return nearest.speaker if nearest else None

    def has_turn(self, speaker: str | None, start_s: float, end_s: float, tolerance_s: float) -> bool:
        """Return whether a speaker has a turn with this start and end, within a tolerance."""
        return any(
            turn.speaker == speaker
            and abs(turn.start_s - start_s) <= tolerance_s
            and abs(turn.end_s - end_s) <= tolerance_s
            for turn in self._near(start_s, end_s)
        )

    def _near(self, start_s: float, end_s: float) -> list[SpeakerTurn]:
        """Return the turns that are at most `NEARBY_S` from a span, in order of their starts."""
        first_s, last_s = start_s - NEARBY_S, end_s + NEARBY_S
        return [
            turn
            for slot in _slots(first_s, last_s)
            for turn in self._slots.get(slot, ())
            if turn.start_s <= last_s and turn.end_s >= first_s
            # A turn of several slots counts in the first of them that the span has.
            if slot in (_slot(first_s), _slot(turn.start_s))
        ]


def _slots(start_s: float, end_s: float) -> Iterator[int]:
    yield from range(_slot(start_s), _slot(end_s) + 1)


def _slot(time_s: float) -> int:
    return int(time_s // _SLOT_S)
