"""A client pays for what it uses, and for nothing a pool needs."""

import os
import subprocess
import sys

import pytest

HEAVY = {"torch", "whisper", "transformers", "mistral_common", "av", "numpy"}
TRIES = 3


def fresh(code: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    return done.stdout


def loaded_after(statement: str) -> set[str]:
    return set(fresh(f"{statement}\nimport sys\nprint(*(name for name in sys.modules if '.' not in name))").split())


def test_importing_the_package_is_quick() -> None:
    code = "import time; t = time.process_time(); import pipeline; print(time.process_time() - t)"

    assert min(float(fresh(code)) for _ in range(TRIES)) < 0.5


def test_importing_the_package_brings_nothing_heavy() -> None:
    loaded = loaded_after("import pipeline")

    assert "pipeline" in loaded
    assert not loaded & (HEAVY | {"celery", "boto3", "redis", "pydantic"})


@pytest.mark.parametrize("name", ["submit", "submit_folder", "Job", "Transcript"])
def test_a_client_needs_no_torch(name: str) -> None:
    loaded = loaded_after(f"from pipeline import {name}")

    assert "pydantic" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("module", ["pipeline.celery", "beat.schedule"])
def test_only_the_process_that_runs_a_model_loads_torch(module: str) -> None:
    # The parent of each pool, the processes of the cpu pool and beat start with what Celery's app includes.
    loaded = loaded_after(f"import {module}\nfrom pipeline.celery import app\napp.loader.import_default_modules()")

    assert {"celery", "tasks"} <= loaded
    assert not loaded & HEAVY


def test_every_public_name_is_there() -> None:
    assert fresh("import pipeline\nfor name in pipeline.__all__: getattr(pipeline, name)\nprint('all')") == "all\n"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    code = "import pipeline\ntry: pipeline.sumbit\nexcept AttributeError as error: print(error)"

    assert fresh(code) == "module 'pipeline' has no attribute 'sumbit'\n"
