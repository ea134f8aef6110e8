"""Writes the schema files from the types: `python -m pipeline.types.schemas`."""

from pathlib import Path

from pipeline.types.schemas import MODELS, render

for name in MODELS:
    Path(__file__).with_name(f"{name}.schema.json").write_text(render(name), encoding="utf-8")
