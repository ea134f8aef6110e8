"""Sums, tables and comparisons of a quality check's figures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import DuetError
from tests.quality.figures import interval, rate

Figures = dict[str, Any]
"""The figures of a file or of several; in JSON."""

NAMES = ("right", "otherwise", "absent")
PLACES = ("transcription", "analysis")
SUMMED = (
    *("audio_s", "transcribe_s", "analyze_s", "spans", "spans_complete"),
    *("answers", "answers_valid", "answers_repaired"),
    *(f"{place}_{name}" for place in PLACES for name in NAMES),
)
"""Figures that are sums over files; one is missing where it could not be measured."""


class BaselineError(DuetError):
    """A file is not the line of JSON of an earlier run."""


def read(path: Path) -> Figures:
    """Return an earlier run from its line of JSON.

    Raises:
        BaselineError: there is no such file, or it is something else.
    """
    try:
        run: Figures = json.loads(path.read_text())
        comparison(run, run)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BaselineError(f"{path} is not what --json printed in an earlier run ({error!r}).") from None
    return run


def total(files: Sequence[Figures]) -> Figures:
    """Return the sums of some files' figures, and their word error rate in percent with its 95 % interval."""
    sums: Figures = {name: round(sum(file.get(name, 0) for file in files), 2) for name in SUMMED}
    counts = [(errors, words) for file in files for errors, words in file["segments"]]
    sums["words"] = sum(words for _, words in counts)
    if sums["words"]:
        low, high = interval(counts)
        sums |= {"wer": round(rate(counts), 2), "wer_low": round(low, 2), "wer_high": round(high, 2)}
    return sums


def table(run: Figures) -> str:
    """Return a run's figures as text, a line for each file and one for all, and what is worth reading below."""
    files = run["files"]
    rows = [[file["file"], *_cells(total([file]))] for file in files]
    if len(files) > 1:
        rows.append(["all", *_cells(total(files))])
    heads = [
        *("file", "minutes", "WER % (95 %)", "spans complete", "answers valid", "repaired"),
        *(f"names in {place}" for place in PLACES),
    ]
    lines = [f"{run['model']} on {run['device']}", "", *_aligned([heads, *rows]), "", _NAMES_LINE]
    for file in files:
        lines += [f"{file['file']} failed: {reason}" for reason in file["failed"]]
        for place, names in file["otherwise"].items():
            spelt = ", ".join(f"{name} as {other}" for name, other in names.items())
            lines += [f"{file['file']}, {place}: {spelt}"] if names else []
    return "\n".join(lines)


_NAMES_LINE = "Names: spelt as in the reference / otherwise with the same sound / absent."


def comparison(before: Figures, now: Figures) -> str:
    """Return two runs' figures side by side, over the files that both have measured."""
    old, new = ({file["file"]: file for file in run["files"] if not file["failed"]} for run in (before, now))
    both = [name for name in new if name in old]
    if not both:
        return "Both runs have measured no file in common, so there is nothing to compare."
    first, second = total([old[name] for name in both]), total([new[name] for name in both])
    rows = [[f"files: {len(both)}", f"before: {before['model']}", f"now: {now['model']}", "difference"]]
    for name in ("wer", "words", *SUMMED):
        if name in first and name in second:
            rows.append([name, f"{first[name]:g}", f"{second[name]:g}", f"{round(second[name] - first[name], 2):+g}"])
    pairs = [pair for name in both for pair in zip(old[name]["segments"], new[name]["segments"], strict=False)]
    if first["words"] != second["words"] or any(one[1] != other[1] for one, other in pairs):
        return "\n".join([*_aligned(rows), "The references are not the same in both runs."])
    if not first["words"]:
        return "\n".join(_aligned(rows))
    low, high = interval([(other[0] - one[0], one[1]) for one, other in pairs])
    return "\n".join([*_aligned(rows), f"95 % interval of the difference in WER: {low:+.2f} to {high:+.2f}"])


def _cells(sums: Figures) -> list[str]:
    has_rate = "wer" in sums
    return [
        f"{sums['audio_s'] / 60:.1f}",
        f"{sums['wer']:.2f} ({sums['wer_low']:.1f} to {sums['wer_high']:.1f})" if has_rate else "none",
        f"{sums['spans_complete']} of {sums['spans']}",
        f"{sums['answers_valid']} of {sums['answers']}",
        f"{sums['answers_repaired']}",
        *(" / ".join(str(sums[f"{place}_{name}"]) for name in NAMES) for place in PLACES),
    ]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
