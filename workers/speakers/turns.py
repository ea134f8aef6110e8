"""Turns: from the speaker of each window to who speaks when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.types.speakers import SpeakerTurn

JOINED_S = 1.0
"""Longest pause within a turn, in seconds."""
SWALLOWED_S = 0.3
"""Turns shorter than this between two of one other speaker belong to that speaker, in seconds."""
Span = tuple[float, float]
"""Start and end in seconds."""


@dataclass
class Stretch:
    """A stretch of one speaker, which grows while windows are added."""

    speaker: int
    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Its length in seconds."""
        return self.end_s - self.start_s


def turns_of(spans: Sequence[Span], speakers: Sequence[int]) -> tuple[list[SpeakerTurn], dict[str, int]]:
    """Return the turns in order, without overlap, and the number of each speaker's cluster by the speaker's name.

    Speakers are named `S1`, `S2` and so on in the order of their first words.

    Args:
        spans: of each window, in order; neighbours may overlap.
        speakers: the number of each window's speaker.
    """
    stretches = _joined(_without_short(_joined(_stretches(spans, speakers))))
    names: dict[int, str] = {}
    for stretch in stretches:
        names.setdefault(stretch.speaker, f"S{len(names) + 1}")
    turns = [
        SpeakerTurn(speaker=names[it.speaker], start_s=round(it.start_s, 2), end_s=round(it.end_s, 2))
        for it in stretches
    ]
    return turns, {name: speaker for speaker, name in names.items()}


def _stretches(spans: Sequence[Span], speakers: Sequence[int]) -> list[Stretch]:
    """Return one stretch for each run of windows; where two speakers' windows overlap, the middle divides them."""
    found: list[Stretch] = []
    for (start_s, end_s), speaker in zip(spans, speakers, strict=True):
        last = found[-1] if found else None
        if last is not None and start_s <= last.end_s:
            if last.speaker == speaker:
                last.end_s = max(last.end_s, end_s)
                continue
            start_s = last.end_s = (last.end_s + start_s) / 2
        found.append(Stretch(speaker, start_s, end_s))
    return found


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Join neighbours of one speaker across short pauses."""
    found: list[Stretch] = []
    for stretch in stretches:
        if found and found[-1].speaker == stretch.speaker and stretch.start_s - found[-1].end_s <= JOINED_S:
            found[-1].end_s = stretch.end_s
        else:
            found.append(stretch)
    return found


def _without_short(stretches: list[Stretch]) -> list[Stretch]:
    """Give each very short stretch between two of one other speaker to that speaker."""
    for before, stretch, after in zip(stretches, stretches[1:], stretches[2:], strict=False):
        if stretch.length_s < SWALLOWED_S and before.speaker == after.speaker:
            stretch.speaker = before.speaker
    return stretches
