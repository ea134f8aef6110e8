"""How well the outline finds where the subject changes, in episodes put together from texts on known subjects.

    python -m tests.benchmarks.outline

The texts are the prose of Python's own help topics, read at 15 letters a second; each episode has one to six
of them, of 150 to 600 s. Pk (Beeferman et al., 1999) is how often two places half a chapter apart are taken
for the same chapter when they are not, or the other way round: 0 is perfect.
"""

import argparse
import json
import random
import re
from collections.abc import Callable
from pydoc_data.topics import topics
from statistics import mean

from pipeline.types import Segment, Transcript
from workers.outline import outline

LETTERS_PER_S = 15
STEP_S = 5.0


def main() -> None:
    """Print the mean Pk over all episodes, and how many chapters were found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--episodes", type=int, default=30)
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each way")
    arguments = parser.parse_args()
    generator, texts = random.Random(0), prose()
    made = [episode(generator, texts) for _ in range(arguments.episodes)]
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
    segments: list[Segment] = []
    turns: list[float] = []
    at_s = 0.0
    for text in generator.sample(texts, generator.randint(1, 6)):
        turns.append(at_s)
        ends_s = at_s + generator.uniform(150, 600)
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
