"""The schemas that we ship: those of the types, and what we write is as they say."""

import json
from pathlib import Path

import jsonschema
import pytest

from pipeline.types.schemas import MODELS, render, schema

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("name", MODELS)
def test_the_shipped_schema_is_the_one_the_types_give(name: str) -> None:
    assert schema(name) == json.loads(render(name)), "run: python -m pipeline.types.schemas"


@pytest.mark.parametrize("path", sorted(GOLDEN.rglob("*.json")), ids=lambda path: str(path.relative_to(GOLDEN)))
def test_what_an_episode_leaves_behind_is_as_its_schema_says(path: Path) -> None:
    jsonschema.validate(json.loads(path.read_text("utf-8")), schema(path.stem))
