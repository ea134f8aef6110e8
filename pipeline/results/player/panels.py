"""The panels beside the transcript: summary, chapters, quotes, answers and people."""

import html
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.results.player.cast import Cast
from pipeline.results.player.said import Said
from pipeline.results.speakers import name_at
from pipeline.types import Analysis, EpisodeResult, LegOutcome
from pipeline.types.time_format import hms


@dataclass(frozen=True)
class Panel:
    """A part of the page that a narrow screen shows as a tab."""

    id: str
    tab: str
    """The name of its tab."""
    body: str
    """HTML."""


def panels(result: EpisodeResult, cast: Cast | None) -> Iterator[Panel]:
    """Yield the panels that have content; a sentence that one of them has is not repeated in the next."""
    found, said = result.analysis, Said()
    bodies = [
        ("summary", "Summary", list(_summary(found, result, said)) if found else []),
        ("chapters", "Chapters", list(_chapters(found, said)) if found else []),
        ("quotes", "Quotes", list(_quotes(found, result, said)) if found else []),
        ("answers", "Answers", list(_answers(found)) if found else []),
        ("people", "People", list(_people(found, cast))),
    ]
    for id_, tab, body in bodies:
        if body:
            yield Panel(id_, tab, "\n".join(body))


def _summary(found: Analysis, result: EpisodeResult, said: Said) -> Iterator[str]:
    if found.summary:
        said.note(found.summary)
        yield f"<h2>{_heading(found, result)}</h2><p>{html.escape(found.summary)}</p>"
    if found.translation:
        yield f"<h3>Translated</h3><p>{html.escape(found.translation)}</p>"
    yield from _listed("Key points", (_placed(it.text, it.start_s) for it in found.key_points if said.is_new(it.text)))
    yield from _listed(
        "To do",
        (
            _placed(f"{it.text} ({it.owner})" if it.owner else it.text, it.start_s)
            for it in found.action_items
            if said.is_new(it.text)
        ),
    )
    if found.topics:
        topics = " ".join(f"<span>{html.escape(it)}</span>" for it in found.topics)
        yield f'<h3>Topics</h3><p class="topics">{topics}</p>'
    if found.reply:
        yield f"<h3>A listener's reply</h3><p>{html.escape(found.reply)}</p>"


def _heading(found: Analysis, result: EpisodeResult) -> str:
    """Return the summary's title, which says of an outline that it is quoted, and why."""
    if found.source != "outline":
        return "Summary"
    leg = result.legs.get("voxtral")
    return html.escape(f"Outline (quoted from the transcript{_why_outline(leg) if leg else ''})")


def _why_outline(leg: LegOutcome) -> str:
    verb = "failed" if leg.status == "failed" else "did not run"
    return f"; Voxtral {verb}" + (f": {leg.short}" if leg.short else "")


def _chapters(found: Analysis, said: Said) -> Iterator[str]:
    rows = "".join(
        f'<li><button type="button" class="at" data-at="{it.start_s:.2f}"><span class="time">{hms(it.start_s)}</span>'
        f" <b>{html.escape(it.title or 'Untitled')}</b></button>"
        + (f"<p>{html.escape(it.gist)}</p>" if it.gist and said.is_new(it.gist) else "")
        + "</li>"
        for it in found.chapters
    )
    if rows:
        yield f"<h2>Chapters</h2><ol>{rows}</ol>"


def _quotes(found: Analysis, result: EpisodeResult, said: Said) -> Iterator[str]:
    quotes = "".join(
        f"<blockquote>{_placed(it.text, it.start_s)}"
        + (f" <cite>{html.escape(name)}</cite>" if (name := name_at(it, result.transcript)) else "")
        + "</blockquote>"
        for it in found.quotes
        if said.is_new(it.text)
    )
    if quotes:
        yield f"<h2>Quotes</h2>{quotes}"


def _answers(found: Analysis) -> Iterator[str]:
    answers = "".join(
        f"<dt>{html.escape(it.question)}</dt><dd>{_placed(it.answer or 'The episode does not say.', it.start_s)}</dd>"
        for it in found.answers
    )
    if answers:
        yield f"<h2>Answers</h2><dl>{answers}</dl>"


def _people(found: Analysis | None, cast: Cast | None) -> Iterator[str]:
    if cast and (times := cast.talk_times()):
        yield times
    if found:
        named = (html.escape(f"{it.name}: {it.role}" if it.role else it.name) for it in found.people_and_organisations)
        yield from _listed("Mentioned", named)


def _listed(title: str, rows: Iterable[str]) -> Iterator[str]:
    body = "".join(f"<li>{row}</li>" for row in rows)
    if body:
        yield f"<h3>{title}</h3><ul>{body}</ul>"


def jump(start_s: float) -> str:
    """Return the HTML of a button that plays from a time."""
    return f'<button type="button" class="at" data-at="{start_s:.2f}">{hms(start_s)}</button>'


def _placed(text: str, start_s: float | None) -> str:
    return html.escape(text) if start_s is None else f"{jump(start_s)} {html.escape(text)}"
