"""Keyness of the words that are more frequent in an episode than in its language."""

from collections import Counter
from collections.abc import Iterable
from math import log

from stopwordsiso import has_lang, stopwords
from wordfreq import get_frequency_dict

Keyness = dict[str, float]
"""Log-likelihood ratio (G²) per keyword: the evidence that the word is more frequent than in general use."""
SURE = 15.13
"""G² at a significance of p = 0.0001: https://ucrel.lancs.ac.uk/llwizard.html."""
_RAREST = 1e-6
"""Relative frequency of a word that is missing from the frequency lists, which end at one in a million."""
# Stop word lists lack these words of spoken language.
_SPOKEN_WORDS = "uh um er erm hmm hm mm mhm huh yeah yep nah okay ok alright gonna gotta wanna kinda sorta"
_SPOKEN = frozenset(_SPOKEN_WORDS.split())


def keyness(words: Iterable[str], language: str) -> Keyness:
    """Return the keyness of each word, without stop words and single letters."""
    counts = Counter(words)
    common, stop = _common(language), _stop_words(language)
    total = counts.total()
    return {
        word: _likelihood_ratio(count, total * common.get(word, _RAREST))
        for word, count in counts.items()
        if len(word) > 1 and word not in stop and word.replace("’", "'").split("'")[0] not in stop
    }


def _likelihood_ratio(count: int, expected: float) -> float:
    return 2 * (count * log(count / expected) - count + expected) if count > expected else 0.0


def _common(language: str) -> dict[str, float]:
    try:
        return get_frequency_dict(language, "small")
    except LookupError:
        return {}  # unknown language: every frequent word counts


def _stop_words(language: str) -> frozenset[str]:
    return _SPOKEN | (stopwords(language) if has_lang(language) else frozenset())
