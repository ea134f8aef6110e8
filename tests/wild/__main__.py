"""Print what is accepted and what is refused, and why: `python -m tests.wild [DOOR...]`, such as `feeds names`."""

import sys
import tempfile
from pathlib import Path
from textwrap import shorten

from rich.console import Console
from rich.table import Table

from tests.wild.doors import DOORS


def main(names: list[str]) -> int:
    """Send in the cases of some doors, or of all, and return 1 if an answer is another than the one expected."""
    table = Table("Kind", "Given", "Answer")
    wrong = 0
    for door in DOORS:
        if names and door.name not in names:
            continue
        with tempfile.TemporaryDirectory(prefix="duet-wild-") as folder:
            found = door.answers(door.cases, Path(folder))
        for case in door.cases:
            is_right = case.answer in found[case]
            wrong += not is_right
            table.add_row(case.kind, case.given, shorten(found[case], 200), style=None if is_right else "red")
        table.add_section()
    Console(markup=False).print(table)
    print(f"{table.row_count - wrong} of {table.row_count} as expected")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
