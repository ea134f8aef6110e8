"""Show notes in Markdown."""

import re
from collections.abc import Iterable, Iterator

from pipeline.results.speakers import name_at
from pipeline.types import Analysis, EpisodeResult, LegOutcome, MergedTranscript
from pipeline.types.text import safe
from pipeline.types.time_format import hms

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&])")
_LINE_START = re.compile(r"^(\d*)([#+=.)-])")
"""Start of a heading, a list item or a rule; in a numbered list item the mark after the number is escaped."""
NAMES = {"whisper": "Transcript", "voxtral": "Analysis", "speakers": "Speakers"}
CHAPTERS = {
    "voxtral": "cut where the subject of the transcript changes, titled by Voxtral",
    "outline": "cut where the subject of the transcript changes, titled with its words",
    "publisher": "the publisher's own",
}


class Notes:
    """Title, summary, speakers, chapters, key points, quotes, actions, people and organisations, and provenance."""

    file = "notes.md"

    def fits(self, result: EpisodeResult) -> bool:
        """Return whether the result has a transcript or an analysis."""
        return result.transcript is not None or result.analysis is not None

    def render(self, result: EpisodeResult) -> str:
        """Return Markdown (https://commonmark.org) with all text of the episode escaped."""
        found = result.analysis
        title = (found.title if found else "") or result.episode.slug.replace("-", " ").capitalize()
        blocks = [f"# {_text(title)}"]
        if found:
            blocks += _summary_blocks(found)
        blocks += _section("Who speaks", _talk(result.transcript) if result.transcript else [])
        if found:
            blocks += _detail_blocks(found, result.transcript)
        blocks += _section("How this was made", _provenance(result))
        return "\n\n".join(blocks) + "\n"


def _summary_blocks(found: Analysis) -> Iterator[str]:
    yield from [_text(text) for text in (found.summary_sentence, found.summary) if text]
    if found.translation:
        yield from _section("The summary, translated", [_text(found.translation)], marked=False)


def _talk(transcript: MergedTranscript) -> Iterator[str]:
    """Yield the time and share of each speaker of a dialogue, in the order of their first words."""
    labels = transcript.labels
    total_s = sum(speaker.talk_s for speaker in transcript.speakers)
    for speaker in transcript.speakers if labels and total_s else ():
        yield f"{_text(labels[speaker.id])}: {hms(speaker.talk_s)} ({100 * speaker.talk_s / total_s:.0f} %)"


def _detail_blocks(found: Analysis, transcript: MergedTranscript | None) -> Iterator[str]:
    yield from _section("Chapters", (f"{_at(it.start_s)}{_titled(it.title, it.gist)}" for it in found.chapters))
    yield from _section("Key points", (f"{_at(it.start_s)}{_text(it.text)}" for it in found.key_points))
    quotes = (
        f"> {_at(it.start_s)}{_text(it.text)}" + (f"  \n> — {_text(name)}" if name else "")
        for it, name in ((it, name_at(it, transcript)) for it in found.quotes)
    )
    yield from _section("Quotes", ["\n\n".join(quotes)] if found.quotes else [], marked=False)
    actions = (
        f"{_at(it.start_s)}{_text(it.text)}" + (f" ({_text(it.owner)})" if it.owner else "")
        for it in found.action_items
    )
    yield from _section("Actions", actions)
    named = (f"{_text(it.name)}" + (f": {_text(it.role)}" if it.role else "") for it in found.people_and_organisations)
    yield from _section("Named", named)
    yield from _section("Topics", map(_text, found.topics))
    for answer in found.answers:
        said = _text(answer.answer) if answer.answer else "The episode does not say."
        yield from _section(_text(answer.question), [f"{_at(answer.start_s)}{said}"], marked=False)
    if found.reply:
        yield from _section("A listener's reply", [_text(found.reply)], marked=False)


def _provenance(result: EpisodeResult) -> Iterator[str]:
    yield f"Source: {_text(result.episode.source)}" + (f", {hms(result.audio_s)} long" if result.audio_s else "")
    if result.analysis and result.analysis.source == "outline":
        yield "No model understood this episode: the outline above is quoted from the transcript."
    for name, leg in result.legs.items():
        if name != "speakers" or leg.status == "ok" or leg.falls_short(result.options):
            yield f"{NAMES[name]}: {_leg(leg)}"
    if result.analysis and result.analysis.chapters_source:
        yield f"Chapters: {CHAPTERS[result.analysis.chapters_source]}"
    if result.transcript:
        if result.transcript.tracks > 1:
            yield f"Heard: audio track {result.transcript.track} of {result.transcript.tracks}"
        dropped = sum(bool(segment.dropped) for segment in result.transcript.segments)
        doubtful = sum(bool(segment.doubts) for segment in result.transcript.spoken)
        if dropped or doubtful:
            yield f"Of {len(result.transcript.segments)} segments: doubtful {doubtful}, left out {dropped}"
    if result.figures.estimated_cost is not None:
        yield f"Estimated cost of the device: {result.figures.estimated_cost:.4f}"
    for sentence in result.missing:
        yield f"Missing: {_text(sentence)}"
    yield "Made by machines, which mishear. Check names and figures before you quote them."


def _leg(leg: LegOutcome) -> str:
    if leg.status != "ok":
        return leg.status
    where = f" on {_text(leg.device)}" if leg.device else ""
    return f"{_text(leg.model)}{where}, {leg.work_s:.1f} s of work"


def _section(title: str, lines: Iterable[str], *, marked: bool = True) -> Iterator[str]:
    """Yield a heading and its lines, by default as a list; yield nothing without lines."""
    body = "\n".join(f"- {line}" if marked else line for line in lines)
    if body:
        yield f"## {title}"
        yield body


def _titled(title: str, gist: str) -> str:
    return " ".join([f"**{_text(title)}**"] * bool(title) + [_text(gist)] * bool(gist))


def _at(seconds: float | None) -> str:
    return "" if seconds is None else f"{hms(seconds)} "


def _text(text: str) -> str:
    """Return a text on one line with Markdown's special characters escaped."""
    escaped = _SPECIAL.sub(r"\\\1", safe(" ".join(text.split())))
    return _LINE_START.sub(r"\1\\\2", escaped)
