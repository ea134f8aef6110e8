"""The line that a terminal shows at once, and until there is something better to show."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from pipeline.cli.terminal import messages


@contextmanager
def starting() -> Iterator[Callable[[str], None]]:
    """Provide a function that replaces the line by another one, and removes it for an empty text."""
    with messages.status("") if messages.is_terminal else nullcontext() as line:

        def step(text: str) -> None:
            if line and text:
                line.update(f"{text} ...")
                line.start()
            elif line:
                line.stop()

        yield step
