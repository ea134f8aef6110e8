"""The JSON Schemas of the result files of episodes and batches."""

import json
from importlib.resources import files
from typing import Any

from pipeline.types import Analysis, Diarization, EpisodeResult, Model, Transcript
from pipeline.types.corrections import Corrections, Rules
from pipeline.types.podcasting import PlayerChapters, PlayerTranscript
from pipeline.types.report import BatchReport

MODELS: dict[str, type[Model]] = {
    "transcript": Transcript,
    "transcript.podcast": PlayerTranscript,
    "speakers": Diarization,
    "analysis": Analysis,
    "chapters": PlayerChapters,
    "result": EpisodeResult,
    "corrections": Corrections,
    "replacements": Rules,
    "batch": BatchReport,
}
"""The model of each JSON file, by its name without `.json`."""


def schema(name: str) -> dict[str, Any]:
    """Return the shipped schema of a file in `MODELS`, such as `result` for `result.json`."""
    text = files(__name__).joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def render(name: str) -> str:
    """Return the schema of the current types; `python -m pipeline.types.schemas` writes it to its file."""
    own = MODELS[name].model_json_schema(by_alias=True, mode="serialization")
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **own}, indent=1) + "\n"
