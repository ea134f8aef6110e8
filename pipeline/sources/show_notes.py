"""Names in an episode's title and notes, for Whisper to spell the same way."""

import html
import re
from collections.abc import Iterator

MOST_NAMES = 20
MOST_CHARACTERS = 300
"""Limit of all names together, which are in the prompt of each window; Whisper's prompt is limited to 223 tokens."""
TAG = re.compile(r"<(?:/?([A-Za-z][^\s/<>]*+)|[!?])[^<>]*+>")
"""A tag or a comment; unlike html.parser, it takes no time in the square of the length of broken HTML."""
INLINE = frozenset({"a", "abbr", "b", "em", "i", "small", "span", "strong", "u"})
ADDRESS = re.compile(r"(?<!\S)\S*?(?://|www\.|@)\S*")
SENTENCE_END = re.compile(r"(?<=[.!?:;|•])\s+|\n+|\s[-–—]\s|[\"“”()\[\]]")
WORD = re.compile(r"[^\W\d_][\w&'’.-]*[^\W_]|[^\W\d_]")
LONGEST_ACRONYM = 6


def names_in(title: str, notes: str) -> tuple[str, ...]:
    """Return the names in an episode's title and notes, in order of appearance.

    A name is a run of capitalized words within a sentence, or with a capital inside, whose words are never in lower
    case elsewhere. Headings in title case are ignored.

    Args:
        title: plain text.
        notes: plain text or HTML.
    """
    sentences = [
        WORD.findall(sentence) for text in (title, _plain(notes)) for sentence in SENTENCE_END.split(text) if sentence
    ]
    small = {word.lower() for words in sentences for word in words if word.islower()}
    found: dict[str, str] = {}
    for words in sentences:
        if not _is_heading(words):
            for name in _runs(words, small):
                found.setdefault(name.lower(), name)
    kept: list[str] = []
    for name in found.values():
        if len(kept) < MOST_NAMES and sum(map(len, kept)) + len(name) <= MOST_CHARACTERS:
            kept.append(name)
    return tuple(kept)


def _runs(words: list[str], small: set[str]) -> Iterator[str]:
    run: list[str] = []
    for place, word in enumerate([*words, ""]):
        begins_sentence = place == 0 and word[1:].islower()
        if _is_name(word, small) and not begins_sentence:
            run.append(word)
        elif run:
            yield " ".join(run)
            run = []


def _is_name(word: str, small: set[str]) -> bool:
    if not word or word.lower() in small or len(word) < 2:
        return False
    if word.isupper():
        return len(word) <= LONGEST_ACRONYM
    return any(letter.isupper() for letter in word)


def _is_heading(words: list[str]) -> bool:
    """Return whether every longer word is capitalized, as in a heading in title case."""
    longer = [word for word in words[1:] if len(word) > 3]
    return len(longer) > 2 and not any(word[0].islower() for word in longer)


def _plain(notes: str) -> str:
    """Return the text of HTML, each block on a line of its own, without addresses."""
    text = TAG.sub(lambda tag: "" if (tag[1] or "").lower() in INLINE else "\n", notes)
    return ADDRESS.sub(" ", html.unescape(text))
