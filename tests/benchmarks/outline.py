"""How well the outline finds where the subject changes, in episodes put together from texts on known subjects.

    python -m tests.benchmarks.outline [--hours 3]

The texts are the prose of Python's own help topics, read at 15 letters a second; each episode has one to six
of them, of 150 to 600 s. With `--hours`, each episode is about so long, and its texts are the docstrings of packages
of Python's library, of 10 to 20 minutes each: three to six subjects an hour. Pk (Beeferman et al., 1999) is how often
two places half a chapter apart are taken for the same chapter when they are not, or the other way round: 0 is perfect.
"""

import argparse
import ast
import json
import random
import re
import sysconfig
from collections.abc import Callable, Iterable
from math import inf
from pathlib import Path
from pydoc_data.topics import topics
from statistics import mean

from pipeline.types import Segment, Transcript
from workers.outline import outline

LETTERS_PER_S = 15
STEP_S = 5.0
PACKAGES = (
    *("_pydecimal", "_pyio", "asyncio", "codecs", "concurrent", "configparser", "difflib", "doctest", "email", "http"),
    *("importlib", "inspect", "ipaddress", "json", "logging", "optparse", "pdb", "smtplib", "statistics", "threading"),
    *("tkinter", "turtle", "typing", "urllib", "xml", "xmlrpc"),
)
"""Packages and modules of Python's library with at least ten minutes of prose."""


def main() -> None:
    """Print the mean Pk over all episodes, and how many chapters were found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--episodes", type=int, help="30 by default, 10 long ones")
    parser.add_argument("--hours", type=float, default=0.0, help="length of each episode; 0 for short ones")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each way")
    arguments = parser.parse_args()
    generator = random.Random(0)
    if arguments.hours:
        texts = [docstrings(name) for name in PACKAGES]
        made = [programme(generator, texts, arguments.hours) for _ in range(arguments.episodes or 10)]
    else:
        texts = prose()
        made = [episode(generator, texts) for _ in range(arguments.episodes or 30)]
    ways: dict[str, Callable[[Transcript], list[float]]] = {
        "ours": lambda heard: [chapter.start_s for chapter in outline(heard).chapters[1:]],
        "no chapters": lambda heard: [],
        "every 5 minutes": lambda heard: [300.0 * number for number in range(1, int(heard.audio_s // 300) + 1)],
    }
    for name, cut in ways.items():
        found = [cut(heard) for heard, _ in made]
        figures = {
            "system": name,
            "pk": round(
                mean(pk(turns, cuts, heard.audio_s) for (heard, turns), cuts in zip(made, found, strict=True)), 3
            ),
            "found": sum(map(len, found)),
            "there": sum(len(turns) for _, turns in made),
        }
        if arguments.hours:
            rates = [(len(cuts) + 1) / heard.audio_s * 3600 for (heard, _), cuts in zip(made, found, strict=True)]
            figures |= {"chapters_an_hour": f"{min(rates):.1f}-{max(rates):.1f}"}
        print(json.dumps(figures) if arguments.json else " ".join(f"{key} {value}" for key, value in figures.items()))


def prose() -> list[list[str]]:
    """Return the help topics that have enough prose, as sentences."""
    found = []
    for text in topics.values():
        plain = re.sub(r"^\s*(>>>|\.\.\.|::|[|+]).*$", "", text, flags=re.M)
        plain = re.sub(r"[*=`_\"|+<>-]{2,}", " ", plain)
        paragraphs = [
            part.replace("\n", " ") for part in plain.split("\n\n") if len(part) > 120 and part.count("(") < 8
        ]
        if sum(map(len, paragraphs)) > 4000:
            found.append([sentence for part in paragraphs for sentence in re.split(r"(?<=[.!?])\s+", part)])
    return found


def episode(generator: random.Random, texts: list[list[str]]) -> tuple[Transcript, list[float]]:
    """Return an episode's transcript and the seconds at which its subject changes."""
    chosen = generator.sample(texts, generator.randint(1, 6))
    return _read((text, generator.uniform(150, 600)) for text in chosen)


def programme(generator: random.Random, texts: list[list[str]], hours: float) -> tuple[Transcript, list[float]]:
    """Return the transcript of a long episode and the seconds at which its subject changes."""
    shuffled = generator.sample(texts, len(texts))
    return _read(((text, generator.uniform(600, 1200)) for text in shuffled), hours * 3600 - 600)


def docstrings(name: str) -> list[str]:
    """Return the prose of the docstrings of a package in Python's library, as sentences, each paragraph once."""
    place = Path(sysconfig.get_path("stdlib")) / name
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    nodes = [node for file in files if "test" not in file.parts for node in ast.walk(ast.parse(file.read_text()))]
    documented = [node for node in nodes if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    parts = [part for node in documented for part in (ast.get_docstring(node) or "").split("\n\n")]
    wanted = [" ".join(part.split()) for part in parts if len(part) > 80 and ">>>" not in part and part.count("(") < 8]
    return [sentence for part in dict.fromkeys(wanted) for sentence in re.split(r"(?<=[.!?])\s+", part)]


def _read(texts: Iterable[tuple[list[str], float]], enough_s: float = inf) -> tuple[Transcript, list[float]]:
    """Return the transcript of texts that are each read for some seconds, and where all but the first begin.

    No text begins after `enough_s`.
    """
    segments: list[Segment] = []
    turns: list[float] = []
    at_s = 0.0
    for text, length_s in texts:
        if at_s > enough_s:
            break
        turns.append(at_s)
        ends_s = at_s + length_s
        for sentence in text:
            if at_s > ends_s:
                break
            took_s = len(sentence) / LETTERS_PER_S
            segments.append(Segment(id=len(segments), start_s=at_s, end_s=at_s + took_s, text=sentence))
            at_s += took_s
    return Transcript(text="", language="en", segments=tuple(segments), audio_s=at_s, model="none"), turns[1:]


def pk(turns: list[float], cuts: list[float], audio_s: float) -> float:
    """Return Pk of cuts at some seconds against the turns that are there."""
    apart_s = audio_s / (len(turns) + 1) / 2
    starts = [STEP_S * number for number in range(int((audio_s - apart_s) // STEP_S))]
    return mean(_differ(turns, start_s, apart_s) != _differ(cuts, start_s, apart_s) for start_s in starts)


def _differ(turns: list[float], start_s: float, apart_s: float) -> bool:
    return any(start_s < turn_s <= start_s + apart_s for turn_s in turns)


if __name__ == "__main__":
    main()
