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
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
NAMES = {"whisper": "Transcript", "voxtral": "Analysis", "speakers": "Speakers"}
OUTLINE = "Outline (quoted from the transcript)"
CHAPTERS = {
    "voxtral": "start where the subject of the transcript changes; titles by Voxtral",
    "outline": "start where the subject of the transcript changes; titles are its keywords",
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
        blocks = [f"# {_text(result.title)}", *_origin(result)]
        if found and found.source == "outline":
            blocks += _outline_blocks(found, result.legs.get("voxtral"))
        elif found:
            blocks += _summary_blocks(found)
        blocks += _section("Who speaks", _talk(result.transcript) if result.transcript else [])
        if found:
            blocks += _detail_blocks(found, result.transcript)
        blocks += _section("How this was made", _provenance(result))
        return "\n\n".join(blocks) + "\n"


def _origin(result: EpisodeResult) -> Iterator[str]:
    """Yield the show and the day of publication, as far as they are known."""
    published = result.episode.publication
    day = _DAY.match((published.published_at or "") if published else "")
    if known := [*([_text(result.show)] if result.show else []), *([day[0]] if day else [])]:
        yield f"*{' · '.join(known)}*"


def _outline_blocks(found: Analysis, voxtral: LegOutcome | None) -> Iterator[str]:
    # The long reason of a leg that falls short is below, among what is missing.
    reason = (voxtral.short or (voxtral.reason if voxtral.unavailable else "")) if voxtral else ""
    why = f"There is no analysis by Voxtral: {_text(reason)}" if reason else "There is no analysis by Voxtral"
    yield f"## {OUTLINE}"
    yield f"*{why.rstrip('.')}.*"
    yield from _summary_blocks(found)


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
    is_outline = bool(result.analysis and result.analysis.source == "outline")
    for name, leg in result.legs.items():
        if name == "voxtral" and is_outline and leg.unavailable:
            continue  # the outline says so
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
    yield "Automatic transcript; it may contain mistakes. Check names and figures before you quote them."


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
