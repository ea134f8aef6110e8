"""Outputs as a person reads them; `python -m tests.golden` writes them anew when they are meant to change."""

import json
from pathlib import Path

import jsonschema
import pytest

from pipeline.types.schemas import schema
from tests.golden.show import FOLDERS, rendered

of_each_episode = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


@of_each_episode
def test_every_readable_output_is_as_it_was_read_and_found_good(folder: Path) -> None:
    for name, data in rendered(folder).items():
        assert (folder / name).read_text("utf-8") == data.decode(), name


@of_each_episode
def test_no_output_is_missing_and_none_is_left_over(folder: Path) -> None:
    there = {path.name for path in folder.iterdir() if path.suffix not in (".py", ".pyc") and path.is_file()}

    assert there == {*rendered(folder), "result.json"}


@of_each_episode
def test_the_result_is_as_its_schema_says(folder: Path) -> None:
    jsonschema.validate(json.loads((folder / "result.json").read_text("utf-8")), schema("result"))
