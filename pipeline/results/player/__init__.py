"""`player.html`: audio player with a searchable, synchronized transcript, in one file that needs no network.

The page is rendered from the result alone and refers to the audio by a relative path. To share a single file, embed
the audio (`duet export --format player --audio`).
"""

import html
from base64 import b64encode
from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import groupby
from mimetypes import guess_type
from pathlib import Path
from string import Template

from pipeline.results.paragraphs import paragraphs
from pipeline.results.player.cast import Cast
from pipeline.types import Analysis, EpisodeResult, MergedSegment, MergedTranscript, MergedWord
from pipeline.types.time_format import hms

UNSURE_WORD = 0.3
"""Probability below which a word is underlined."""
DISAGREEMENT = 0.5
"""Agreement of the two models below which a word is underlined."""


class Player:
    """The page, without embedded audio."""

    file = "player.html"

    def fits(self, result: EpisodeResult) -> bool:
        """Return whether the result has a transcript or an analysis."""
        return result.transcript is not None or result.analysis is not None

    def render(self, result: EpisodeResult) -> str:
        """Return HTML that refers to the audio."""
        return page(result, result.audio or "")


def with_audio(result: EpisodeResult, audio: Path) -> str:
    """Return HTML with embedded audio, a third larger than the audio file.

    Raises:
        OSError: the audio cannot be read.
    """
    kind = guess_type(audio.name)[0] or "audio/mpeg"
    return page(result, f"data:{kind};base64,{b64encode(audio.read_bytes()).decode('ascii')}")


def page(result: EpisodeResult, source: str) -> str:
    """Return the page with the audio at a URL; with an empty URL the page asks for the audio file."""
    title = (result.analysis.title if result.analysis else "") or result.episode.slug.replace("-", " ").capitalize()
    cast = Cast(result.transcript) if result.transcript else None
    parts = {
        "language": html.escape(result.language or "und"),
        "title": html.escape(title),
        "length": hms(result.audio_s) if result.audio_s else "",
        "source": html.escape(source),
        "name": html.escape(result.episode.source.rpartition("/")[2]),
        "style": _file("player.css") + _file("speakers.css"),
        "script": _file("player.js") + _file("speakers.js"),
        "analysis": "\n".join(_analysis(result.analysis)) if result.analysis else "",
        "speakers": cast.controls() if cast else "",
        "talk_times": cast.talk_times() if cast else "",
        "transcript": "\n".join(_transcript(result.transcript, cast)) if result.transcript and cast else "",
        "notes": "\n".join(f"<li>{html.escape(sentence)}</li>" for sentence in result.missing),
    }
    return Template(_file("player.html")).substitute(parts)


def _file(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def _analysis(found: Analysis) -> Iterator[str]:
    if found.summary:
        yield f'<section id="summary"><h2>Summary</h2><p>{html.escape(found.summary)}</p></section>'
    chapters = "".join(
        f"<li>{_jump(it.start_s, hms(it.start_s))} <b>{html.escape(it.title)}</b> {html.escape(it.gist)}</li>"
        for it in found.chapters
    )
    if chapters:
        yield f'<section><h2>Chapters</h2><ol id="chapters">{chapters}</ol></section>'
    points = "".join(f"<li>{_placed(it.text, it.start_s)}</li>" for it in found.key_points)
    if points:
        yield f"<section><h2>Key points</h2><ul>{points}</ul></section>"
    quotes = "".join(
        f"<blockquote>{_placed(it.text, it.start_s)}"
        + (f" <cite>{html.escape(it.speaker)}</cite>" if it.speaker else "")
        + "</blockquote>"
        for it in found.quotes
    )
    if quotes:
        yield f"<section><h2>Quotes</h2>{quotes}</section>"
    answers = "".join(
        f"<dt>{html.escape(it.question)}</dt><dd>{_placed(it.answer or 'The episode does not say.', it.start_s)}</dd>"
        for it in found.answers
    )
    if answers:
        yield f"<section><h2>Answers</h2><dl>{answers}</dl></section>"


def _transcript(transcript: MergedTranscript, cast: Cast) -> Iterator[str]:
    for speaker, turn in groupby(paragraphs(transcript), key=lambda paragraph: paragraph[0].speaker):
        yield cast.turn(speaker, "\n".join(map(_paragraph, turn)))


def _paragraph(segments: Sequence[MergedSegment]) -> str:
    words = "".join(_segment(segment) for segment in segments)
    start_s = segments[0].start_s
    return f"<p>{_jump(start_s, hms(start_s))} {words}</p>"


def _segment(segment: MergedSegment) -> str:
    """Return the HTML of a segment's words; uncertain words have both models' texts as their title."""
    words = segment.words or (
        MergedWord(word=segment.text, start_s=segment.start_s, end_s=segment.end_s, probability=1.0),
    )
    return "".join(_word(word, segment) for word in words)


def _word(word: MergedWord, segment: MergedSegment) -> str:
    text = html.escape(word.word.strip())
    blank = " " if word.word[:1].isspace() else ""
    doubt = f' class="doubt" title="{html.escape(_readings(segment))}"' if _is_doubtful(word, segment) else ""
    return f'{blank}<span data-t="{word.start_s:.2f}"{doubt}>{text}</span>'


def _is_doubtful(word: MergedWord, segment: MergedSegment) -> bool:
    """Return whether Voxtral's word differs; without an agreement, whether Whisper's probability is low."""
    if word.agreement is not None:
        return word.agreement < DISAGREEMENT
    return word.probability < UNSURE_WORD and segment.source == "whisper"


def _readings(segment: MergedSegment) -> str:
    if segment.second_reading is None:
        return "Whisper was not sure of this word."
    return f"Whisper: {segment.text.strip()}\nVoxtral: {segment.second_reading or '(nothing)'}"


def _jump(start_s: float, text: str) -> str:
    return f'<button type="button" class="at" data-at="{start_s:.2f}">{html.escape(text)}</button>'


def _placed(text: str, start_s: float | None) -> str:
    return html.escape(text) if start_s is None else f"{_jump(start_s, hms(start_s))} {html.escape(text)}"
