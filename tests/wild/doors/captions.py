"""Words as models give them in the world's scripts, and what captions make of them."""

import html
import io
import unicodedata
from pathlib import Path

import srt
import webvtt

from pipeline.results.formats import FORMATS
from pipeline.types import MergedSegment, MergedTranscript, MergedWord
from tests.results import result
from tests.wild.case import Case

WORD_S = 0.4
THAI = ["สวัส", "ดี", "ครับ", "ทุก", "คน", "ที่", "ฟัง", "ราย", "การ", "ของ", "เรา", "ใน", "วัน", "น", "ี้"] * 3
FLAGS = ["🇫🇷", "👩\u200d👩\u200d👧", "🏳️\u200d🌈", "e\u0301"] * 20
CASES = (
    Case("captions", "Thai, whose words are torn before a mark", THAI, "no mark is torn"),
    Case("captions", "emoji of several characters", FLAGS, "no mark is torn"),
    Case("captions", "Burmese", ["မင်္ဂလာပါ", "ခင်ဗျား"] * 20, "no mark is torn"),
    Case("captions", "an arrow", [" a", " -->", " b."], "1 caption"),
    Case("captions", "markup", [" <i>", " &amp;", " </i>", " &lt;"], "read as '<i> &amp; </i> &lt;'"),
    Case("captions", "blank lines", [" one", " \n\n2\n\n", " two."], "1 caption"),
    Case("captions", "numbers alone", [" 1", " 2", " 3."], "read as '1 2 3.'"),
    Case("captions", "words of one and the same time", (" All", " at", " once."), "lasts 1 s or more"),
)


def answers(cases: tuple[Case, ...], folder: Path) -> dict[Case, str]:
    """Write each text as SRT and WebVTT, and read both as a player does."""
    return {case: _answer(case.input) for case in cases}


def _answer(words: list[str] | tuple[str, ...]) -> str:
    step_s = WORD_S if isinstance(words, list) else 0.0
    found = result(_transcript(words, step_s))
    subrip = list(srt.parse(FORMATS["srt"].render(found)))
    web = webvtt.from_buffer(io.StringIO(FORMATS["vtt"].render(found)))
    lines = [line for it in subrip for line in it.content.splitlines()]
    shortest_s = min((it.end - it.start).total_seconds() for it in subrip)
    torn = [line for line in lines if _is_mark(line[0]) or line[0] == "\u200d" or line[-1] == "\u200d"]
    said = [
        f"{len(subrip)} caption{'s' * (len(subrip) != 1)}" if len(subrip) == len(web) else "SRT and WebVTT differ",
        f"{torn!r} begins with a mark" if torn else "no mark is torn",
        "lasts 1 s or more" if shortest_s >= 1 else f"lasts {shortest_s:g} s",
        f"read as {html.unescape(' '.join(it.text for it in web))!r}",
    ]
    return ", ".join(said)


def _is_mark(letter: str) -> bool:
    return unicodedata.category(letter).startswith("M")


def _transcript(words: list[str] | tuple[str, ...], step_s: float) -> MergedTranscript:
    own = tuple(
        MergedWord(word=it, start_s=n * step_s, end_s=(n + 1) * step_s, probability=0.9) for n, it in enumerate(words)
    )
    text = "".join(words)
    segment = MergedSegment(id=0, start_s=0.0, end_s=own[-1].end_s, text=text, words=own)
    return MergedTranscript(text=text, language="en", segments=(segment,), audio_s=60.0, model="base")
