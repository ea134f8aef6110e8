"""`duet keys`: the API keys of `duet serve`."""

import json
from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from pipeline.cli import broker_session
from pipeline.cli.terminal import console, messages

keys = typer.Typer(no_args_is_help=True, help="API keys of `duet serve`: add, ls, revoke, open.")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
Limit = typer.Option(min=1, help="The server's limit by default.")


@keys.command(epilog="Example: duet keys add newsroom --at-once 20")
def add(
    name: Annotated[str, typer.Argument(help="Owner or purpose of the key.")],
    requests_per_minute: Annotated[int | None, Limit] = None,
    at_once: Annotated[int | None, Limit] = None,
    as_json: Json = False,
) -> None:
    """Create a key and print it once; the broker stores only its digest."""
    from pipeline.state.api_keys import ApiKeyStore

    with broker_session.broker():
        own = ApiKeyStore()
        is_first = not own.valid()
        kept, key = own.add(name, requests_per_minute, at_once)
    if as_json:
        print(json.dumps({"id": kept.id, "name": name, "key": key}))
    else:
        print(key)
        messages.print(f"This is the only time that the key is shown; `duet keys revoke {kept.id}` ends it.")
        if is_first:
            messages.print("From now on `duet serve` needs a key from this machine, too.")


@keys.command(epilog="Example: duet keys ls")
def ls(as_json: Json = False) -> None:
    """List ids, names and limits of the keys, without the keys themselves."""
    from pipeline.state.api_keys import ApiKeyStore

    with broker_session.broker():
        found = ApiKeyStore().all()
    if as_json:
        for key in found:
            print(key.model_dump_json(exclude={"digest"}))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("id", "name", "made", "revoked", "a minute", "at once"):
        table.add_column(column)
    for key in found:
        own = [str(it) if it else "" for it in (key.requests_per_minute, key.at_once)]
        table.add_row(key.id, key.name, _day(key.created_at), _day(key.revoked_at), *own)
    console.print(table if found else "There are no keys; `duet keys add NAME` makes one.")


@keys.command(epilog="Example: duet keys revoke 3f9a1c22")
def revoke(name: Annotated[str, typer.Argument(metavar="KEY", help="Id of the key, or its name if unique.")]) -> None:
    """Revoke a key immediately and permanently."""
    from pipeline.state.api_keys import ApiKeyStore

    with broker_session.broker():
        own = ApiKeyStore()
        key = own.revoke(name)
        is_last = not own.valid()
    console.print(f"{key.id} ({key.name}) is revoked.", highlight=False)
    if is_last:
        messages.print(
            "No key is left, and `duet serve` still needs one: `duet keys add NAME` makes one, `duet keys open` lets "
            "this machine in without."
        )


@keys.command("open", epilog="Example: duet keys open")
def open_() -> None:
    """Allow requests from the server's own machine without a key again, after all keys are revoked or lost.

    Other machines and requests through a proxy still need a key. The next `duet keys add` ends this.
    """
    from pipeline.state.api_keys import ApiKeyStore

    with broker_session.broker():
        ApiKeyStore().open()
    console.print("`duet serve` takes requests of its own machine without a key, until there is one.", highlight=False)


def _day(epoch_s: float | None) -> str:
    return datetime.fromtimestamp(epoch_s).strftime("%d %b %Y %H:%M") if epoch_s else ""
