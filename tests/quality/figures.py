"""Figures of a text against its reference: word errors with their uncertainty, and the spelling of names."""

from collections.abc import Sequence
from dataclasses import dataclass

import jiwer
import numpy as np

from pipeline.results.alignment import units
from pipeline.results.name_runs import name_runs, small_words
from pipeline.results.sound import similarity, sound
from pipeline.results.stopwords import STOPWORDS

SAMPLES = 4000
"""Samples of the bootstrap."""

Counts = tuple[int, int]
"""Errors and words."""


def word_errors(segments: Sequence[str], heard: str) -> list[Counts]:
    """Return the errors and words of each segment of a reference, after whisper's English normalization.

    The texts are aligned as wholes, so `heard` needs no times. A surplus word counts in the segment of the word that
    it precedes. A segment of which normalization leaves no word has no errors.
    """
    from whisper.normalizers import EnglishTextNormalizer

    normalize = EnglishTextNormalizer()
    texts = [normalize(text) for text in segments]
    owners = [number for number, text in enumerate(texts) for _ in text.split()]
    errors = [0] * len(texts)
    if not owners:
        return [(0, 0) for _ in texts]
    aligned = jiwer.process_words(" ".join(filter(None, texts)), normalize(heard)).alignments[0]
    for chunk in aligned:
        if chunk.type == "insert":
            errors[owners[min(chunk.ref_start_idx, len(owners) - 1)]] += chunk.hyp_end_idx - chunk.hyp_start_idx
        elif chunk.type != "equal":
            for place in range(chunk.ref_start_idx, chunk.ref_end_idx):
                errors[owners[place]] += 1
    return [(wrong, len(text.split())) for wrong, text in zip(errors, texts, strict=True)]


def rate(counts: Sequence[Counts]) -> float:
    """Return the word error rate in percent; there must be words."""
    return 100 * sum(errors for errors, _ in counts) / sum(words for _, words in counts)


def interval(counts: Sequence[Counts]) -> tuple[float, float]:
    """Return the bootstrap 95 % interval of `rate` in percent, over segments; always the same for the same counts."""
    table = np.array([(errors, words) for errors, words in counts if words])
    picks = np.random.default_rng(0).integers(len(table), size=(SAMPLES, len(table)))
    errors, words = table[picks].sum(axis=1).T
    low, high = np.percentile(100 * errors / words, (2.5, 97.5))
    return float(low), float(high)


@dataclass(frozen=True)
class Spelling:
    """The names of a reference in a text."""

    right: tuple[str, ...]
    """Names spelt as in the reference, capitals apart."""
    otherwise: dict[str, str]
    """Names of which the text has another spelling of the same sound, with that spelling, casefolded."""
    absent: tuple[str, ...]


def names_in(segments: Sequence[str]) -> list[str]:
    """Return the names of a reference: words with a capital within a sentence that never occur without one.

    Stop words are left out, and so are segments in capitals throughout. A name of two words counts as two.
    """
    small = small_words("\n".join(segments))
    found: dict[str, str] = {}
    for segment in segments:
        if segment.isupper():
            continue
        for run, begins in name_runs(segment, small):
            for word in run[1:] if begins else run:
                if word[0].casefold() not in STOPWORDS:
                    found.setdefault(word[0].casefold(), word[0])
    return list(found.values())


def spelling(segments: Sequence[str], text: str) -> Spelling:
    """Return how a text spells the names of a reference; words of the reference are no other spellings of a name."""
    known, heard = _words("\n".join(segments)), _words(text)
    surplus = [word for word in heard if word not in known]
    right, otherwise, absent = [], {}, []
    for name in names_in(segments):
        alike = [word for word in surplus if sound(name) and sound(word) == sound(name) and similarity(word, name) > 0]
        if alike:
            otherwise[name] = alike[0]
        elif _words(name).keys() <= heard.keys():
            right.append(name)
        else:
            absent.append(name)
    return Spelling(tuple(right), otherwise, tuple(absent))


def _words(text: str) -> dict[str, None]:
    """Return the casefolded words of a text in order, without the *s* of a genitive."""
    return dict.fromkeys(unit.text.removesuffix("'s") for unit in units(text))
