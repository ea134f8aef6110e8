"""Prints the figures of the house, and fails where one is beyond its limit; `make lint` runs it.

A room is a package or a module at the top of `pipeline`, or one of `workers`, `tasks` and `beat`. A floor is how many
rooms lie below a room, one importing the next, imports within functions included. That no room imports upwards is
held by the contracts in pyproject.toml.
"""

import ast
import re
import sys
from functools import cache
from pathlib import Path
from statistics import median

import grimp

ROOTS = ("pipeline", "workers", "tasks", "beat")
LIMITS = {
    "entries in pipeline/": 18,
    "rooms": 24,
    "floors": 7,
    "lines": 43_500,
    "longest module": 250,
    "packages without a docstring": 0,
    "docstrings that name nothing": 3,  # in answer_schemas.py, where Voxtral reads them
}
NAMES_NOTHING = re.compile(r"(What|How|Who|Whose|Whom|Which|Where|Why|Whoever|(Return|Yield) (what|how|where|who)) ")
"""Starts of docstrings that ask a question instead of naming the thing."""


def main() -> int:
    """Print a line a figure, and return 1 when one is beyond its limit."""
    found = figures()
    for name, figure in found.items():
        limit = LIMITS.get(name)
        print(f"{name:30}{figure:>8}" + (f"   at most {limit}" if limit is not None else ""))
    beyond = [name for name, limit in LIMITS.items() if found[name] > limit]
    if beyond:
        print(f"Beyond its limit: {', '.join(beyond)}.", file=sys.stderr)
    return 1 if beyond else 0


def figures() -> dict[str, int]:
    """Return each figure by its name."""
    modules = [path for root in ROOTS for path in Path(root).rglob("*.py")]
    lines = {path: path.read_text().count("\n") for path in modules}
    entries = [it for it in Path("pipeline").iterdir() if it.name not in ("__init__.py", "__pycache__")]
    arrows = room_arrows()
    return {
        "entries in pipeline/": len(entries),
        "rooms": len(arrows),
        "arrows between rooms": sum(map(len, arrows.values())),
        "floors": floors(arrows),
        "modules": len(modules),
        "lines": sum(lines.values()),
        "median module": int(median(lines.values())),
        "longest module": max(lines.values()),
        "packages without a docstring": sum(not docstrings(it)[0] for it in modules if it.name == "__init__.py"),
        "docstrings that name nothing": sum(
            bool(NAMES_NOTHING.match(text)) for it in modules for text in docstrings(it)
        ),
    }


def room_arrows() -> dict[str, set[str]]:
    """Return the rooms that each room imports."""
    graph = grimp.build_graph(*ROOTS, cache_dir=None)
    arrows: dict[str, set[str]] = {room_of(module): set() for module in graph.modules}
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            arrows[room_of(module)].add(room_of(imported))
    return {room: below - {room} for room, below in arrows.items()}


def room_of(module: str) -> str:
    """Return the room that a module is in."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "pipeline" else parts[0]


def floors(arrows: dict[str, set[str]]) -> int:
    """Return on how many floors the rooms stand.

    Raises:
        RecursionError: rooms import each other in a circle.
    """

    @cache
    def floor(room: str) -> int:
        return 1 + max(map(floor, arrows[room]), default=0)

    return max(map(floor, arrows))


def docstrings(path: Path) -> list[str]:
    """Return the docstrings of a module, its own first; empty where there is none."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(path.read_text())
    return [ast.get_docstring(it) or "" for it in (tree, *(it for it in ast.walk(tree) if isinstance(it, kinds)))]


if __name__ == "__main__":
    sys.exit(main())
