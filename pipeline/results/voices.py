"""Memory of the voices of a show, so that its hosts have their names in the next episode.

It is kept only for jobs with `Options.remember_voices`, at `.voices/<show>.json` beside the episodes' folders.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import hypot
from operator import mul

from pydantic import ValidationError

from pipeline.state.redis import connect, readable_errors
from pipeline.storage import Storage, open_storage
from pipeline.types import Diarization, Episode, MergedTranscript, Speaker
from pipeline.types.ids import slug
from pipeline.types.voices import RememberedVoice, RememberedVoices

FOLDER = ".voices/"
ALIKE = 0.75
"""Cosine of two mean voices from which they are taken for one person's."""
APART = 0.1
"""Lead of the most similar person's cosine over the next one's below which nobody is recognized."""
MOST_VOICES = 500
"""Number of voices that are remembered of a show; the oldest are dropped."""
DECIMALS = 4
LOCK_S = 60.0
"""Seconds after which the lock on a show's memory is taken to be a dead process's."""


class VoiceMemory:
    """The remembered voices of the show of an episode."""

    def __init__(self, episode: Episode, uri: str) -> None:
        parent, _, self._folder = uri.rstrip("/").rpartition("/")
        self._storage = open_storage(parent)
        publication = episode.publication
        show = slug(f"{publication.show}.json") if publication and publication.show else "episodes"
        self._name = f"{FOLDER}{show}.json"

    def recognized(self, transcript: MergedTranscript, voices: Mapping[str, Sequence[float]]) -> MergedTranscript:
        """Return the transcript with the names of those unnamed speakers whose voices are remembered.

        Args:
            transcript: has the speakers.
            voices: the mean voice of each speaker by id, unit vectors.
        """
        known = [it for it in self._read().voices if it.name and it.folder != self._folder]
        taken = {it.name for it in transcript.speakers if it.name}
        found = {
            it.id: name
            for it in transcript.speakers
            if not it.name and it.id in voices and (name := _name_of(voices[it.id], known)) and name not in taken
        }
        names = list(found.values())
        speakers = tuple(
            it.model_copy(update={"name": found[it.id], "name_source": "voice"})
            if it.id in found and names.count(found[it.id]) == 1
            else it
            for it in transcript.speakers
        )
        return transcript.model_copy(update={"speakers": speakers})

    def remember(self, speakers: Sequence[Speaker], voices: Mapping[str, Sequence[float]]) -> None:
        """Store the voices of an episode's speakers with the names that are known so far.

        Without voices, as of a leg whose published product is used again, those of the episode stay as they are.
        """
        if not voices:
            return
        new = tuple(
            RememberedVoice(
                folder=self._folder,
                speaker=it.id,
                name=_lasting(it),
                voice=tuple(round(value, DECIMALS) for value in voices[it.id]),
            )
            for it in speakers
            if it.id in voices
        )
        with _locked(self._storage, self._name):
            others = tuple(it for it in self._read().voices if it.folder != self._folder)
            self._write((*others, *new)[-MOST_VOICES:])

    def rename(self, speakers: Sequence[Speaker]) -> None:
        """Give the remembered voices of an episode the names of its speakers."""
        if not self._storage.exists(self._name):
            return
        names = {it.id: _lasting(it) for it in speakers}
        with _locked(self._storage, self._name):
            self._write(
                tuple(
                    it.model_copy(update={"name": names[it.speaker]})
                    if it.folder == self._folder and it.speaker in names
                    else it
                    for it in self._read().voices
                )
            )

    def _read(self) -> RememberedVoices:
        return _read(self._storage, self._name)

    def _write(self, voices: tuple[RememberedVoice, ...]) -> None:
        _write(self._storage, self._name, voices)


def forget_voices(uri: str) -> None:
    """Remove the voices of an episode, by the URI of its folder, from all memories beside it."""
    parent, _, folder = uri.rstrip("/").rpartition("/")
    storage = open_storage(parent)
    for name in storage.list(FOLDER):
        with _locked(storage, name):
            voices = _read(storage, name).voices
            kept = tuple(it for it in voices if it.folder != folder)
            if len(kept) < len(voices):
                _write(storage, name, kept)


def _lasting(speaker: Speaker) -> str | None:
    """Return the name to remember; none that was itself recognized by the voice, since one mistake would breed more."""
    return None if speaker.name_source == "voice" else speaker.name


def voices_of(found: Diarization, transcript: MergedTranscript) -> dict[str, Sequence[float]]:
    """Return the voices by the speakers' ids in the transcript, which numbers them by their first words."""
    ids = {turn.start_s: turn.speaker for turn in transcript.turns}
    return {
        ids[turn.start_s]: found.voices[turn.speaker]
        for turn in found.turns
        if turn.start_s in ids and turn.speaker in found.voices
    }


def _name_of(voice: Sequence[float], known: Sequence[RememberedVoice]) -> str | None:
    """Return the name of the person whose voices are alike, if no other person's are nearly as much."""
    by_name: defaultdict[str, list[Sequence[float]]] = defaultdict(list)
    for it in known:
        if it.name and len(it.voice) == len(voice):
            by_name[it.name].append(it.voice)
    scores = sorted(((_cosine(voice, _sum(its)), name) for name, its in by_name.items()), reverse=True)
    if not scores or scores[0][0] < ALIKE:
        return None
    is_clear = len(scores) == 1 or scores[0][0] - scores[1][0] >= APART
    return scores[0][1] if is_clear else None


def _sum(voices: Sequence[Sequence[float]]) -> list[float]:
    return [sum(values) for values in zip(*voices, strict=True)]


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    product: float = sum(map(mul, one, other))
    return product / ((hypot(*one) * hypot(*other)) or 1.0)


def _read(storage: Storage, name: str) -> RememberedVoices:
    if not storage.exists(name):
        return RememberedVoices()
    try:
        return RememberedVoices.from_json(storage.get(name))
    except ValidationError:
        return RememberedVoices()  # of another version: it begins anew


def _write(storage: Storage, name: str, voices: tuple[RememberedVoice, ...]) -> None:
    if voices:
        storage.put(name, RememberedVoices(voices=voices).to_json())
    else:
        storage.delete(name)


@contextmanager
def _locked(storage: Storage, name: str) -> Iterator[None]:
    """Hold the lock on a memory, since the episodes of a show may end at once."""
    with readable_errors(), connect().lock(f"duet:voices:{storage.uri}/{name}", timeout=LOCK_S):
        yield
