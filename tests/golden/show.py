"""A short episode of our own, by hand, with a bit of everything that an episode can have."""

from pathlib import Path

from pipeline.results.formats import FORMATS, render_all
from pipeline.types import EpisodeResult

FOLDER = Path(__file__).parent
LEFT_OUT = ("player.html", "transcript.json", "analysis.json")
"""Too long to be read here, or a part of `result.json` as it is."""


def rendered_show() -> dict[str, bytes]:
    """Return the readable forms of `result.json`."""
    result = EpisodeResult.from_json((FOLDER / "result.json").read_bytes())
    return render_all(result, [form for form in FORMATS.values() if form.file not in LEFT_OUT])
