"""What every test may use: the sample episodes, and real weights."""

import os
from pathlib import Path

import pytest

# Tests run side by side on few cores; threads that spin while they wait would take them from each other.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ["HF_HUB_OFFLINE"] = "1"

EPISODES = Path(__file__).parent / "episodes"


@pytest.fixture(scope="session")
def episodes() -> dict[str, Path]:
    """The sample episodes by their names."""
    return {path.stem: path for path in sorted(EPISODES.iterdir()) if path.suffix in (".mp3", ".m4a", ".ogg")}
