"""The speakers in the player: their marks, talk times and turns; nothing for a transcript of one speaker."""

import html
import re
from collections import Counter
from collections.abc import Iterable

from pipeline.types import MergedTranscript, Speaker, SpeakerTurn
from pipeline.types.time_format import hms

COLOURS = 8
SHAPES = ("circle", "square", "hexagon")
"""Shapes of the marks; with `COLOURS`, 24 speakers have marks of their own."""
NARROWEST = 1 / 800
"""Width of the shortest turn as a share of the lane, so that it is seen in an episode of hours."""

WORD = re.compile(r"[^\W\d_][^\s-]*")


class Cast:
    """The speakers of a transcript, each with a colour, a shape and initials."""

    def __init__(self, transcript: MergedTranscript) -> None:
        self._labels = transcript.labels
        self._speakers = transcript.speakers if self._labels else ()
        self._initials = _initials(self._speakers)
        self._order = {it.id: place for place, it in enumerate(self._speakers)}
        self._turns = transcript.turns
        self._audio_s = transcript.audio_s

    def turn(self, speaker: str | None, paragraphs: str) -> str:
        """Return the HTML of a speaker's paragraphs, below the name; the paragraphs alone if there is one speaker."""
        if not self._speakers:
            return paragraphs
        it = self._speakers[self._order[speaker]] if speaker in self._order else None
        name = self._named(it) if it else "Unknown speaker"
        shown = f'class="turn {self._look(it)}" data-speaker="{html.escape(it.id)}"' if it else 'class="turn"'
        return f"<section {shown}><h3>{name}</h3>\n{paragraphs}</section>"

    def talk_times(self) -> str:
        """Return the HTML of buttons that show a speaker's turns, each with time and share."""
        if not self._speakers:
            return ""
        total_s = sum(it.talk_s for it in self._speakers) or 1.0
        rows = "".join(self._row(it, total_s) for it in self._speakers)
        return (
            '<h2>Who speaks</h2><div id="voices" role="group" aria-label="Show the turns of">'
            f'<button type="button" id="all" aria-pressed="true">Everybody</button>{rows}</div>'
        )

    def _row(self, it: Speaker, total_s: float) -> str:
        share = it.talk_s / total_s
        return (
            f'<button type="button" class="{self._look(it)}" data-speaker="{html.escape(it.id)}" aria-pressed="false">'
            f'{self._named(it)} <span class="time">{hms(it.talk_s)} ({100 * share:.0f} %)</span>'
            f'<i style="width: {share:.1%}"></i></button>'
        )

    def lane(self) -> str:
        """Return an SVG with one row for each speaker; one path holds all turns of a row, as there may be thousands."""
        if not self._speakers:
            return ""
        turns: dict[str, list[SpeakerTurn]] = {it.id: [] for it in self._speakers}
        for turn in self._turns:
            turns.get(turn.speaker, []).append(turn)
        rows = "".join(
            f'<path class="{self._look(it)}" data-speaker="{html.escape(it.id)}" '
            f'd="{self._path(turns[it.id], place)}"/>'
            for place, it in enumerate(self._speakers)
        )
        return (
            f'<div id="lane" style="--rows: {len(self._speakers)}"><svg '
            f'viewBox="0 0 {self._audio_s:.2f} {len(self._speakers)}" preserveAspectRatio="none" aria-hidden="true">'
            f"{rows}</svg></div>"
        )

    def _path(self, turns: Iterable[SpeakerTurn], row: int) -> str:
        least_s = self._audio_s * NARROWEST
        return "".join(
            f"M{it.start_s:.1f} {row + 0.1:.1f}h{max(it.end_s - it.start_s, least_s):.1f}v.8H{it.start_s:.1f}z"
            for it in turns
        )

    def _look(self, speaker: Speaker) -> str:
        place = self._order[speaker.id]
        return f"v{place % COLOURS} {SHAPES[place % len(SHAPES)]}"

    def _named(self, speaker: Speaker) -> str:
        initials = html.escape(self._initials[speaker.id])
        return f'<b aria-hidden="true">{initials}</b><span class="name">{html.escape(self._labels[speaker.id])}</span>'


def _initials(speakers: Iterable[Speaker]) -> dict[str, str]:
    """Return one or two characters for each speaker; speakers with the same initials have their numbers instead."""
    found = {it.id: _short(it) for it in speakers}
    shared = Counter(found.values())
    return {key: short if shared[short] == 1 else key.removeprefix("S") for key, short in found.items()}


def _short(speaker: Speaker) -> str:
    words: list[str] = WORD.findall(speaker.name or "")
    if not words:
        return speaker.id.removeprefix("S")
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()
