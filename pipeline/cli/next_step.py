"""The last lines of a batch: the place of its results, and the commands that show them."""

import shlex
from collections import Counter
from collections.abc import Sequence

from rich.text import Text

from pipeline.cli import cells
from pipeline.client.batch_progress import BatchProgress
from pipeline.client.episode_row import EpisodeRow
from pipeline.client.library import PLACE
from pipeline.storage import as_uri, is_local
from pipeline.types import JobState

LONGEST, DIGITS = 24, 7


def next_step(watch: BatchProgress, rows: Sequence[EpisodeRow], report: str) -> Text:
    """Return the destination, the report if there is one, and how to look at the first episode or at a failure."""
    place = cells.from_here(watch.destination)
    lines = [Text.assemble("Results are in ", _linked(place, watch.destination))]
    if report:
        lines[0].append_text(Text.assemble(", the report is ", _linked(report.rpartition("/")[2], report)))
    lines[0].append(".")
    if example := _example(rows):
        where = "" if as_uri(PLACE) == watch.destination else f" --in {shlex.quote(place)}"
        name = _shortest_name(example, rows)
        player = f"{example}/player.html"
        lines.append(Text.assemble("Open ", _linked(cells.from_here(player), player)))
        lines.append(Text(f"or: `duet open {name}{where}`, `duet show {name}{where}`"))
    if watch.sums.states[JobState.FAILED]:
        lines.append(Text("`duet failed` lists what failed; `duet retry --failed` tries it again."))
    return Text("\n").join(lines)


def _example(rows: Sequence[EpisodeRow]) -> str:
    done = [row for row in rows if row.state in (JobState.COMPLETED, JobState.PARTIAL) and row.uri]
    first = min(done, key=lambda row: cells.natural(row.title), default=None)
    return (first.uri or "") if first else ""


def _shortest_name(uri: str, rows: Sequence[EpisodeRow]) -> str:
    """Return the name of an episode's folder without its digits, or some of these if it is long or not the only one."""
    folders = [(row.uri or "").rpartition("/")[2] for row in rows]
    stems = Counter(folder.rpartition("-")[0] for folder in folders)
    folder = uri.rpartition("/")[2]
    stem = folder.rpartition("-")[0]
    return shlex.quote(stem if 0 < len(stem) <= LONGEST and stems[stem] == 1 else folder.rpartition("-")[2][:DIGITS])


def _linked(shown: str, uri: str) -> Text:
    return Text(shown, style=f"link {uri}" if is_local(uri) else "")
