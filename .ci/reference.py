"""Writes docs/settings.md from the settings class and docs/cli.md from the commands.

`python .ci/reference.py` writes both; with `--check` it fails where one is not up to date, which `make lint` runs.
"""

import inspect
import sys
from pathlib import Path
from typing import Any, get_args

import typer
from pydantic_core import PydanticUndefined

from pipeline.cli import app
from pipeline.settings import Settings

HEAD = "<!-- Written by .ci/reference.py; `make reference` writes it again. -->\n"
DOCS = Path(__file__).parents[1] / "docs"


def main() -> int:
    """Write or check the files; return 1 where one is not up to date."""
    old = 0
    for name, text in (("settings.md", settings_page()), ("cli.md", cli_page())):
        path = DOCS / name
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            print(f"docs/{name} is not up to date; run `make reference`.", file=sys.stderr)
            old = 1
    return old


def settings_page() -> str:
    """Return the reference of all settings."""
    rows = [
        f"| `DUET_{name.upper()}` | {_default(field)} | {_line(field.description)} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join([
        f"{HEAD}\n# Settings\n",
        "Each setting is an environment variable. An empty variable counts as unset. [pipeline/settings.py]"
        "(../pipeline/settings.py) defines them.\n",
        "| variable | default | description |",
        "|---|---|---|",
        *rows,
        "",
    ])  # fmt: skip


def _default(field: Any) -> str:
    if field.default is PydanticUndefined:
        return "a folder of the user's"
    if field.default is None or field.default == ():
        return "unset"
    return f"`{field.default}`"


def cli_page() -> str:
    """Return the reference of all commands."""
    root = typer.main.get_command(app)
    intro = "Every command has `--help` with an example. Commands that report have `--json`.\n"
    return "\n".join([f"{HEAD}\n# Commands\n", intro, *_sections(root, "duet"), ""])


def _sections(command: Any, path: str) -> list[str]:
    if hasattr(command, "commands"):
        context = command.make_context(path, [], resilient_parsing=True)
        named = [command.resolve_command(context, [name])[:2] for name in command.commands]
        return [line for name, it in named for line in _sections(it, f"{path} {name}")]
    arguments = [it for it in command.params if it.param_type_name == "argument"]
    usage = " ".join([path, *(it.metavar or it.name.upper() for it in arguments)])
    lines = [f"## {path}\n", f"`{usage}`\n", f"{inspect.cleandoc(command.help or '')}\n"]
    if rows := [_row(it) for it in command.params if "--help" not in it.opts and not it.hidden]:
        lines += ["| | |", "|---|---|", *rows, ""]
    return [*lines, f"{command.epilog}\n"] if command.epilog else lines


def _row(it: Any) -> str:
    if it.param_type_name == "argument":
        return f"| `{it.metavar or it.name.upper()}` | {_line(it.help)} |"
    names = ", ".join((*it.opts, *it.secondary_opts))
    value = "" if it.is_flag else f" {_line(it.metavar or _metavar(it.type_descriptor.annotation))}"
    is_shown = not it.is_flag and isinstance(it.default, str | int | float)
    default = f" Default: `{it.default}`." if is_shown else ""
    return f"| `{names}{value}` | {_line(it.help)}{default} |"


def _metavar(annotation: Any) -> str:
    choices = [it for it in get_args(annotation) if isinstance(it, str)]
    return "|".join(choices) if choices else {int: "N", float: "X"}.get(annotation, "TEXT")


def _line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
