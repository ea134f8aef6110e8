"""Comparison of names by sound: spellings that are read alike, in the languages of the Latin script."""

import re
from functools import lru_cache

from slugify import slugify

from pipeline.results.alignment import likeness

ALIKE = 0.75
"""Minimum similarity of two names of the same sound, vowels included."""
SHORTEST = 4
"""Letters of the shortest name that is compared; too many shorter ones sound the same."""
SHORT = 6
"""Letters below which two names must have the same vowels: Sara and Sarah, not Moses and Mises."""
_CONSONANTS = (
    (r"x", "ks"),
    (r"sch|sh", "x"),  # from here on x stands for that one sound
    (r"t?ch|ck|kh|q", "k"),
    (r"c(?=[eiy])|z", "s"),
    (r"c", "k"),
    (r"ph", "f"),
    (r"dt", "t"),
    (r"(?<=[bdgrt])h|h(?![aeiouy])", ""),
    (r"w(?![aeiouy])", ""),
    (r"[vw]", "f"),
    (r"y", "i"),
    (r"(.)\1+", r"\1"),
)
# The last vowel tells Maria from Mario and Marie; those within a name are heard less clearly.
_VOWELS = (
    (r"[aeiou]*([aou])$", r"\1"),
    (r"[aeiou]*i$|[aeiou]+e$", "i"),
    (r"[aeiou]+(?=[^aeiou])", "."),
)


@lru_cache(maxsize=65536)
def sound(name: str) -> str:
    """Return a key that names of the same sound share; empty if it is not known how the name is read."""
    return _replaced(_spoken(name), _VOWELS)


def similarity(heard: str, spelt: str) -> float:
    """Return the similarity of two names of the same sound, 0 to 1; 0 if it is too little, or a name too short."""
    one, other = (re.sub(r"[\W_]", "", name.casefold()) for name in (heard, spelt))
    shorter = min(len(one), len(other))
    is_same_script = not set(one).isdisjoint(other)
    if shorter < SHORTEST or not is_same_script or (shorter < SHORT and _vowels(heard) != _vowels(spelt)):
        return 0.0
    alike = likeness(_spoken(heard), _spoken(spelt))
    return alike if alike >= ALIKE else 0.0


@lru_cache(maxsize=65536)
def _spoken(name: str) -> str:
    """Return the letters of a name in ASCII, one for each way to write a consonant."""
    return _replaced(str(slugify(name, separator="")), _CONSONANTS)


def _vowels(name: str) -> str:
    return re.sub(r"[^aeiou]", "", _spoken(name))


def _replaced(text: str, changes: tuple[tuple[str, str], ...]) -> str:
    for pattern, letters in changes:
        text = re.sub(pattern, letters, text)
    return text
