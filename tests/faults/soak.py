"""Hundreds of episodes while something breaks every two seconds, and the accounting: `make soak`."""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from pipeline.errors import BrokerError
from pipeline.state.job_store import JobStore
from pipeline.types.pools import POOLS
from tests.dripping import start_dripping
from tests.faults.accounting import Accounting
from tests.faults.fleet import LOOK_S, Fleet, Process
from tests.faults.revisits import Revisits

WORKERS = 2
"""Of each pool."""
CLIENTS = 3
"""Each submits every episode, so all but one of them must find that it is there already."""
STANDSTILL_S = 6.0
WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ODD_NAMES = (
    "Episode #{number} – what now? 100%",
    "Эпизод {number}",
    "第{number}集",
    os.fsdecode(b"caf\xe9 {number}"),
    "-{number} [live]",
    "{number} 'one' \"two\" & three;",
    "long-{number}-" + "x" * 220,
)
ODD_EVERY = 5
"""Of the episodes one in so many has an odd name."""
REVISITED_EVERY = 4
"""Of the episodes one in so many is asked for again, in other ways, when it is done."""


def name_of(number: int) -> str:
    """Return the name of an episode: a plain one, or one that people give and programs trip over."""
    odd = ODD_NAMES[number // ODD_EVERY % len(ODD_NAMES)]
    return odd.format(number=number) if number % ODD_EVERY == 0 else f"episode-{number:04d}"


class Soak:
    """A fleet, what may happen to it, and what did."""

    def __init__(self, fleet: Fleet, episodes: int, seed: int) -> None:
        self.fleet = fleet
        self.random = random.Random(seed)
        self.stems = [name_of(number) for number in range(episodes)]
        self.revisited = self.stems[::REVISITED_EVERY]
        self.revisits = Revisits(fleet, self.revisited, seed)
        self.happened: Counter[str] = Counter()
        self._until: dict[str, float] = {}
        """When each process that stands still goes on."""

    @property
    def faults(self) -> list[tuple[int, Callable[[], object]]]:
        """What may happen, and how often relative to the others."""
        return [
            (6, self.kill_a_child),
            (5, self.kill_a_worker),
            (4, self.stop_a_worker),
            (3, self.freeze_a_worker),
            (3, self.kill_the_broker),
            (2, self.freeze_the_broker),
            (2, self.kill_the_clock),
            (2, self.kill_a_client),
            (1, self.kill_a_pool),
            (1, self.kill_everything),
        ]

    def start(self) -> None:
        """Start the fleet and its clients."""
        for stem in self.stems:
            self.fleet.audio(stem)
        self.fleet.start_broker()
        for pool in POOLS:
            for number in range(WORKERS):
                self.fleet.start_worker(pool, f"{pool}-{number}")
        self.fleet.start_clock()
        for number in range(CLIENTS):
            self.fleet.start_client(f"client-{number}", seed=number)

    def break_something(self) -> None:
        """Let one thing happen, by chance."""
        weights, faults = zip(*self.faults, strict=True)
        fault = self.random.choices(faults, weights)[0]
        fault()
        self.happened[fault.__name__] += 1

    def restart_ended(self) -> None:
        """Do what a supervisor does: start again what has ended, and let go on what stands still."""
        now = time.monotonic()
        for name in [name for name, until in self._until.items() if until <= now]:
            del self._until[name]
            self.fleet.processes[name].thaw()
        self.fleet.revive()
        self.revisits.look()

    def is_over(self) -> bool:
        """Whether every episode has been submitted and has ended."""
        try:
            job_store = JobStore(self.fleet.redis())
            episodes = {job.partition("-")[0] for job in job_store.jobs()}
            come_back = self.revisits.asked.total() >= len(self.revisited)
            return come_back and len(episodes) == len(self.stems) and not job_store.open_jobs()
        except BrokerError:
            return False  # it is what is broken just now

    def kill_a_child(self) -> None:
        with suppress(psutil.NoSuchProcess):  # it has died already
            if children := self._any("whisper-", "voxtral-", "cpu-").children():
                self.random.choice(children).kill()

    def kill_a_worker(self) -> None:
        self._any("whisper-", "voxtral-", "cpu-").kill()

    def stop_a_worker(self) -> None:
        self._any("whisper-", "voxtral-", "cpu-").send(signal.SIGTERM)

    def freeze_a_worker(self) -> None:
        self._freeze(self._any("whisper-", "voxtral-"))

    def kill_the_broker(self) -> None:
        self._any("valkey").kill()

    def freeze_the_broker(self) -> None:
        self._freeze(self._any("valkey"))

    def kill_the_clock(self) -> None:
        self._any("beat").kill()

    def kill_a_client(self) -> None:
        self._any("client-").kill()

    def kill_a_pool(self) -> None:
        pool = self.random.choice(list(POOLS))
        for process in self._all(f"{pool}-"):
            process.kill()

    def kill_everything(self) -> None:
        for process in self.fleet.processes.values():
            process.kill()

    def _freeze(self, process: Process) -> None:
        process.freeze()
        self._until[process.name] = time.monotonic() + self.random.uniform(1.0, STANDSTILL_S)

    def _any(self, *prefixes: str) -> Process:
        return self.random.choice(self._all(*prefixes))

    def _all(self, *prefixes: str) -> list[Process]:
        return [it for name, it in self.fleet.processes.items() if name.startswith(prefixes)]


def run(folder: Path, episodes: int, seed: int, every_s: float, limit_s: float) -> tuple[Accounting, Counter[str]]:
    """Run one soak to its end, or to the limit, and return what became of the episodes and what had happened."""
    fleet = Fleet(folder, FAST_WINDOW_S="0.1", DUET_WEBHOOK_SECRET=WEBHOOK_SECRET, DUET_ALLOWED_HOSTS="127.0.0.1")
    soak = Soak(fleet, episodes, seed)
    deadline = time.monotonic() + limit_s
    try:
        with start_dripping() as receiver, fleet.client():
            fleet.variables["CLIENT_ON_COMPLETED"] = receiver.url
            soak.start()
            next_at = time.monotonic() + every_s
            while not soak.is_over() and time.monotonic() < deadline:
                if time.monotonic() >= next_at:
                    soak.break_something()
                    soak.revisits.come_back()
                    next_at = time.monotonic() + every_s
                soak.restart_ended()
                time.sleep(LOOK_S / 5)
            audio, again = ([fleet.path(stem) for stem in stems] for stems in (soak.stems, soak.revisited))
            soak.revisits.look()
            overwritten = soak.revisits.overwritten
            figures = Accounting.of(audio, again, fleet.results, fleet.stage.journal(), overwritten)
            return figures, soak.happened + soak.revisits.asked
    finally:
        fleet.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="a fault that often")
    parser.add_argument("--limit", type=float, default=3600.0, metavar="SECONDS", help="what has not ended is lost")
    parser.add_argument("--folder", type=Path, help="keep everything there; else it is removed when all is well")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="duet-soak-"))
    started = time.monotonic()
    figures, happened = run(folder, asked.episodes, asked.seed, asked.every, asked.limit)
    took_s = time.monotonic() - started
    print(f"{asked.episodes} episodes, seed {asked.seed}, {happened.total()} faults in {took_s:.0f} s")
    print("faults:    ", ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in happened.most_common()))
    for name in ("submitted", "completed", "partial", "failed", "duplicates", "lost", "overwritten"):
        print(f"{name + ':':<13}{getattr(figures, name)}")
    print(f"done again: {figures.done_again:.1%} of the windows")
    for reason in figures.reasons:
        print(f"reason:     {reason}")
    print(f"kept in:    {folder}")
    sys.exit(bool(figures.duplicates or figures.lost or figures.overwritten))


if __name__ == "__main__":
    main()
