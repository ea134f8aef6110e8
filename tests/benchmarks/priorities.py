"""Who waits how long in a mixed queue: `python -m tests.benchmarks.priorities`.

The messages are real ones in the lists of a real Valkey, taken in the order in which kombu takes them, and moved
by the clock's own `promote`; only the worker is none: it "works" by a clock of the benchmark's own, so that hours
pass in a moment. Three hours of a pool that is always busy: a batch of long and short episodes, short ones that
keep coming from another batch for as long as there is work, and now and then a single one.
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from pipeline.messaging import chord
from pipeline.messaging.priorities import LONG, SHORT, SINGLE
from pipeline.messaging.promotion import promote
from pipeline.messaging.queues import lists_of
from pipeline.state.job_store import INDEX
from pipeline.state.redis import connect
from pipeline.types import Episode, JobSpec, Options
from tests.batches import own_settings
from tests.services import start_valkey

WORK_S = {"long": 60.0, "short": 5.0, "single": 10.0}
"""Seconds of work, such as an hour, five minutes and ten minutes of audio take at 60 times the speed."""
NORMAL = {"long": LONG, "short": SHORT, "single": SINGLE}
END_S = 3 * 3600.0
TICK_S = 30.0


@dataclass(frozen=True)
class Arrival:
    """An episode that is submitted at some time."""

    at_s: float
    kind: str
    number: int

    @property
    def id(self) -> str:
        return f"{self.number:016x}"


def main() -> None:
    """Print one row a kind of episode and way of serving them."""
    print("| | episode | served | mean wait | longest wait | not served after 3 h |")
    print("|---|---|---|---|---|---|")
    for name, priorities, age_s in (
        ("first come, first served", dict.fromkeys(NORMAL, 5), None),
        ("priorities alone", NORMAL, None),
        ("priorities and age, 600 s", NORMAL, 600.0),
    ):
        arrivals = list(day())
        begun = simulate(arrivals, priorities, age_s)
        waits = defaultdict(list)
        for it in arrivals:
            if it.number in begun:
                waits[it.kind].append(begun[it.number] - it.at_s)
        for kind in WORK_S:
            left = sum(it.kind == kind for it in arrivals) - len(waits[kind])
            own = waits[kind]
            figures = f"{mean(own):.0f} s | {max(own):.0f} s" if own else "never | never"
            print(f"| {name} | {kind} | {len(own)} | {figures} | {left} |")


def day() -> Iterator[Arrival]:
    """Yield what is submitted: the batch at once, then a short one every 5.2 s and a single one every 300 s."""
    times = [(0.0, "long")] * 40 + [(0.0, "short")] * 100
    times += [(5.2 * step, "short") for step in range(1, int(END_S / 5.2))]
    times += [(300.0 * step, "single") for step in range(1, int(END_S / 300))]
    yield from (Arrival(at_s, kind, number) for number, (at_s, kind) in enumerate(sorted(times)))


def simulate(arrivals: list[Arrival], priorities: dict[str, int], age_s: float | None) -> dict[int, float]:
    """Return when each episode is begun, by its number."""
    with tempfile.TemporaryDirectory() as folder, start_valkey(Path(folder)) as url, own_settings(url, Path(folder)):
        client, lists = connect(), lists_of("whisper")
        waiting = list(reversed(arrivals))
        kinds = {it.id: it for it in arrivals}
        begun: dict[int, float] = {}
        now_s = next_tick_s = 0.0
        while now_s < END_S:
            come = []
            while waiting and waiting[-1].at_s <= now_s:
                come.append(waiting.pop())
            chord.send_many(_spec(it, priorities[it.kind]) for it in come)
            if come:
                client.zadd(INDEX, {_job(it): it.at_s for it in come})
            if age_s and now_s >= next_tick_s:
                promote(client, now_s, age_s)
                next_tick_s = now_s + TICK_S
            taken = next((text for name in lists if (text := client.rpop(name))), None)
            if taken is None:
                now_s = waiting[-1].at_s if waiting else END_S
                continue
            it = kinds[json.loads(str(taken))["headers"]["id"][:16]]
            begun[it.number] = now_s
            now_s += WORK_S[it.kind]
        return begun


def _job(it: Arrival) -> str:
    return f"{it.id}-00000000"


def _spec(it: Arrival, priority: int) -> JobSpec:
    return JobSpec(
        job=_job(it),
        attempt=1,
        episode=Episode(id=it.id, source=f"{it.kind}.mp3", slug=it.kind, size_bytes=1),
        options=Options(),
        audio_uri="file:///audio",
        uri="file:///results",
        priority=priority,
    )


if __name__ == "__main__":
    main()
