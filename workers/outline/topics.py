"""Topics of an episode: keywords and names."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby

from workers.outline.keyness import SURE, Keyness
from workers.outline.sentences import Sentence

_LONGEST_NAME = 4


def topics(spoken: Sequence[Sentence], key: Keyness, most: int) -> tuple[str, ...]:
    """Return the words and phrases of neighbouring words with the highest keyness."""
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for sentence in spoken:
        for phrase in _phrases(sentence, key):
            spellings[" ".join(phrase).casefold()][" ".join(phrase)] += 1
    counts = {folded: spelled.total() for folded, spelled in spellings.items()}
    # A phrase gets the share of its words' keyness that its occurrences account for.
    scores = {
        folded: sum(key.get(word, 0.0) * count / counts.get(word, count) for word in folded.split())
        for folded, count in counts.items()
        if count > 1
    }
    chosen: list[str] = []
    taken: set[str] = set()
    for folded in sorted(scores, key=lambda folded: (-scores[folded], -len(folded.split()), folded)):
        if len(chosen) == most or scores[folded] < SURE:
            break
        if taken.isdisjoint(folded.split()):
            chosen.append(folded)
            taken.update(folded.split())
    return tuple(max(spellings[folded], key=spellings[folded].__getitem__) for folded in chosen)


def _phrases(sentence: Sentence, key: Keyness) -> Iterator[tuple[str, ...]]:
    """Yield each keyword, and each run of keywords and parts of names."""
    is_keyword = [word.casefold() in key for word in sentence.words]
    named = [index > 0 and len(word) > 1 and word[0].isupper() for index, word in enumerate(sentence.words)]
    for is_run, run in groupby(range(len(is_keyword)), key=lambda index: is_keyword[index] or named[index]):
        places = list(run) if is_run else []
        for first in range(len(places)):
            for last in range(first, min(len(places), first + _LONGEST_NAME)):
                if any(is_keyword[place] for place in places[first : last + 1]):
                    yield sentence.words[places[first] : places[last] + 1]
