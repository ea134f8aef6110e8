"""Names of speakers: those that users give, kept through every new result, and those that were found."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from pipeline.types import EpisodeResult, MergedTranscript, Speaker, SpeakerTurn

FoundIn = Literal["voice", "voxtral", "transcript"]


class FoundName(NamedTuple):
    """A name that was found for a speaker, with its evidence."""

    name: str
    quote: str
    """The sentence in which the name is said."""
    quote_s: float
    """Start of that sentence in seconds."""


def with_user_names(transcript: MergedTranscript, names: Mapping[str, str | None]) -> MergedTranscript:
    """Return the transcript with the names that a user gives to some speakers, by id; None removes a name.

    A name that was found for another speaker gives way to the same name from the user.
    """
    given = {name.casefold() for name in names.values() if name}
    return _with_speakers(transcript, [_given_to(speaker, names, given) for speaker in transcript.speakers])


def with_found_names(transcript: MergedTranscript, found: Mapping[str, FoundName], source: FoundIn) -> MergedTranscript:
    """Return the transcript with found names for the speakers that have none, unless another speaker has the name."""
    taken = {speaker.name.casefold() for speaker in transcript.speakers if speaker.name}
    free = {id_: it for id_, it in found.items() if it.name.casefold() not in taken}
    return _with_speakers(transcript, [_found_for(it, free.get(it.id), source) for it in transcript.speakers])


def carried_over(new: MergedTranscript, old: EpisodeResult | None) -> MergedTranscript:
    """Return a new transcript of an episode with the names that a user gave to the speakers of its earlier result.

    Speakers of the same turns have the same ids; others are matched by the time for which their turns overlap.
    """
    before = old.transcript if old else None
    named = {it.id: it.name for it in before.speakers if it.name_source == "user"} if before else {}
    if before is None or not named or not new.speakers:
        return new
    ids = {it.id: it.id for it in before.speakers} if new.turns == before.turns else _matches(before.turns, new.turns)
    return with_user_names(new, {ids[id_]: name for id_, name in named.items() if id_ in ids})


def _given_to(speaker: Speaker, names: Mapping[str, str | None], given: set[str]) -> Speaker:
    if speaker.id in names:
        return _renamed(speaker, name=names[speaker.id], name_source="user")
    is_given_to_another = speaker.name_source != "user" and (speaker.name or "").casefold() in given
    return _renamed(speaker, name=None, name_source=None) if is_given_to_another else speaker


def _found_for(speaker: Speaker, found: FoundName | None, source: FoundIn) -> Speaker:
    if found is None or speaker.name_source is not None:
        return speaker
    return _renamed(speaker, name=found.name, name_source=source, quote=found.quote, quote_s=found.quote_s)


def _renamed(speaker: Speaker, **fields: object) -> Speaker:
    return speaker.model_copy(update={"quote": "", "quote_s": None} | fields)


def _with_speakers(transcript: MergedTranscript, speakers: Sequence[Speaker]) -> MergedTranscript:
    return transcript.model_copy(update={"speakers": tuple(speakers)})


def _matches(old: Sequence[SpeakerTurn], new: Sequence[SpeakerTurn]) -> dict[str, str]:
    """Return the new id of each old speaker; pairs are made by overlap, the largest first, each speaker once."""
    ours, theirs = _stretches(old), _stretches(new)
    overlaps = [(_overlap_s(ours[our], theirs[their]), our, their) for our in ours for their in theirs]
    found: dict[str, str] = {}
    for overlap_s, our, their in sorted(overlaps, key=lambda it: -it[0]):
        if overlap_s > 0 and our not in found and their not in found.values():
            found[our] = their
    return found


def _stretches(turns: Sequence[SpeakerTurn]) -> dict[str, list[tuple[float, float]]]:
    """Return the start and end of the turns of each speaker, in order and without overlap."""
    found: dict[str, list[tuple[float, float]]] = {}
    for turn in sorted(turns, key=lambda it: it.start_s):
        own = found.setdefault(turn.speaker, [])
        if own and turn.start_s <= own[-1][1]:
            own[-1] = own[-1][0], max(own[-1][1], turn.end_s)
        else:
            own.append((turn.start_s, turn.end_s))
    return found


def _overlap_s(ours: Sequence[tuple[float, float]], theirs: Sequence[tuple[float, float]]) -> float:
    """Return the seconds that are in both; each is in order and without overlap."""
    edges = sorted([(start, 1) for start, _ in (*ours, *theirs)] + [(end, -1) for _, end in (*ours, *theirs)])
    total_s, depth = 0.0, 0
    for (at, change), (after, _) in pairwise(edges):
        depth += change
        total_s += after - at if depth == 2 else 0.0
    return total_s
