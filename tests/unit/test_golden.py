"""Outputs as a person reads them; `python -m tests.golden` writes them anew when they are meant to change."""

import json

import jsonschema

from pipeline.types.schemas import schema
from tests.golden.show import FOLDER, rendered_show


def test_every_readable_output_is_as_it_was_read_and_found_good() -> None:
    for name, data in rendered_show().items():
        assert (FOLDER / name).read_text("utf-8") == data.decode(), name


def test_no_output_is_missing_and_none_is_left_over() -> None:
    there = {path.name for path in FOLDER.iterdir() if path.suffix not in (".py", ".pyc") and path.is_file()}

    assert there == {*rendered_show(), "result.json"}


def test_the_result_is_as_its_schema_says() -> None:
    jsonschema.validate(json.loads((FOLDER / "result.json").read_text("utf-8")), schema("result"))
