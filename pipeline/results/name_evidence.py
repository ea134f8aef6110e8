"""Choice of names from what is said: each name for one speaker, and none where the evidence conflicts."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from pipeline.results.introductions import SELF, STATION, Claim, claims
from pipeline.results.known_people import KnownPeople
from pipeline.results.speaker_names import FoundName
from pipeline.results.spoken_sentences import spoken_sentences
from pipeline.types import MergedTranscript

LEAST_WEIGHT = 2
"""Least weight of the addresses that give a name: one greeting or two questions."""


def names_said(transcript: MergedTranscript, people: KnownPeople) -> dict[str, FoundName]:
    """Return the names of speakers by what is said, by the id of the speaker, with the sentence that says each."""
    if not transcript.speakers:
        return {}
    found = claims(spoken_sentences(transcript), people)
    chosen, undecided = _own_names(found)
    taken = {claim.name.casefold() for claim in (*chosen.values(), *undecided)}
    settled = {*chosen, *(claim.speaker for claim in undecided)}
    others = [it for it in found if it.speaker not in settled and it.name.casefold() not in taken]
    chosen |= _best([it for it in others if it.weight < STATION], LEAST_WEIGHT)
    return {id_: FoundName(it.name, it.sentence.text, it.sentence.start_s) for id_, it in chosen.items()}


def _own_names(found: Sequence[Claim]) -> tuple[dict[str, Claim], list[Claim]]:
    """Return the names that speakers say of themselves, and the claims that contradict each other."""
    chosen: dict[str, Claim] = {}
    undecided: list[Claim] = []
    for weight in (SELF, STATION):
        settled = {*chosen, *(it.speaker for it in undecided)}
        own = _in_full([it for it in found if it.weight == weight and it.speaker not in settled])
        best = _best(own, weight)
        chosen |= {id_: claim for id_, claim in best.items() if not _is_taken(claim, chosen.values())}
        undecided += [it for it in own if it.speaker not in chosen]
    return chosen, undecided


def _is_taken(claim: Claim, others: Iterable[Claim]) -> bool:
    return any(it.name.casefold() == claim.name.casefold() and it.speaker != claim.speaker for it in others)


def _in_full(own: Sequence[Claim]) -> list[Claim]:
    """Return the claims of each speaker by the longest of names that are parts of each other."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for claim in own:
        names[claim.speaker].append(claim.name)

    def longest(claim: Claim) -> str:
        words = set(claim.name.casefold().split())
        fuller = [it for it in names[claim.speaker] if words <= set(it.casefold().split())]
        return max(fuller, key=len)

    in_full_first = sorted(own, key=lambda claim: longest(claim) != claim.name)
    return [claim._replace(name=longest(claim)) for claim in in_full_first]


def _best(found: Sequence[Claim], least: int) -> dict[str, Claim]:
    """Return the first claim of each pair of speaker and name that outweighs all others of either."""
    weights: Counter[tuple[str, str]] = Counter()
    for claim in found:
        weights[claim.speaker, claim.name.casefold()] += claim.weight
    chosen: dict[str, Claim] = {}
    for claim in found:
        pair = claim.speaker, claim.name.casefold()
        rivals = [weight for it, weight in weights.items() if it != pair and (it[0] == pair[0] or it[1] == pair[1])]
        if weights[pair] >= max(least, 1 + max(rivals, default=0)):
            chosen.setdefault(claim.speaker, claim)
    return chosen
