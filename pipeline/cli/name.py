"""`duet name`: names of the speakers of a finished episode."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from pipeline.cli import broker_session
from pipeline.cli.completion import episodes
from pipeline.cli.forget import JOB
from pipeline.cli.terminal import console, exit_usage
from pipeline.client.library import PLACE

if TYPE_CHECKING:
    from pipeline.state.job_store import JobStore
    from pipeline.types import EpisodeResult, JobSpec

GIVEN = re.compile(r"([Ss][0-9]+)=(.*)", re.DOTALL)


def name(
    episode: Annotated[
        str,
        typer.Argument(
            metavar="EPISODE",
            help="Folder, name or id of an episode, or a part of it; or the id of its job.",
            autocompletion=episodes,
        ),
    ],
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="SPEAKER=NAME", help='The names, as `S1="Ada Example"`; `S1=` removes a name.'),
    ] = None,
    place: Annotated[str, typer.Option("--in", metavar="PLACE", help="A folder or s3://bucket/prefix.")] = PLACE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with the speakers.")] = False,
) -> None:
    """Name the speakers of an episode that has ended, in its result and all of its files; needs no model.

    Without names, print the speakers. A name that you gave stays when the episode is processed again.
    """
    given = _parsed(names or [])
    with broker_session.broker():
        from pipeline.client.naming import name_speakers, told_apart
        from pipeline.state.job_store import JobStore
        from pipeline.storage import open_storage

        job_store = JobStore()
        uri, spec = place_of(episode, place, job_store)
        result = name_speakers(uri, given, job_store, spec) if given else told_apart(open_storage(uri), spec)
    _print(result, uri, as_json=as_json)


def _parsed(names: Sequence[str]) -> dict[str, str | None]:
    given: dict[str, str | None] = {}
    for text in names:
        found = GIVEN.fullmatch(text)
        if found is None:
            exit_usage(f'{text!r} names no speaker; write it as S1="Ada Example", or S1= to remove the name.')
        speaker = found[1].upper()
        if speaker in given:
            exit_usage(f"{speaker} is named twice; give it one name.")
        given[speaker] = found[2] or None
    return given


def place_of(episode: str, place: str, job_store: "JobStore") -> "tuple[str, JobSpec | None]":
    """Return the URI of an episode's folder, and its job if that was named."""
    from pipeline.client.library import find_episode

    record = job_store.get(episode) if JOB.fullmatch(episode) else None
    return (record.spec.uri, record.spec) if record else (find_episode(episode, place), None)


def _print(result: "EpisodeResult", uri: str, *, as_json: bool) -> None:
    import json

    from pipeline.types.time_format import hms

    speakers = result.transcript.speakers if result.transcript else ()
    if as_json:
        shown = [it.model_dump(mode="json", by_alias=True) for it in speakers]
        print(json.dumps({"job": result.job, "uri": uri, "speakers": shown}, ensure_ascii=False))
        return
    for speaker in speakers:
        said = f"  “{speaker.quote}”" if speaker.quote else ""
        line = Text.assemble((f"{speaker.id:4}", "bold"), f"{hms(speaker.talk_s):>8}  {speaker.label}{said}")
        console.print(line, highlight=False, soft_wrap=True)
