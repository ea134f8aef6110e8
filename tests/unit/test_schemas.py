import pytest

from pipeline.schemas import MODELS, render, schema


@pytest.mark.parametrize("name", MODELS)
def test_the_shipped_schema_is_the_one_the_types_give(name: str) -> None:
    import json

    assert schema(name) == json.loads(render(name)), "run: python -m pipeline.schemas"
