"""What a day costs and how long episodes wait, for fleets of 1 to 1,000 hosts and for the scaler: a simulation.

    python -m tests.benchmarks.scale_sim --plot cost.svg

Who decides is the function that the clock uses (pipeline/scaling/decision.py); arrivals, hosts and interruptions
are simulated. The speeds are those of docs/benchmarks.md unless you give your own: Whisper base on two CPU cores,
and Voxtral's code with a model scaled down to 1.4 million parameters, which is **not** the speed of Voxtral. Give
what `duet scale` says of your hosts.
"""

import argparse
import math
import random
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from pipeline.scaling.decision import Limits
from tests.benchmarks.fleet_sim import Day, Fleet, World
from tests.benchmarks.scale_plot import Point, svg

HOURS = (1, 1, 1, 2, 5, 9, 10, 8, 6, 5, 4, 4, 4, 4, 4, 5, 6, 6, 5, 4, 3, 2, 2, 1)
"""How many episodes come in each hour of the day, in relation to each other: most are published in the morning."""
SIZES = (1, 3, 10, 30, 100, 300, 1000)
TARGETS_S = (900, 1800, 3600, 4 * 3600)
SPREAD = 0.6
"""Standard deviation of the logarithm of the episodes' lengths."""


@dataclass(frozen=True)
class Row:
    """One policy and what became of the day under it."""

    name: str
    day: Day
    cost: float

    @property
    def waits_s(self) -> list[float]:
        """From arrival to the end of both legs, shortest first."""
        return sorted(it.done_at - it.arrived_at for it in self.day.jobs)


def main() -> None:
    asked = _arguments()
    jobs = arrivals(asked.episodes, asked.burst, asked.minutes, random.Random(asked.seed))
    world = World(
        speeds={"whisper": asked.whisper, "voxtral": asked.voxtral},
        start_s=asked.start_s,
        interruptions_per_hour=asked.interruptions,
        lost_s=asked.lost_s,
    )
    audio_s = sum(audio for _, audio in jobs)
    print(
        f"{len(jobs):,} episodes, {audio_s / 3600:,.0f} hours of audio, {asked.burst:,} of them at noon; Whisper "
        f"{asked.whisper:g} and Voxtral {asked.voxtral:g} times real time on a host; each host taken away "
        f"{asked.interruptions:g} times an hour; {asked.price:g} an hour\n"
    )
    print(f"{'hosts':<24}{'most':>6}{'cost':>11}{'per audio h':>13}{'p50 wait':>10}{'p95 wait':>10}", end="")
    print(f"{'drained at':>12}{'taken':>7}{'again':>8}{'played in':>11}")
    policies: list[tuple[str, int, Limits | None]] = [(f"{size} all day", size, None) for size in SIZES]
    policies += [(f"scaled, {_span(it)} target", 0, _limits(it, asked)) for it in TARGETS_S]
    rows = [_play(name, world, jobs, hosts, limits, asked) for name, hosts, limits in policies]
    if asked.plot:
        points = [Point(it.name, it.waits_s[int(len(jobs) * 0.95)], it.cost, "scaled" in it.name) for it in rows]
        asked.plot.write_text(svg(points), "utf-8")
        print(f"\n{asked.plot}")


def arrivals(episodes: int, burst: int, minutes: float, chance: random.Random) -> list[tuple[float, float]]:
    """Return when each episode of a day comes and how many seconds it lasts; `burst` of them come at noon."""
    middle = math.log(minutes * 60) - SPREAD**2 / 2
    hours = chance.choices(range(24), HOURS, k=episodes - burst)
    times = sorted([(hour + chance.random()) * 3600 for hour in hours] + [12 * 3600.0] * burst)
    return [(at, chance.lognormvariate(middle, SPREAD)) for at in times]


def _play(
    name: str,
    world: World,
    jobs: list[tuple[float, float]],
    hosts: int,
    limits: Limits | None,
    asked: argparse.Namespace,
) -> Row:
    began = time.monotonic()
    day = Fleet(world, jobs, hosts, limits, asked.seed).play()
    row = Row(name, day, day.host_s / 3600 * asked.price)
    audio_s = sum(it.audio_s for it in day.jobs)
    cuts = quantiles(row.waits_s, n=20)
    line = f"{name:<24}{day.most_hosts:>6}{row.cost:>11,.0f}{row.cost / audio_s * 3600:>13.3f}"
    line += f"{_span(cuts[9]):>10}{_span(cuts[18]):>10}{_span(day.drained_at):>12}"
    line += f"{day.interruptions:>7}{day.again_s / audio_s / 2:>8.2%}{time.monotonic() - began:>9.1f} s"
    print(line, flush=True)
    return row


def _limits(target_s: float, asked: argparse.Namespace) -> Limits:
    return Limits(
        drain_target_s=target_s,
        start_s=asked.start_s,
        shrink_after_s=600,
        min_hosts=0,
        max_hosts=SIZES[-1],
        price_per_hour=asked.price,
        budget_per_hour=asked.budget,
    )


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=10_000, help="of the day")
    parser.add_argument("--burst", type=int, default=2_000, help="how many of them come at noon, at once")
    parser.add_argument("--minutes", type=float, default=40.0, help="mean length of an episode")
    parser.add_argument("--whisper", type=float, default=10.6, help="times real time of one host")
    parser.add_argument("--voxtral", type=float, default=88.0, help="times real time of one host")
    parser.add_argument("--price", type=float, default=1.0, help="of a host's hour, in whatever money")
    parser.add_argument("--budget", type=float, help="most that all hosts may cost in an hour")
    parser.add_argument("--start-s", type=float, default=180.0, help="from asking for a host until it works")
    parser.add_argument("--interruptions", type=float, default=0.05, help="of each host in an hour")
    parser.add_argument("--lost-s", type=float, default=30.0, help="audio heard again after an interruption")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", type=Path, help="an SVG of cost against waiting")
    return parser.parse_args()


if __name__ == "__main__":
    main()
