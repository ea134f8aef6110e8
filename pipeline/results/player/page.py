"""The page as a whole."""

import html
from collections.abc import Iterator
from datetime import datetime
from importlib.resources import files
from string import Template

from pipeline.results.player.about import about
from pipeline.results.player.cast import Cast
from pipeline.results.player.panels import Panel, panels
from pipeline.results.player.served import Served
from pipeline.results.player.spoken import spoken
from pipeline.results.player.timeline import timeline
from pipeline.types import EpisodeResult
from pipeline.types.time_format import hms

SCRIPTS = (
    *("base", "words", "clock", "follow", "timeline", "transport", "chapters", "readings", "speakers", "search"),
    *("found", "selection", "tabs", "memory", "keys"),
)
EDITING = ("corrections", "editor", "names")
"""Scripts that change the result, for a page with a server behind it."""
STYLES = ("colours", "page", "transcript", "panels", "dock", "speakers", "phone", "print")
NAMES = {"txt": "Text", "srt": "SRT", "vtt": "WebVTT", "json": "JSON"}


def page(result: EpisodeResult, source: str, served: Served | None = None) -> str:
    """Return the page with the audio at a URL; with an empty URL the page asks for the audio file.

    Args:
        result: the episode.
        source: URL of the audio.
        served: addresses on the server that the page comes from; None: it is a file.
    """
    cast = Cast(result.transcript) if result.transcript else None
    beside = [*panels(result, cast), about(result)]
    own = f' data-api="{html.escape(served.api)}"' if served else ""
    parts = {
        "language": html.escape(result.language or "und"),
        "title": html.escape(result.title),
        "facts": " · ".join(map(html.escape, _facts(result))),
        "body": f'data-key="{html.escape(result.job)}" data-show="{html.escape(result.show)}"{own}',
        "links": _links(result, served) if served else "",
        "edit": _asset("edit.html") if served else "",
        "editor": _asset("editor.html") if served else "",
        "source": html.escape(source),
        "name": html.escape(result.episode.file_name),
        "style": "".join(_asset(f"{name}.css") for name in STYLES),
        "script": "".join(_asset(f"{name}.js") for name in _scripts(served)),
        "tabs": _tabs(beside),
        "panels": "\n".join(map(_panel, beside)),
        "timeline": timeline(result, cast),
        "transcript": "\n".join(spoken(result.transcript, cast)) if result.transcript and cast else "",
    }
    return Template(_asset("player.html")).substitute(parts)


def _scripts(served: Served | None) -> tuple[str, ...]:
    return (*SCRIPTS, *(EDITING if served else ()), "start")


def _asset(name: str) -> str:
    return files(__package__).joinpath("page", name).read_text(encoding="utf-8")


def _facts(result: EpisodeResult) -> Iterator[str]:
    """Yield the show, the number, the date and the length, as far as they are known."""
    if result.show:
        yield result.show
    if found := result.episode.publication:
        numbers = {"season": found.season, "episode": found.number}
        named = ", ".join(f"{name} {number}" for name, number in numbers.items() if number is not None)
        yield from filter(None, [named.capitalize(), _date(found.published_at)])
    if result.audio_s:
        yield hms(result.audio_s)


def _date(time: str | None) -> str:
    try:
        day = datetime.fromisoformat(time or "")
    except ValueError:
        return ""
    return f"{day.day} {day:%B %Y}"


def _links(result: EpisodeResult, served: Served) -> str:
    """Return the HTML of the way back and of the files to download."""
    slug = html.escape(result.episode.slug)
    files = "".join(
        f'<a href="{html.escape(url)}" download="{slug}.{html.escape(form)}">{NAMES.get(form, form)}</a>'
        for form, url in served.files.items()
    )
    saved = f'<span class="files">Download {files}</span>' if files else ""
    return (
        f'<nav aria-label="Episode"><a id="home" href="{html.escape(served.home)}">← All episodes</a>'
        f'{saved}<span id="editing">{_asset("correct.html")}</span></nav>'
    )


def _tabs(beside: list[Panel]) -> str:
    """Return the HTML of the tabs, which a narrow screen shows; that of places found is empty at first."""
    found = [("transcript", "Transcript", ""), ("found", "Found", " hidden")]
    named = [*found, *((it.id, it.tab, "") for it in beside)]
    return "".join(
        f'<button type="button" id="tab-{id_}" data-panel="{id_}"{hidden}>{name}</button>'
        for id_, name, hidden in named
    )


def _panel(panel: Panel) -> str:
    return f'<section id="{panel.id}" class="panel">{panel.body}</section>'
