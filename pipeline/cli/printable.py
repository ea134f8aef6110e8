"""Safe printing of untrusted text to a terminal: markup and control characters have no effect."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from pipeline.types.text import safe


class SafeConsole(Console):
    """A console that interprets no text as markup and sends no control characters but its own.

    File names, feed titles and server messages are untrusted. Styled text is given as `Text` or with `style=`.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text with control characters replaced before it is measured, so that tables stay aligned."""
        return super().render_str(safe(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of any renderable with control characters replaced."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(safe(segment.text), segment.style)
