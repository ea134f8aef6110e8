"""Whatever is set for a container, a cluster or a unit is a setting that Duet knows."""

import re
from pathlib import Path

import pytest

from pipeline.settings import Settings
from pipeline.types.pools import POOL_VARIABLE

ROOT = Path(__file__).parents[2]
PLACES = ("docker-compose.yml", "docker-compose.gpu.yml", ".env.example", "docker", "docs/deploy.md")
KNOWN = {f"DUET_{name.upper()}" for name in Settings.model_fields} | {POOL_VARIABLE, "DUET_ALLOW_CUDA"}


def files() -> list[Path]:
    found = [place for name in PLACES if (place := ROOT / name).exists()]
    return [file for place in found for file in (place.rglob("*") if place.is_dir() else [place]) if file.is_file()]


@pytest.mark.parametrize("file", files(), ids=lambda it: str(it.relative_to(ROOT)))
def test_every_setting_is_one(file: Path) -> None:
    named = set(re.findall(r"\bDUET_[A-Z0-9_]+", file.read_text("utf-8")))
    assert named <= KNOWN, f"{sorted(named - KNOWN)} in {file.name} is no field of pipeline/settings.py"
