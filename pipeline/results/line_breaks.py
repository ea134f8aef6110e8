"""Cost of a line break between two words."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.types.graphemes import columns

LINE_CHARACTERS = 42
_SENTENCE, _CLAUSE, _JOINT, _ANYWHERE = 0.0, 4.0, 9.0, 16.0
_PAUSE_WORTH_MS = 100
_PAUSE_WORTH_MOST = 12.0
_CLINGS = 9.0
"""Cost of separating an article or a preposition from the following word."""
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")
_CLAUSE_ENDS = (",", ";", ":", "–", "—", "、", "，", "；")
_UNSPACED = re.compile("[\u0e00-\u109f\u1780-\u17ff]")
"""Letters of Thai, Lao, Tibetan, Burmese and Khmer, whose words have no blanks between them."""
_BEFORE_A_CONSONANT = tuple("เแโใไເແໂໃໄ")
"""Vowels of Thai and Lao that are written before the consonant after which they are spoken."""
_ABBREVIATIONS = frozenset(["mr", "mrs", "ms", "dr", "st", "prof", "vs", "z.b", "bzw"])
_JOINTS = frozenset(
    re.findall(
        r"\w+",
        """and but or nor so yet because although while when where if that which who than then as
        und aber oder denn weil dass wenn et mais ou donc car que qui y pero o porque e ma perché""",
    )
)
_CLINGING = frozenset(
    re.findall(
        r"\w+",
        """a an the my your his her its our their this to of in on at by for with from into mr mrs ms dr st
        is are was were be i we you he she they not no very
        der die das ein eine den dem des zu von mit le la les un une de du en el los las lo il gli""",
    )
)


class Token(NamedTuple):
    """A word of a caption, or a piece of a word that is longer than a line."""

    text: str
    """Includes the blank before the word, if any."""
    start_ms: int
    end_ms: int
    begins: bool = False
    """Whether the token is the first of its segment."""
    speaker: str | None = None
    """Id of the speaker in a dialogue."""


def badness(run: Sequence[Token], place: int) -> float:
    """Return the cost of ending a line or caption after a token."""
    if place == len(run) - 1:
        return 0.0
    token, following = run[place], run[place + 1]
    if ends_sentence(token.text):
        cost = _SENTENCE
    elif token.text.endswith(_CLAUSE_ENDS) or (following.begins and following.text[1:2].isupper()):
        cost = _CLAUSE
    elif _bare(following.text) in _JOINTS:
        cost = _JOINT
    else:
        cost = _ANYWHERE
    if _bare(token.text) in _CLINGING:
        cost += _CLINGS
    if token.text.endswith(_BEFORE_A_CONSONANT) or _goes_on(following.text[:1]):
        cost += 4 * _ANYWHERE  # within a word
    return cost - min(_PAUSE_WORTH_MOST, max(0, following.start_ms - token.end_ms) / _PAUSE_WORTH_MS)


def _goes_on(letter: str) -> bool:
    """Return whether a word goes on with a letter, as it does in scripts with blanks between words."""
    return letter.isalnum() and columns(letter) == 1 and not _UNSPACED.match(letter)


def ends_sentence(word: str) -> bool:
    """Return whether a sentence ends with a word."""
    stripped = word.rstrip(" \"'”’»)")
    return stripped.endswith(_SENTENCE_ENDS) and _bare(stripped) not in _ABBREVIATIONS


def _bare(text: str) -> str:
    return text.strip(" .,;:!?\"'“”‘’()").casefold()
