"""Two short episodes of our own, by hand: one with a bit of everything that an episode can have, and a dialogue."""

from pathlib import Path

from pipeline.results.formats import FORMATS, render_all
from pipeline.types import EpisodeResult

FOLDER = Path(__file__).parent
FOLDERS = (FOLDER, FOLDER / "dialogue")
LEFT_OUT = ("player.html", "transcript.json", "analysis.json")
"""Too long to be read here, or a part of `result.json` as it is."""


def rendered(folder: Path) -> dict[str, bytes]:
    """Return the readable forms of the `result.json` in a folder."""
    result = EpisodeResult.from_json((folder / "result.json").read_bytes())
    return render_all(result, [form for form in FORMATS.values() if form.file not in LEFT_OUT])
