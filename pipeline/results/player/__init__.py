"""`player.html`: audio player with a searchable, synchronized transcript, in one file that needs no network.

The page is rendered from the result alone and refers to the audio by a relative path. To share a single file, embed
the audio (`duet export --format player --audio`).
"""

from base64 import b64encode
from mimetypes import guess_type
from pathlib import Path

from pipeline.results.player.page import page
from pipeline.results.player.served import Served
from pipeline.types import EpisodeResult

__all__ = ["Player", "Served", "page", "with_audio"]


class Player:
    """The page, without embedded audio."""

    file = "player.html"

    def fits(self, result: EpisodeResult) -> bool:
        """Return whether the result has a transcript or an analysis."""
        return result.transcript is not None or result.analysis is not None

    def render(self, result: EpisodeResult) -> str:
        """Return HTML that refers to the audio."""
        return page(result, result.audio or "")


def with_audio(result: EpisodeResult, audio: Path) -> str:
    """Return HTML with embedded audio, a third larger than the audio file.

    Raises:
        OSError: the audio cannot be read.
    """
    kind = guess_type(audio.name)[0] or "audio/mpeg"
    return page(result, f"data:{kind};base64,{b64encode(audio.read_bytes()).decode('ascii')}")
