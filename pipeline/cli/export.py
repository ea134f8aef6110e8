"""`duet export`: all output formats of an episode, from its `result.json` alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.streams import write_bytes
from pipeline.cli.terminal import console, exit_usage
from pipeline.errors import StorageError
from pipeline.results.formats import FORMATS

if TYPE_CHECKING:
    from pipeline.types import EpisodeResult

MANIFEST = "result.json"


def _known(names: list[str] | None) -> list[str] | None:
    for name in names or ():
        if name not in FORMATS:
            raise typer.BadParameter(f"{name!r} is no format; there are {', '.join(FORMATS)}.")
    return names


def export(
    episode: Annotated[str, typer.Argument(help="An episode's folder, its s3:// prefix, or a result.json.")],
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar=f"[{'|'.join(FORMATS)}]",
            callback=_known,
            help="Output format; may be repeated. All by default.",
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Folder to write to; standard output by default.")
    ] = None,
    audio: Annotated[Path | None, typer.Option(help="Embed this audio in the player, as one file to share.")] = None,
) -> None:
    """Export an episode's transcript, captions, notes or player from its result.json.

    Needs neither the other files of the episode nor a model. Several formats need a folder to be written to.
    """
    from pipeline.results.player import with_audio

    result = _read(episode)
    chosen = formats or [name for name, it in FORMATS.items() if it.fits(result)]
    if to is None and len(chosen) != 1:
        exit_usage("Several forms need a folder to go to; add --to FOLDER, or name one with --format.")
    if audio and not audio.is_file():
        exit_usage(f"No such file: {audio}.")
    for name in chosen:
        form = FORMATS[name]
        if not form.fits(result):
            raise StorageError(f"{episode} has nothing for {form.file}: {_why_not(result, name)}")
        text = with_audio(result, audio) if audio and name == "player" else form.render(result)
        _write(text, to / form.file if to else None)


def _why_not(result: "EpisodeResult", name: str) -> str:
    speakers = result.legs.get("speakers") if name == "speakers" else None
    fallback = "its speakers were not told apart." if name == "speakers" else "it holds no transcript."
    return result.reason or (speakers.reason if speakers else "") or fallback


def _read(episode: str) -> "EpisodeResult":
    from pipeline.results.manifest import read_manifest
    from pipeline.storage import as_uri, open_storage

    folder = episode.removesuffix(f"/{MANIFEST}") if episode != MANIFEST else "."
    storage = open_storage(as_uri(folder))
    if result := read_manifest(storage):
        return result
    if storage.exists(MANIFEST):
        raise StorageError(
            f"{storage.uri}/{MANIFEST} is damaged or of another version of Duet; submit the episode again."
        )
    raise StorageError(f"{storage.uri} holds no {MANIFEST}; give the folder of an episode, below the one of `--to`.")


def _write(text: str, target: Path | None) -> None:
    if target is None:
        write_bytes(text.encode())
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror}.") from None
    console.print(str(target), soft_wrap=True, highlight=False)
