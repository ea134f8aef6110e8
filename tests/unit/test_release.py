"""What a release must say is said; `make release-check` looks at the rest."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_version_in_the_changelog_says_how_to_upgrade() -> None:
    _, *sections = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)
    assert sections[0].startswith("Unreleased")
    for section in sections:
        title, _, text = section.partition("\n")
        assert title == "Unreleased" or re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", title), title
        assert "### Upgrading\n" in text, title
