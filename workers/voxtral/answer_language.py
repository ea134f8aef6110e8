"""The language that an answer names, in whatever way."""

import re

import langcodes
from langcodes.tag_parser import LanguageTagError
from whisper.tokenizer import TO_LANGUAGE_CODE

_OWN_NAMES = {
    "deutsch": "de", "français": "fr", "español": "es", "italiano": "it", "português": "pt", "nederlands": "nl",
    "हिन्दी": "hi", "हिंदी": "hi", "العربية": "ar", "русский": "ru", "中文": "zh", "日本語": "ja", "한국어": "ko",
}  # fmt: skip
"""The names of the languages that Voxtral knows, in these languages."""


def language_code(text: str) -> str | None:
    """Return the two-letter code of a language: of its name, a longer code or a locale; None if there is none."""
    word = re.split(r"[-_\s(,;/]", text.strip(" \"'.").casefold())[0]
    word = _OWN_NAMES.get(word) or TO_LANGUAGE_CODE.get(word, word)
    try:
        code = langcodes.Language.get(word).language or ""
    except LanguageTagError:
        return None
    return code if len(code) == 2 else None
