"""Titles and gists of chapters, from the sentences said in them."""

from collections.abc import Sequence
from math import ceil

from pipeline.types import Chapter
from workers.voxtral import prompts
from workers.voxtral.answer_schemas import Heading
from workers.voxtral.backend import TextBackend
from workers.voxtral.deadline import Deadline
from workers.voxtral.prompts import Note
from workers.voxtral.reduction import clip

EXCERPT_TOKENS = 600
"""Tokens of a chapter's sentences in one prompt: about four minutes of speech."""
MOST_WORDS = 5


def heading(reader: TextBackend, sentences: Sequence[str], deadline: Deadline) -> Note[Heading]:
    """Return the title and gist of a chapter."""
    return reader.ask(prompts.heading(excerpt(reader, sentences)), deadline)


def titled(start_s: float, answer: Heading, sentences: Sequence[str]) -> Chapter:
    """Return a chapter with a title of at most `MOST_WORDS` words; its first ones if the answer was cut before one."""
    title = _first_words(answer.title) or _first_words(next(iter(sentences), ""))
    return Chapter(start_s=start_s, title=title, gist=" ".join(answer.gist.split()))


def _first_words(text: str) -> str:
    return " ".join(text.split()[:MOST_WORDS]).rstrip(" ,;:.–—-")


def excerpt(reader: TextBackend, sentences: Sequence[str]) -> str:
    """Return sentences from all over a chapter, in their order, of at most `EXCERPT_TOKENS` tokens."""
    whole = " ".join(sentences)
    every = ceil(reader.count_tokens(whole) / EXCERPT_TOKENS)
    return clip(reader, " ".join(sentences[::every]) if every > 1 else whole, EXCERPT_TOKENS)
