"""`duet models`: upload, download, list and verification of model weights in a bucket near the pools."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.terminal import FAILED, console, exit_usage, messages
from pipeline.cli.worker_imports import worker_packages
from pipeline.types.job import MODEL_LEGS, ModelLeg

if TYPE_CHECKING:
    from pipeline.storage.weights.model_id import ModelId
    from pipeline.storage.weights.resumable_download import OnBytes

MB = 10**6

Where = Annotated[str | None, typer.Argument(metavar="URI", help="s3://bucket/prefix; default: DUET_MODEL_CACHE_URI.")]
Which = Annotated[
    list[str] | None,
    typer.Option(
        "--model", metavar="NAME", help="whisper/base, voxtral/<hub id>; may be repeated. Default: those of settings."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]

models = typer.Typer(help="Model weights in a bucket, for pools on new machines.", no_args_is_help=True)


@models.command(epilog="Example: duet models push s3://bucket/models --model whisper/large-v3")
def push(
    uri: Where = None,
    model: Which = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="PATH", help="Checkpoint or model folder; default: that of a pool."),
    ] = None,
) -> None:
    """Upload models to a bucket with the checksums of their files; stored files are skipped."""
    from pipeline.storage.weights.store import push as put

    place, names = _place(uri), _names(model)
    if source is not None and len(names) != 1:
        exit_usage("--from is one model; say which one it is with --model.")
    for name in names:
        found = source or _found(name)
        put(place, name, found.expanduser(), partial(_print_stored, name))


@models.command(epilog="Example: duet models pull s3://bucket/models --model whisper/large-v3")
def pull(uri: Where = None, model: Which = None) -> None:
    """Download models to this machine's cache for its pools; an interrupted download is resumed."""
    from pipeline.storage.weights.cache import pull as take
    from pipeline.storage.weights.store import stored_models

    place, names = _place(uri), _names(model)
    sizes = {it.name: it.size_bytes for it in stored_models(place)}
    for name in names:
        with _progress(str(name), sizes.get(name, 0)) as on_bytes:
            folder = take(place, name, on_bytes)
        console.print(f"{name}: {folder}", soft_wrap=True, highlight=False)


@models.command(epilog="Example: duet models get voxtral")
def get(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="voxtral or whisper (those of settings), or an id as for --model.")
    ],
) -> None:
    """Fetch a model onto this machine as a pool does, from the bucket or the hub, and verify its files.

    An interrupted download is resumed. Voxtral runs on a CPU only where its weights were fetched in this way.
    """
    name = next((_of_settings(leg) for leg in MODEL_LEGS if leg == model), None) or _names([model])[0]
    folder = _found(name)
    if name.leg == "voxtral":
        from workers.weights.voxtral import verify

        verify(folder)
    console.print(f"{name}: {folder}", soft_wrap=True, highlight=False)


@models.command(epilog="Example: duet models ls s3://bucket/models")
def ls(uri: Where = None, as_json: AsJson = False) -> None:
    """List the models in a bucket."""
    from pipeline.storage.weights.store import stored_models

    place = _place(uri)
    found = stored_models(place)
    if as_json:
        for stored in found:
            print(json.dumps({"model": str(stored.name), "bytes": stored.size_bytes, "whole": stored.is_whole}))
    elif not found:
        console.print(f"{place} holds no models. Example: duet models push {place} --model whisper/base")
    for stored in found if not as_json else ():
        note = "" if stored.is_whole else "   not whole yet: push it again"
        line = f"{stored.name!s:<50} {stored.size_bytes / MB:>10,.1f} MB{note}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@models.command(epilog="Example: duet models verify s3://bucket/models")
def verify(uri: Where = None, model: Which = None, as_json: AsJson = False) -> None:
    """Verify the checksums of all models in a bucket, or of some; the exit status is 1 if one is not whole.

    Every byte crosses the network, which costs money outside of the bucket's region.
    """
    from pipeline.storage.weights.store import check, stored_models

    place = _place(uri)
    sizes = {it.name: it.size_bytes for it in stored_models(place)}
    names = _names(model) if model else sorted(sizes)
    is_bad = not names
    if not names:
        console.print(f"{place} holds no models.")
    for name in names:
        with _progress(str(name), sizes.get(name, 0)) as on_bytes:
            findings = list(check(place, name, on_bytes))
        is_bad |= any(it.trouble for it in findings)
        for it in findings:
            if as_json:
                print(json.dumps({"model": str(name), "file": it.file, "ok": not it.trouble, "trouble": it.trouble}))
            else:
                style = "red" if it.trouble else None
                console.print(f"{name}: {it.file}: {it.trouble or 'ok'}", style=style, markup=False, highlight=False)
    raise typer.Exit(FAILED if is_bad else 0)


def _print_stored(name: "ModelId", file: str) -> None:
    console.print(f"{name}: {file} is there", markup=False, highlight=False)


def _place(uri: str | None) -> str:
    from pipeline.settings import settings

    return uri or settings().model_cache_uri or exit_usage("Say which s3://bucket/prefix, or set DUET_MODEL_CACHE_URI.")


def _names(asked: Sequence[str] | None) -> "list[ModelId]":
    from pipeline.storage.weights.model_id import ModelId

    return [ModelId.parse(text) for text in asked] if asked else [_of_settings(leg) for leg in MODEL_LEGS]


def _of_settings(leg: ModelLeg) -> "ModelId":
    from pipeline.settings import settings
    from pipeline.storage.weights.model_id import ModelId, is_model_id

    model = settings().whisper_model if leg == "whisper" else settings().voxtral_model
    if not is_model_id(model):
        exit_usage(f"DUET_{leg.upper()}_MODEL={model!r} is a place and not a name; say which model it is.")
    return ModelId(leg, model)


def _found(name: "ModelId") -> Path:
    """Return the path of a model on this machine, downloaded as by a pool if missing."""
    with worker_packages("models get and models push without --from"):
        from workers.weights.voxtral import find
        from workers.weights.whisper import whisper_checkpoint
    return whisper_checkpoint(name.name) if name.leg == "whisper" else find(name.name)


@contextmanager
def _progress(name: str, total_bytes: int) -> "Iterator[OnBytes]":
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=messages, transient=True) as bar:
        task = bar.add_task(name, total=total_bytes or None)
        yield lambda count: bar.advance(task, count)
