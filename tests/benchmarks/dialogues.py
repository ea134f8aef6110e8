"""Dialogues with known turns, put together from the shared recordings. The same every time."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.made_up import music
from tests.benchmarks.wav import write_repeated
from tests.diarization_error import Turn
from workers.audio.audio_file import SAMPLE_RATE_HZ, load

SHARED = Path(__file__).parents[3] / "shared" / "audio"
VOICES = {"lucier": (82.0, 183.0), "sonnets": (184.5, 237.8), "austen": (238.9, 268.3), "printing": (396.6, 597.0)}
"""Where in clips-10min.mp3 one voice reads, in seconds: (start, end)."""
SHORTEST_S, LONGEST_S = 3.0, 9.0
MUSIC_BELOW_DB = 10.0
Sound = NDArray[np.float32]


@dataclass(frozen=True)
class Dialogue:
    """Audio and its turns."""

    name: str
    samples: Sound
    turns: Sequence[Turn]

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write a WAV file and its RTTM, and return their paths."""
        return repeated(self, len(self.samples) / SAMPLE_RATE_HZ / 3600, folder)


def repeated(dialogue: Dialogue, hours: float, folder: Path) -> tuple[Path, Path]:
    """Write a WAV file of that length from a dialogue, as often as it takes, and its RTTM; return their paths."""
    audio = folder / f"{dialogue.name}.wav"
    length = round(hours * 3600 * SAMPLE_RATE_HZ)
    write_repeated(dialogue.samples, audio, length)
    lines = list[str]()
    for start in range(0, length, len(dialogue.samples)):
        offset_s, left_s = start / SAMPLE_RATE_HZ, (length - start) / SAMPLE_RATE_HZ
        for speaker, start_s, end_s in dialogue.turns:
            end_s = min(end_s, left_s)
            if end_s > start_s:
                place = f"{offset_s + start_s:.3f} {end_s - start_s:.3f}"
                lines.append(f"SPEAKER {dialogue.name} 1 {place} <NA> <NA> {speaker} <NA> <NA>\n")
    audio.with_suffix(".rttm").write_text("".join(lines))
    return audio, audio.with_suffix(".rttm")


def made_dialogues(shared: Path = SHARED) -> list[Dialogue]:
    """Return a dialogue of all voices, of two, of one, of two with music under it, and of two that overlap."""
    pieces = _pieces(shared)
    two = {name: pieces[name] for name in ("lucier", "printing")}
    plain = _dialogue("two-voices", two, pause_s=0.4)
    return [
        _dialogue("all-voices", pieces, pause_s=0.4),
        plain,
        _dialogue("one-voice", {"printing": pieces["printing"]}, pause_s=0.4),
        Dialogue("two-with-music", _over_music(plain.samples), plain.turns),
        _dialogue("two-overlapping", two, pause_s=-0.5),
    ]


def _pieces(shared: Path) -> dict[str, list[Sound]]:
    """Return each voice's pieces, which are cut where the reference's segments are, or in equal parts."""
    samples = load(shared / "clips-10min.mp3")
    reference = json.loads((shared / "clips-10min.ref.json").read_text())["segments"]
    segments = [(it["start"], it["end"]) for it in reference]
    found: dict[str, list[Sound]] = {name: [] for name in [*VOICES, "kennedy"]}
    for name, (first_s, last_s) in [*VOICES.items(), ("kennedy", (598.0, 610.0))]:
        for start_s, end_s in segments:
            if first_s <= start_s and end_s <= last_s:
                parts = max(round((end_s - start_s) / LONGEST_S), 1)
                cut = samples[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)]
                found[name] += np.array_split(cut, parts)
    return {name: [it for it in own if len(it) >= SHORTEST_S * SAMPLE_RATE_HZ] for name, own in found.items()}


def _dialogue(name: str, pieces: dict[str, list[Sound]], pause_s: float) -> Dialogue:
    """Return the pieces in turn, those of the voice with most left first; a negative pause is an overlap."""
    left = {speaker: list(own) for speaker, own in pieces.items()}
    length = sum(len(it) for own in pieces.values() for it in own)
    count = sum(map(len, pieces.values()))
    samples = np.zeros(length + round(max(pause_s, 0.0) * SAMPLE_RATE_HZ) * count + SAMPLE_RATE_HZ, np.float32)
    turns: list[Turn] = []
    place, last = round(SAMPLE_RATE_HZ / 2), ""
    for _ in range(count):
        speaker = max(left, key=lambda it: (bool(left[it]) and it != last, len(left[it])))
        piece = left[speaker].pop(0)
        samples[place : place + len(piece)] += piece
        turns.append((speaker, place / SAMPLE_RATE_HZ, (place + len(piece)) / SAMPLE_RATE_HZ))
        place, last = place + len(piece) + round(pause_s * SAMPLE_RATE_HZ), speaker
    return Dialogue(name, samples[: place + SAMPLE_RATE_HZ // 2], turns)


def _over_music(speech: Sound) -> Sound:
    """Put a progression of chords under the speech."""
    under = music(len(speech) / SAMPLE_RATE_HZ)[: len(speech)]
    wanted = np.sqrt((speech**2).mean()) * 10 ** (-MUSIC_BELOW_DB / 20)
    mixed: Sound = (speech + under * wanted / np.sqrt((under**2).mean())).astype(np.float32)
    return mixed
