"""Boundaries of chapters, where the vocabulary of an episode changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log, sqrt

from pipeline.types import Transcript
from workers.outline.keyness import Keyness, keyness
from workers.outline.sentences import Sentence, sentences

SHORTEST_S = 90.0
FEWEST_AN_HOUR, MOST_AN_HOUR = 3, 6
BOUNDED_FROM_S = 1800.0
"""Length of an episode from which the number of its chapters an hour is bounded; a shorter one has its own rhythm."""
_BLOCK_S = 15.0
"""Seconds of speech in a compared block of sentences; a single sentence has too few words."""
_PENALTY = 0.9
"""Minimum gain in similarity within chapters that justifies another chapter, per square root of the logarithm of the
number of blocks: the best of n random gains grows in this way."""


@dataclass(frozen=True)
class Part:
    """The sentences of one chapter."""

    start_s: float
    sentences: Sequence[Sentence]


def transcript_parts(transcript: Transcript) -> list[Part]:
    """Return the chapters of a transcript; they depend on nothing else."""
    spoken = sentences(transcript)
    return parts(spoken, keyness_of(spoken, transcript.language), transcript.audio_s)


def parts(spoken: Sequence[Sentence], key: Keyness, audio_s: float) -> list[Part]:
    """Return the chapters of an episode in order; the first starts at 0 s, and each other one with a sentence.

    From half an hour on there are 3 to 6 chapters an hour, unless there is too little speech for them.
    """
    if not spoken:
        return []
    starts = [0, *_first_sentences(spoken, key, audio_s)]
    pieces = [spoken[start:end] for start, end in zip(starts, [*starts[1:], len(spoken)], strict=True)]
    return [Part(piece[0].start_s if number else 0.0, piece) for number, piece in enumerate(pieces)]


def keyness_of(spoken: Sequence[Sentence], language: str) -> Keyness:
    """Return the keyness of an episode's words."""
    return keyness((word for sentence in spoken for word in sentence.folded), language)


def _first_sentences(spoken: Sequence[Sentence], key: Keyness, audio_s: float) -> list[int]:
    """Return the indices of the sentences at which the subject changes."""
    firsts = _block_starts(spoken)
    least = round(SHORTEST_S / _BLOCK_S)
    if len(firsts) < 2 * least or not key:
        return []
    # Deferred: they take a second to load, and short episodes need neither.
    from ruptures import KernelCPD
    from sklearn.feature_extraction.text import TfidfVectorizer

    blocks = [
        [word for sentence in spoken[first:end] for word in sentence.folded]
        for first, end in zip(firsts, [*firsts[1:], len(spoken)], strict=True)
    ]
    vectors = TfidfVectorizer(analyzer=list, vocabulary=sorted(key), sublinear_tf=True).fit_transform(blocks)
    # For unit vectors the linear kernel equals the cosine, and it is defined for blocks without any keyword.
    search = KernelCPD(kernel="linear", min_size=least).fit(vectors.toarray())
    breaks = search.predict(pen=_PENALTY * sqrt(log(len(blocks))))
    allowed = _bounded(len(breaks), audio_s, len(blocks) // least)
    if allowed != len(breaks):
        breaks = search.predict(n_bkps=allowed - 1) if allowed > 1 else []
    return [firsts[place] for place in breaks[:-1]]


def _bounded(chapters: int, audio_s: float, most: int) -> int:
    """Return the allowed number of chapters that is nearest to a number; `most` have room."""
    if audio_s < BOUNDED_FROM_S:
        return chapters
    hours = audio_s / 3600
    return min(max(chapters, ceil(hours * FEWEST_AN_HOUR)), floor(hours * MOST_AN_HOUR), most)


def _block_starts(spoken: Sequence[Sentence]) -> list[int]:
    starts: list[int] = []
    for index, sentence in enumerate(spoken):
        if not starts or sentence.start_s - spoken[starts[-1]].start_s >= _BLOCK_S:
            starts.append(index)
    return starts
