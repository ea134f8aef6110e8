"""Word errors of a transcript by the clip they are in, and how sure a rate from so few clips is.

The words of all clips are aligned with the transcript at once (jiwer), after whisper's own normaliser for English.
Clips are what is drawn anew for an interval, because the errors within one have a cause in common.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jiwer
import numpy as np
from numpy.typing import NDArray
from whisper.normalizers import EnglishTextNormalizer

DRAWS = 2000
INTERVAL = (2.5, 97.5)
"""Percentiles of an interval."""
BRACKETS = str.maketrans("()[]", "    ")
"""The normaliser drops what is in brackets, which was spoken here."""
KINDS = ("substitute", "delete", "insert")


@dataclass(frozen=True)
class WordErrors:
    """The errors in each clip."""

    kinds: NDArray[np.int64]
    """Substitutions, deletions and insertions of each clip, shape (clips, 3)."""
    words: NDArray[np.int64]
    """Words of each clip's reference, shape (clips,)."""

    def __add__(self, other: "WordErrors") -> "WordErrors":
        """Return the errors in the same clips of two recordings."""
        return WordErrors(self.kinds + other.kinds, self.words + other.words)

    @property
    def rate(self) -> float:
        """Word error rate of all clips, in percent."""
        return 100 * float(self.kinds.sum() / self.words.sum())

    def interval(self) -> tuple[float, float]:
        """Return the bounds of the rate, in percent."""
        return _interval(self.kinds.sum(axis=1), self.words)

    def difference(self, other: "WordErrors") -> tuple[float, float, float]:
        """Return this rate less another on the same clips, in percentage points, and the bounds of that."""
        more = (self.kinds - other.kinds).sum(axis=1)
        return (self.rate - other.rate, *_interval(more, self.words))


def word_errors(clips: Sequence[str], order: Sequence[int], text: str) -> WordErrors:
    """Return the errors in each clip.

    Args:
        clips: the reference of each clip.
        order: the clips as they follow each other in the recording.
        text: the transcript of the recording.
    """
    spoken = [normalised(clips[place]) for place in order]
    owner = np.repeat(np.array(order), [len(words) for words in spoken])
    kinds = np.zeros((len(clips), len(KINDS)), np.int64)
    aligned = jiwer.process_words(" ".join(word for words in spoken for word in words), " ".join(normalised(text)))
    for chunk in aligned.alignments[0]:
        if chunk.type == "insert":
            at = min(chunk.ref_start_idx, len(owner) - 1)
            kinds[owner[at], KINDS.index("insert")] += chunk.hyp_end_idx - chunk.hyp_start_idx
        elif chunk.type != "equal":
            np.add.at(kinds[:, KINDS.index(chunk.type)], owner[chunk.ref_start_idx : chunk.ref_end_idx], 1)
    return WordErrors(kinds, np.bincount(owner, minlength=len(clips)))


def normalised(text: str) -> list[str]:
    """Return the words that are compared."""
    return str(_NORMALISE(text.translate(BRACKETS))).split()


def _interval(errors: NDArray[np.int64], words: NDArray[np.int64]) -> tuple[float, float]:
    drawn = np.random.default_rng(0).integers(0, len(words), (DRAWS, len(words)))
    low, high = np.percentile(100 * errors[drawn].sum(axis=1) / words[drawn].sum(axis=1), INTERVAL)
    return float(low), float(high)


_NORMALISE = EnglishTextNormalizer()
