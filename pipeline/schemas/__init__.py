"""The JSON Schemas of the files that an episode leaves behind."""

import json
from importlib.resources import files
from typing import Any

from pipeline.types import Analysis, EpisodeResult, Model, Transcript

MODELS: dict[str, type[Model]] = {"transcript": Transcript, "analysis": Analysis, "result": EpisodeResult}


def schema(name: str) -> dict[str, Any]:
    """Return the shipped schema of `transcript.json`, `analysis.json` or `result.json` by its stem."""
    text = files(__name__).joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def render(name: str) -> str:
    """Return the schema as the types give it; `python -m pipeline.schemas` writes it to its file."""
    own = MODELS[name].model_json_schema(by_alias=True, mode="serialization")
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **own}, indent=1) + "\n"
