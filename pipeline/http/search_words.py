"""Words that are searched for: the question to SQLite's full-text search, and the marks in what it finds."""

import re

from pipeline.results.stopwords import STOPWORDS

MARKS = ("\x02", "\x03")
"""Marks before and after each found word of an excerpt."""
NO_WORD = str.maketrans("", "", '"\0')
"""Translation that removes characters which end a quoted word in a question."""
_BETWEEN = re.compile("\x03([^\\w\x02\x03]*)\x02")


def question(words: str) -> str:
    """Return the question for FTS5: all words, the phrase first; words in quotes as a phrase alone.

    The last word may be a prefix. Empty without a word.
    """
    terms = [word for it in words.split() if (word := it.translate(NO_WORD))]
    if not terms:
        return ""
    phrase = f'"{" ".join(terms)}"*'
    if len(terms) == 1 or (words.strip().startswith('"') and words.strip().endswith('"')):
        return phrase
    every = " ".join(f'"{term}"' for term in terms)
    return f"({phrase}) OR ({every}*)"


def marked_parts(excerpt: str, words: str) -> list[str]:
    """Return an excerpt in parts, every second one a match: a phrase as one, and no stop words by themselves."""
    begin, end = MARKS
    parts = _BETWEEN.sub(r"\1", excerpt).replace(end, begin).split(begin)
    asked = {word for it in words.split() if (word := it.translate(NO_WORD).lower())}
    if asked <= STOPWORDS:
        return parts
    return _without_stopwords(parts)


def _without_stopwords(parts: list[str]) -> list[str]:
    found = [parts[0]]
    for match, after in zip(parts[1::2], parts[2::2], strict=True):
        if match.lower() in STOPWORDS:
            found[-1] += match + after
        else:
            found += [match, after]
    return found
