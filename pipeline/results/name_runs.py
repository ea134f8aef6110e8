"""Names in a text: runs of capitalized words within a sentence."""

import re
from collections.abc import Collection, Iterator

_WORD = re.compile(r"[^\W\d_][^\W_]*(?:[-.&'’](?!s\b)[^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?…:;。！？\n\"“”„«»()\[\]]")

Run = tuple[tuple[re.Match[str], ...], bool]
"""The words of a name in the text, and whether the first of them begins a sentence."""


def name_runs(text: str, small: Collection[str] = ()) -> Iterator[Run]:
    """Yield the runs of capitalized words that only blanks separate; a genitive's *s* ends a name.

    Args:
        text: any text.
        small: casefolded words that are no names, as they occur in lower case elsewhere.
    """
    run: list[re.Match[str]] = []
    begins, end = False, 0
    for word in _WORD.finditer(text):
        gap = text[end : word.start()]
        if run and gap.strip():
            yield tuple(run), begins
            run = []
        if word[0] == word[0].lower() or word[0].casefold() in small:
            if run:
                yield tuple(run), begins
            run = []
        else:
            if not run:
                begins = not text[: word.start()].strip() or _SENTENCE_END.search(gap) is not None
            run.append(word)
        end = word.end()
    if run:
        yield tuple(run), begins


def small_words(text: str) -> set[str]:
    """Return the words of a text that occur in lower case, casefolded."""
    return {word[0].casefold() for word in _WORD.finditer(text) if word[0].islower()}
