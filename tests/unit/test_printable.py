"""Text from outside is shown on a terminal and in notes, and never obeyed."""

import io
import json
import logging
import re

import pytest
from hypothesis import given, settings, strategies
from markdown_it import MarkdownIt
from rich.table import Table
from rich.text import Text

from pipeline import logs
from pipeline.cli import display
from pipeline.cli.printable import SafeConsole
from pipeline.client.batch_progress import BatchTotals
from pipeline.client.episode_row import EpisodeRow, left_out_json
from pipeline.results.formats.show_notes import _text
from pipeline.sources import Rejected, Skipped
from pipeline.types.text import REPLACEMENT, safe, well_formed

EVERYTHING = strategies.text(strategies.characters(exclude_categories=[]), max_size=60)
CLIPBOARD, CLEAR, BELL = "\x1b]52;c;cm0gLXJm\x07", "\x1b[2J", "\x07"
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printed(what: object) -> str:
    console = SafeConsole()
    console.file = io.StringIO()
    console.width = 400
    console.print(what, soft_wrap=True)
    return console.file.getvalue()


def table_of(*cells: object) -> Table:
    table = Table(box=None)
    table.add_column("name", no_wrap=True)
    for cell in cells:
        table.add_row(cell)  # type: ignore[arg-type]
    return table


@pytest.mark.parametrize("name", ["Show [live] ep.mp3", "[link=https://bad.example]a[/link]", "[/]", ":smile: [red]x"])
def test_a_name_that_looks_like_markup_is_shown_as_it_is(name: str) -> None:
    assert printed(name) == f"{name}\n"
    assert name in printed(table_of(name, Text(name)))
    assert name in printed(display.final([EpisodeRow.of_rejected(Rejected(name, name))]))


@pytest.mark.parametrize(
    "name", [f"a{CLIPBOARD}b", f"a{CLEAR}b", f"a{BELL}b", "a\x9b2Jb", "a\u202eb", "a\rb", "a\udce9b"]
)
def test_a_name_that_a_terminal_would_obey_is_shown_with_replacements(name: str) -> None:
    for shown in (
        name,
        Text(name),
        table_of(name, Text(name)),
        display.line(EpisodeRow.of_rejected(Rejected(name, name))),
    ):
        assert not OBEYED.search(printed(shown))
        assert "a" in printed(shown)


def test_a_table_with_replacements_stays_straight() -> None:
    table = Table(box=None)
    table.add_row("a\x1bb", "|")
    table.add_row("abc", "|")

    first, second = printed(table).splitlines()[-2:]

    assert first.index("|") == second.index("|")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(EVERYTHING)
def test_no_text_is_obeyed(text: str) -> None:
    assert not OBEYED.search(printed(table_of(text, Text(text))))
    assert not OBEYED.search(safe(text))
    assert safe(text).encode().decode() == safe(text)
    assert well_formed(text).encode().decode() == well_formed(text)


def test_a_log_for_people_is_safe_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DUET_LOG_FORMAT", "text")
    logs.settings.cache_clear()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logs.set_up()
        logging.getLogger("duet.test").warning("Took %s", f"a{CLIPBOARD}b.mp3")
    finally:
        root.handlers[:], root.level = handlers, level
        logs.settings.cache_clear()

    said = capsys.readouterr().err
    assert f"a{REPLACEMENT}]52;" in said
    assert not OBEYED.search(said)


def test_what_is_left_out_is_counted_by_its_reason() -> None:
    sums = BatchTotals()
    for number in range(5):
        sums.leave_out(Skipped(f"show/{number}.txt", "it is not audio"))
    sums.leave_out(Skipped("show/.hidden", "it is hidden"))

    shown = printed(display.left_out(sums))

    assert "6 files left out" in shown
    assert "0.txt, 1.txt, 2.txt and 2 more: it is not audio" in shown
    assert ".hidden: it is hidden" in shown
    assert printed(display.left_out(BatchTotals())).strip() == ""


def test_what_is_left_out_is_a_line_of_json_like_an_episodes() -> None:
    line = left_out_json(Skipped("a.txt", "it is not audio"))

    assert list(line) == list(EpisodeRow("a.mp3").to_json())
    assert (line["status"], line["source"], line["reason"]) == ("skipped", "a.txt", "it is not audio")
    assert json.dumps(line)


@pytest.mark.parametrize(
    "said",
    ["---", "===", "***", "# one", "#", "- one", "+ one", "1. one", "2) two", "~~gone~~", "&lt;b&gt;", "1", "a\\"],
)
def test_notes_say_what_was_said(said: str) -> None:
    _is_said(said)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(strategies.text("-=+#*_~&<>[]()!|`\\ 12.)alt;\n", max_size=30) | strategies.text(max_size=30))
def test_notes_say_whatever_was_said(said: str) -> None:
    _is_said(said)


def _is_said(said: str) -> None:
    text = _text(said)
    markdown = MarkdownIt("commonmark").enable(["strikethrough", "table"])
    tokens = markdown.parse(f"{text}\n")
    plain = safe(" ".join(said.split()))
    if not plain:
        assert not tokens
        return
    assert [it.type for it in tokens] == ["paragraph_open", "inline", "paragraph_close"], text
    children = tokens[1].children or []
    assert {it.type for it in children} <= {"text", "text_special"}, text
    assert "".join(it.content for it in children) == plain
