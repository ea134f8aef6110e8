"""Sentences that the page has already."""

import re

_LETTERS = re.compile(r"[\W_]+")


class Said:
    """The texts that were shown, without case and punctuation."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def note(self, text: str) -> None:
        """Note a text that is shown."""
        self._texts.append(_plain(text))

    def is_new(self, text: str) -> bool:
        """Note a text, and return whether it was in none of those before."""
        plain = _plain(text)
        is_new = not any(plain in shown for shown in self._texts)
        self._texts.append(plain)
        return is_new


def _plain(text: str) -> str:
    return f" {_LETTERS.sub(' ', text.casefold()).strip()} "
