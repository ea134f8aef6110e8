"""`duet ask`: a question about a finished episode, answered from its audio."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from pipeline.cli import broker_session
from pipeline.cli.completion import episodes
from pipeline.cli.terminal import FAILED, INTERRUPTED, console, exit_usage, interruptible, messages, print_error
from pipeline.client.library import PLACE

if TYPE_CHECKING:
    from pipeline.client.questions import Questions
    from pipeline.embedded.stack import Stack
    from pipeline.types import CustomAnswer, EpisodeResult
    from pipeline.types.question import AskedQuestion


def ask(
    episode: Annotated[
        str,
        typer.Argument(
            metavar="EPISODE", help="Folder, name or id of an episode, or a part of it.", autocompletion=episodes
        ),
    ],
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="The question, in quotation marks.")],
    place: Annotated[str, typer.Option("--in", metavar="PLACE", help="A folder or s3://bucket/prefix.")] = PLACE,
    audio: Annotated[
        Path | None, typer.Option(help="The episode's audio, if it is no longer where it was submitted from.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Ask Voxtral about an episode that has ended; it listens to the audio again, and says where the answer is.

    An answer is kept beside the results: asked again, it is there at once, and without a model.
    """
    from pipeline.client.library import find_episode
    from pipeline.client.questions import question_id
    from pipeline.results.answered import read_answered
    from pipeline.results.manifest import read_manifest
    from pipeline.storage import open_storage

    if audio is not None and not audio.is_file():
        exit_usage(f"No such file: {audio}.")
    asked_id = question_id(question)
    storage = open_storage(find_episode(episode, place))
    result = read_manifest(storage)
    if result is None:
        exit_usage(f"{storage.uri} holds no result that this version of Duet can read; submit the episode again.")
    answered = read_answered(result.job, asked_id, storage)
    if answered is None:
        answered = _answered(result, storage.uri, question, audio)
    _print(answered, storage.uri, as_json=as_json)
    raise typer.Exit(0 if answered.state == "answered" else FAILED)


def _answered(result: "EpisodeResult", uri: str, question: str, audio: Path | None) -> "AskedQuestion":
    """Ask, and return the question when it has ended."""
    with (
        interruptible("Interrupted. Run the same command again to resume.", INTERRUPTED),
        broker_session.workers() as stack,
    ):
        from pipeline.client.questions import Questions, record_of
        from pipeline.state.job_store import JobStore

        job_store = JobStore()
        if reason := broker_session.why_voxtral_is_off(stack):
            print_error(f"Voxtral cannot answer here: {reason}")
            raise typer.Exit(FAILED)
        questions = Questions(record_of(result, uri, job_store), job_store)
        asked = questions.ask(question, _source(result, audio))
        return _ended(questions, asked, stack)


def _source(result: "EpisodeResult", audio: Path | None) -> str | None:
    if audio is not None:
        return str(audio)
    source = result.episode.source
    return source if "://" not in source and Path(source).is_file() else None


def _ended(questions: "Questions", asked: "AskedQuestion", stack: "Stack | None") -> "AskedQuestion":
    with messages.status(_progress(asked)) as status:
        for known in questions.changes(asked.id):
            if stack:
                stack.restart_ended()
                stack.check_pools()
            if known is not None:
                asked = known
                status.update(_progress(asked))
            if asked.is_final:
                break
    return asked


def _progress(asked: "AskedQuestion") -> str:
    from pipeline.types.time_format import hms

    if asked.state == "waiting":
        return "Waiting for the slow leg"
    heard = f", heard {hms(asked.done_s)} of {hms(asked.total_s)}" if asked.total_s else ""
    return f"Voxtral is listening{heard}"


def _print(asked: "AskedQuestion", uri: str, *, as_json: bool) -> None:
    if as_json:
        print(asked.model_dump_json())
    elif asked.answer is None:
        print_error(f"There is no answer: {asked.reason}")
    else:
        _print_answer(asked.answer, uri)


def _print_answer(answer: "CustomAnswer", uri: str) -> None:
    console.print(answer.answer or "The episode does not say.", markup=False, highlight=False, soft_wrap=True)
    for quote in answer.quotes:
        console.print(Text.assemble(_moment(quote.start_s, uri), f"“{quote.text}”"), highlight=False, soft_wrap=True)
    if not answer.quotes and answer.start_s is not None:
        console.print(_moment(answer.start_s, uri), highlight=False)


def _moment(start_s: float | None, uri: str) -> Text:
    """Return a time that opens the player there, where the terminal knows links."""
    from pipeline.types.time_format import hms

    if start_s is None:
        return Text("  ")
    return Text.assemble("  ", (hms(start_s), f"bold link {uri}/player.html#t={start_s:g}"), "  ")
