"""`duet correct`: corrections of a finished episode, and replacement rules of a show."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from pipeline.cli import broker_session
from pipeline.cli.completion import episodes
from pipeline.cli.name import place_of
from pipeline.cli.terminal import console, exit_usage
from pipeline.client.library import PLACE

if TYPE_CHECKING:
    from pipeline.types.corrections import Correction, Rule

ALL_SHOWS = "*"


def correct(
    given: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[EPISODE] [FILE]",
            help="An episode as for `duet show`, and a JSON list of changes or an edited transcript.txt, .srt or .vtt; "
            "with --show, rules as `'Hub Spot=HubSpot'`.",
            autocompletion=episodes,
        ),
    ] = None,
    place: Annotated[str, typer.Option("--in", metavar="PLACE", help="A folder or s3://bucket/prefix.")] = PLACE,
    undo: Annotated[str | None, typer.Option(metavar="ID", help="Undo this correction of the episode.")] = None,
    show: Annotated[
        str | None, typer.Option(metavar="SHOW", help="Add rules for this show, or list them; `*`: for all shows.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Remove the show's rule for this text; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Correct an episode that has ended, in its result and all of its files; needs no model.

    Without a file, list its corrections. They stay when the episode is processed again. Rules for a show change its
    new episodes, and the models are told their spellings.
    """
    given = given or []
    if show is not None:
        if undo:
            exit_usage("--undo is for an episode and --show for rules; give one of them.")
        _print_rules(_rules(show, given, remove or [], place), as_json=as_json)
        return
    if remove:
        exit_usage("--remove needs the show whose rule it is; add --show SHOW.")
    if not 1 <= len(given) <= 2 - bool(undo):
        exit_usage("Give an episode, and the file with its changes; with --undo, the episode alone.")
    _print(_corrections(given, place, undo), as_json=as_json)


def _corrections(given: Sequence[str], place: str, undone: str | None) -> "list[Correction]":
    """Undo a correction, make those of a file, or read all, and return them as they are then."""
    file = Path(given[1]).expanduser() if len(given) > 1 else None
    if file and not file.is_file():
        exit_usage(f"No such file: {file}.")
    with broker_session.broker():
        from pipeline.client import correcting
        from pipeline.client.edited_copy import changes_in
        from pipeline.client.published_results import read_published
        from pipeline.state.job_store import JobStore
        from pipeline.storage import open_storage

        job_store = JobStore()
        uri, spec = place_of(given[0], place, job_store)
        storage = open_storage(uri)
        if undone:
            return correcting.undo(uri, undone, job_store, spec)
        if file is None:
            return correcting.corrections_of(storage, spec)
        changes = changes_in(file.name, file.read_bytes(), read_published(storage, spec))
        if not changes:
            exit_usage(f"{file} says just what the episode says; nothing is changed.")
        return correcting.correct(uri, changes, job_store, spec, _login())


def _rules(show: str, given: Sequence[str], removed: Sequence[str], place: str) -> "list[Rule]":
    """Add and remove rules of a show, and return those that it has then."""
    from pipeline.results.corrections.files import read_rules, root_of
    from pipeline.storage import as_uri

    uri, own = root_of(f"{as_uri(place)}/any"), "" if show == ALL_SHOWS else show
    new = [_rule(text, own) for text in given]
    if not new and not removed:
        found = read_rules(uri)
        return [it for it in found if show == ALL_SHOWS or it.is_for(show)]
    with broker_session.broker():
        from pipeline.client.replacements import add_rules, remove_rules
        from pipeline.state.job_store import JobStore

        job_store = JobStore()
        if removed:
            remove_rules(uri, own, removed, job_store)
        if new:
            add_rules(uri, new, job_store)
    return _rules(show, [], [], place)


def _rule(text: str, show: str) -> "Rule":
    from pydantic import ValidationError

    from pipeline.types.corrections import Rule

    was, separator, becomes = text.partition("=")
    if not separator or not was.strip():
        exit_usage(f"{text!r} is no rule; write it as 'Hub Spot=HubSpot', or 'um=' to remove a word.")
    try:
        return Rule(show=show, was=was, becomes=becomes, by=_login())
    except ValidationError as error:
        exit_usage(f"{text!r} is no rule: {error.errors()[0]['msg']}.")


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""  # a container's user may have no name


def _print(corrections: "Sequence[Correction]", *, as_json: bool) -> None:
    from pipeline.types.time_format import hms

    if as_json:
        _print_json("corrections", corrections)
    elif not corrections:
        console.print("There are no corrections.")
    else:
        for it in corrections:
            state = "" if it.applied else "  (not applied: the words are not there any more)"
            who = f"  {it.by or 'somebody'}, {it.at[:10]}" + (", by a rule" if it.rule else "")
            line = Text.assemble((f"{it.id} ", "dim"), f"{hms(it.start_s):>8}  ", _arrow(it.was, it.becomes))
            console.print(line.append(who, "dim").append(state, "yellow"), highlight=False, soft_wrap=True)


def _print_rules(rules: "Sequence[Rule]", *, as_json: bool) -> None:
    if as_json:
        _print_json("rules", rules)
    elif not rules:
        console.print("There are no rules.")
    else:
        for it in rules:
            line = Text.assemble(_arrow(it.was, it.becomes), (f"  {it.show or 'all shows'}", "dim"))
            console.print(line, highlight=False, soft_wrap=True)


def _arrow(was: str, becomes: str) -> Text:
    return Text.assemble((was, "red"), " → ", (becomes or "(removed)", "green"))


def _print_json(name: str, values: "Sequence[Correction | Rule]") -> None:
    import json

    print(json.dumps({name: [it.model_dump(mode="json") for it in values]}, ensure_ascii=False))
