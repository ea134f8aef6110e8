"""The languages that Whisper knows, and their usual spellings: codes of ISO 639, tags of BCP 47, English names."""

import re
from unicodedata import normalize

from pydantic_core import PydanticCustomError

_TABLE = (
    "en english, zh chinese, de german, es spanish, ru russian, ko korean, fr french, ja japanese, pt portuguese, "
    "tr turkish, pl polish, ca catalan, nl dutch, ar arabic, sv swedish, it italian, id indonesian, hi hindi, fi "
    "finnish, vi vietnamese, he hebrew, uk ukrainian, el greek, ms malay, cs czech, ro romanian, da danish, hu "
    "hungarian, ta tamil, no norwegian, th thai, ur urdu, hr croatian, bg bulgarian, lt lithuanian, la latin, mi "
    "maori, ml malayalam, cy welsh, sk slovak, te telugu, fa persian, lv latvian, bn bengali, sr serbian, az "
    "azerbaijani, sl slovenian, kn kannada, et estonian, mk macedonian, br breton, eu basque, is icelandic, hy "
    "armenian, ne nepali, mn mongolian, bs bosnian, kk kazakh, sq albanian, sw swahili, gl galician, mr marathi, "
    "pa punjabi, si sinhala, km khmer, sn shona, yo yoruba, so somali, af afrikaans, oc occitan, ka georgian, be "
    "belarusian, tg tajik, sd sindhi, gu gujarati, am amharic, yi yiddish, lo lao, uz uzbek, fo faroese, ht "
    "haitian creole, ps pashto, tk turkmen, nn nynorsk, mt maltese, sa sanskrit, lb luxembourgish, my myanmar, bo "
    "tibetan, tl tagalog, mg malagasy, as assamese, tt tatar, haw hawaiian, ln lingala, ha hausa, ba bashkir, jw "
    "javanese, su sundanese, yue cantonese"
)
LANGUAGES: dict[str, str] = dict(pair.split(" ", 1) for pair in _TABLE.split(", "))
"""Whisper's codes with its English names, in the order of `whisper.tokenizer.LANGUAGES`, which needs torch."""
ALIASES = {
    "burmese": "my",
    "valencian": "ca",
    "flemish": "nl",
    "haitian": "ht",
    "letzeburgesch": "lb",
    "pushto": "ps",
    "panjabi": "pa",
    "moldavian": "ro",
    "moldovan": "ro",
    "sinhalese": "si",
    "castilian": "es",
    "mandarin": "zh",
}
"""Further names of `whisper.tokenizer.TO_LANGUAGE_CODE`."""
OWN_NAMES = {
    "deutsch": "de", "français": "fr", "español": "es", "italiano": "it", "português": "pt", "nederlands": "nl",
    "हिन्दी": "hi", "हिंदी": "hi", "العربية": "ar", "русский": "ru", "中文": "zh", "日本語": "ja", "한국어": "ko",
}  # fmt: skip
"""The names of the languages that Voxtral knows, in these languages."""
_NAMES = {name: code for code, name in LANGUAGES.items()} | ALIASES | OWN_NAMES
_NAMES |= {"farsi": "fa", "filipino": "tl", "slovene": "sl", "bangla": "bn", "azeri": "az", "bokmål": "no"}
_WHISPERS_OWN = {"jv": "jw", "fil": "tl", "gsw": "de"}
"""Whisper's code where the standard has another, and German for Swiss German, which Whisper writes as German."""
_DETECTED = frozenset(["auto", "automatic", "autodetect", "detect", "any", "multi", "multilingual", "unknown"])
_DETECTED |= {"none", "null", "undefined", "und", "mul"}
_MOST_SHOWN = 40


def whisper_code(given: str) -> str | None:
    """Return Whisper's code for a language in any usual spelling, such as `EN`, `eng`, `pt_BR` or `Castilian`.

    None if the language is to be detected, as for `auto` and `und`. A language that Whisper does not know is heard as
    the macrolanguage that it belongs to in ISO 639-3 (`nb` as `no`, `arz` as `ar`), if Whisper knows that.

    Raises:
        PydanticCustomError: Whisper does not know the language; a ValueError with a sentence for the user.
    """
    spelt = normalize("NFC", given).strip(" \t\r\n\"'<|>").lower()
    words = re.findall(r"[^\W\d_]+", spelt)
    if not spelt or "".join(words) in _DETECTED:
        return None
    code = spelt if spelt in LANGUAGES else _NAMES.get(" ".join(words)) or _of_tag(spelt) or _of_words(words)
    if code is None:
        raise PydanticCustomError(
            "language",
            "{given} is not a language that Whisper knows; leave it out to have it detected, or give one of {codes}",
            {"given": repr(given[:_MOST_SHOWN]), "codes": ", ".join(sorted(LANGUAGES))},
        )
    return code


def _of_tag(spelt: str) -> str | None:
    """Return the code for a tag or a locale, `de-CH-1996`, `en_US.UTF-8`; None if it is no tag or not known."""
    import langcodes  # its tables take a tenth of a second, and most commands name no language
    from langcodes.data_dicts import MACROLANGUAGES

    try:
        standard = langcodes.Language.get(re.split(r"[.@]", spelt)[0]).language or ""
    except ValueError:
        return None
    parent = MACROLANGUAGES.get(standard, "")
    found = (it for it in (standard, _WHISPERS_OWN.get(standard, ""), parent) if it in LANGUAGES)
    return next(found, None)


def _of_words(words: list[str]) -> str | None:
    """Return the code for the last name among words, as in `Brazilian Portuguese` and `Chinese (Simplified)`."""
    return next((_NAMES[word] for word in reversed(words) if word in _NAMES), None) if len(words) > 1 else None
