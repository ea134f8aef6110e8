"""What `duet run` and `duet submit` have in common: their arguments, and how a batch is begun."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.cli.terminal import bad_usage
from pipeline.errors import DuetError
from pipeline.logs import as_duet_error

if TYPE_CHECKING:
    from pipeline.client.batch_submission import BatchSubmission
    from pipeline.sources import Found
    from pipeline.types import Options

Places = Annotated[
    list[str],
    typer.Argument(
        metavar="PLACES...",
        help="Files, folders, quoted patterns ('shows/**/*.mp3'), s3://bucket/prefix, https:// audio or podcast feeds.",
    ),
]


def _named(to: str) -> str:
    if not to.strip():
        bad_usage("--to is empty; name a folder, file:///folder or s3://bucket/prefix.")
    return to


To = Annotated[
    str,
    typer.Option("--to", metavar="URI", help="A folder, file:///folder or s3://bucket/prefix.", callback=_named),
]
Language = Annotated[str | None, typer.Option(help="Spoken language, such as en; else it is detected.")]
Vocabulary = Annotated[
    list[str] | None, typer.Option("--vocabulary", help="A name or term as it is to be written; may be repeated.")
]
Questions = Annotated[
    list[str] | None, typer.Option("--question", help="To be answered by Voxtral for each episode; may be repeated.")
]
TranslateTo = Annotated[str | None, typer.Option("--translate-to", help="A language for Voxtral's summary.")]
SecondOpinion = Annotated[
    Literal["full", "doubtful", "off"],
    typer.Option("--second-opinion", help="What Voxtral writes down too, to be compared with Whisper's text."),
]
Force = Annotated[bool, typer.Option("--force", help="Do it all again, whatever is there.")]
OnTranscribed = Annotated[
    str | None, typer.Option("--on-transcribed", metavar="URL", help="Told, signed, of each transcript that is there.")
]
OnCompleted = Annotated[
    str | None, typer.Option("--on-completed", metavar="URL", help="Told, signed, of each episode that has ended.")
]
InFlight = Annotated[int, typer.Option("--in-flight", min=1, help="Episodes on the queues and at work at once.")]


def options(
    language: str | None,
    vocabulary: list[str] | None,
    questions: list[str] | None,
    translate_to: str | None,
    second_opinion: Literal["full", "doubtful", "off"],
) -> "Options":
    """Return what is asked for, or end the command because it cannot be."""
    from pydantic import ValidationError

    from pipeline.types import Options

    try:
        return Options(
            language=language,
            vocabulary=tuple(vocabulary or ()),
            questions=tuple(questions or ()),
            translate_to=translate_to,
            second_opinion=second_opinion,
        )
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        if name == "language":
            bad_usage(f"--language {language}: give an ISO 639 code of two or three letters, such as en.")
        bad_usage(f"--{name.replace('_', '-').removesuffix('s')}: {error.errors()[0]['msg']}.")


def found_at(places: list[str]) -> "Iterator[Found]":
    """Return what is found at some places; end the command when there is nothing at any of them."""
    from pipeline.sources import Rejected, find, find_all

    errors: list[str] = []
    for index, place in enumerate(places):
        found = find(place)
        try:
            first = next(found)
        except DuetError as error:
            errors.append(str(error))
            continue
        missed = [Rejected(missing, reason) for missing, reason in zip(places, errors, strict=False)]
        return chain(missed, [first], _rest(place, found), find_all(places[index + 1 :]))
    return bad_usage(" ".join(errors))


def _rest(place: str, found: "Iterator[Found]") -> "Iterator[Found]":
    from pipeline.sources import Rejected

    try:
        yield from found
    except DuetError as error:
        yield Rejected(place, str(error))


@dataclass
class Background:
    """A submission in a thread of its own, so that the view goes on while files are read."""

    submission: "BatchSubmission"
    error: DuetError | None = None

    def __post_init__(self) -> None:
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether everything is submitted; raises what ended it otherwise."""
        if self.error:
            raise self.error
        return not self._thread.is_alive()

    def stop(self) -> None:
        """End it as soon as may be; what is on the queues stays there."""
        from pipeline.sources.download import interrupted

        self.submission.stop()
        with interrupted():
            self._thread.join()

    def _run(self) -> None:
        try:
            self.submission.run()
        except Exception as error:
            self.error = as_duet_error(error, "What was to be submitted")
