"""Replacement rules: the words of a transcript that they change, and the spellings that models are told."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from pipeline.results.corrections.editor import Editor
from pipeline.types.corrections import Rule

_NO_BLANKS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Letters of scripts without blanks between words."""
_LETTER = rf"[^\W{_NO_BLANKS}]"
_CHUNK = re.compile(rf"{_LETTER}+|\S")
_STARTS = re.compile(rf"(?<!{_LETTER})(?<!{_LETTER}[-'’])")
_ENDS = re.compile(rf"(?!{_LETTER}|-{_LETTER}|['’](?!s\b){_LETTER})")
"""Not within a word such as `can't` or `well-known`; only `'s` may follow."""


class Match(NamedTuple):
    """Words that a rule changes."""

    start_s: float
    was: str
    becomes: str
    rule: Rule


def rules_of(rules: Iterable[Rule], show: str) -> list[Rule]:
    """Return the rules for a show, before those for all shows."""
    rules = list(rules)
    own = [it for it in rules if show and it.is_for(show)]
    return own + [it for it in rules if it.is_for("")]


def matches(editor: Editor, rules: Sequence[Rule]) -> Iterator[Match]:
    """Yield the words that rules change, in order; never those that a correction wrote.

    All rules read the text as it was, so that none changes what another wrote. Of several that fit at a place, the
    longest does.
    """
    if not rules:
        return
    placed = [it for _, it in editor.words()]
    text = "".join(it.word.word for it in placed)
    ends = list(accumulate(len(it.word.word) for it in placed))
    owners = [number for number, it in enumerate(placed) for _ in it.word.word]
    done = -1
    for rule, found in _found(text, rules):
        first, last = owners[found.start()], owners[found.end() - 1]
        words = placed[first : last + 1]
        is_one_voice = len({it.word.speaker for it in words}) == 1
        if first <= done or not is_one_voice or any(it.is_new for it in words) or _is_torn(text, found.end()):
            continue
        done = last
        before = text[ends[first] - len(placed[first].word.word) : found.start()].lstrip()
        after = text[found.end() : ends[last]].rstrip()
        was = " ".join("".join(it.word.word for it in words).split())
        is_word = rule.becomes or any(map(str.isalnum, before + after))
        becomes = f"{before}{rule.becomes}{after}" if is_word else ""
        if was != becomes:
            yield Match(words[0].word.start_s, was, becomes, rule)


def _found(text: str, rules: Iterable[Rule]) -> Iterator[tuple[Rule, re.Match[str]]]:
    """Yield the places that rules fit, in order and without overlap, the longest rule at each."""
    by_chunk: defaultdict[str, list[tuple[Rule, re.Pattern[str]]]] = defaultdict(list)
    for rule in sorted(rules, key=lambda it: -len(it.was)):
        if chunk := _CHUNK.match(rule.was):
            by_chunk[chunk[0].casefold()].append((rule, _pattern(rule)))
    end = 0
    for chunk in _CHUNK.finditer(text):
        for rule, pattern in by_chunk.get(chunk[0].casefold(), ()) if chunk.start() >= end else ():
            found = pattern.match(text, chunk.start())
            if found and _STARTS.match(text, found.start()) and _ENDS.match(text, found.end()):
                yield rule, found
                end = found.end()
                break


def _pattern(rule: Rule) -> re.Pattern[str]:
    """Return the regular expression of a rule's words."""
    words = r"\s+".join(map(re.escape, rule.was.split()))
    has_own_capitals = rule.was not in (rule.was.lower(), rule.was.upper())
    return re.compile(words, 0 if has_own_capitals else re.IGNORECASE)


def _is_torn(text: str, end: int) -> bool:
    """Return whether a mark goes on with the last letter before a place."""
    return unicodedata.category(text[end : end + 1] or " ").startswith("M")
