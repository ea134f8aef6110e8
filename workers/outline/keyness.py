"""Which words an episode uses more than its language does."""

from collections import Counter
from collections.abc import Iterable
from math import log

from stopwordsiso import has_lang, stopwords
from wordfreq import get_frequency_dict

Keyness = dict[str, float]
"""Log-likelihood ratio (G²) of each telling word: how sure it is that it is used more than elsewhere."""
SURE = 15.13
"""G² that chance reaches once in ten thousand words: https://ucrel.lancs.ac.uk/llwizard.html."""
_RAREST = 1e-6
"""Share of a word that the lists of frequencies leave out; they go down to one in a million."""
# What is only ever spoken stands in no list of stop words.
_SPOKEN_WORDS = "uh um er erm hmm hm mm mhm huh yeah yep nah okay ok alright gonna gotta wanna kinda sorta"
_SPOKEN = frozenset(_SPOKEN_WORDS.split())


def keyness(words: Iterable[str], language: str) -> Keyness:
    """Return the keyness of each telling word: no stop word, not a single letter."""
    counts = Counter(words)
    common, empty = _common(language), _empty(language)
    total = counts.total()
    return {
        word: _likelihood_ratio(count, total * common.get(word, _RAREST))
        for word, count in counts.items()
        if len(word) > 1 and word not in empty and word.replace("’", "'").split("'")[0] not in empty
    }


def _likelihood_ratio(count: int, expected: float) -> float:
    return 2 * (count * log(count / expected) - count + expected) if count > expected else 0.0


def _common(language: str) -> dict[str, float]:
    try:
        return get_frequency_dict(language, "small")
    except LookupError:
        return {}  # of this language nothing is known: then what is said often counts


def _empty(language: str) -> frozenset[str]:
    return _SPOKEN | (stopwords(language) if has_lang(language) else frozenset())
