"""The arguments that `duet run` and `duet submit` share, and the start of a batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.terminal import exit_usage
from pipeline.errors import DuetError

if TYPE_CHECKING:
    from pipeline.client.batch_submission import BatchSubmission
    from pipeline.sources import Found

Places = Annotated[
    list[str],
    typer.Argument(
        metavar="PLACES...",
        help="Files, folders, quoted patterns ('shows/**/*.mp3'), s3://bucket/prefix, https:// audio or podcast feeds.",
    ),
]


def _named(to: str) -> str:
    if not to.strip():
        exit_usage("--to is empty; name a folder, file:///folder or s3://bucket/prefix.")
    return to


To = Annotated[
    str,
    typer.Option("--to", metavar="URI", help="A folder, file:///folder or s3://bucket/prefix.", callback=_named),
]
Force = Annotated[bool, typer.Option("--force", help="Process every episode again, even if its results exist.")]
OnTranscribed = Annotated[
    str | None, typer.Option("--on-transcribed", metavar="URL", help="URL of a signed webhook for each transcript.")
]
OnCompleted = Annotated[
    str | None, typer.Option("--on-completed", metavar="URL", help="URL of a signed webhook for each ended episode.")
]
InFlight = Annotated[int, typer.Option("--in-flight", min=1, help="Maximum number of episodes queued or running.")]


def found_at(places: list[str]) -> "Iterator[Found]":
    """Return the sources at the given places; end the command if no place has any."""
    from pipeline.sources import find, find_all, left_out

    errors: list[DuetError] = []
    for index, place in enumerate(places):
        found = find(place)
        try:
            first = next(found)
        except DuetError as error:
            errors.append(error)
            continue
        missed = [left_out(missing, why) for missing, why in zip(places, errors, strict=False)]
        return chain(missed, [first], _remaining(place, found), find_all(places[index + 1 :]))
    return exit_usage(" ".join(map(str, errors)))


def _remaining(place: str, found: "Iterator[Found]") -> "Iterator[Found]":
    from pipeline.sources import Rejected

    try:
        yield from found
    except DuetError as error:
        yield Rejected(place, str(error))


@dataclass
class Background:
    """A batch submission in its own thread, so that the view is updated while files are read."""

    submission: "BatchSubmission"
    error: DuetError | None = None

    def __post_init__(self) -> None:
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether the submission has ended. Raises its error if it failed."""
        if self.error:
            raise self.error
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Stop the submission as soon as possible; queued episodes stay queued."""
        from pipeline.sources.download import interrupted

        self.submission.stop()
        with interrupted():
            self._thread.join()

    def _run(self) -> None:
        try:
            self.submission.run()
        except Exception as error:
            from pipeline.logs import as_duet_error

            self.error = as_duet_error(error, "What was to be submitted")
