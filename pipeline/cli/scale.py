"""`duet scale`: the number of GPU hosts needed now, with the reason."""

import json
from typing import Annotated

import typer

from pipeline.cli.terminal import console


def scale(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show how many GPU hosts the backlog needs; beat requests them from the autoscaler of DUET_SCALE."""
    from pipeline.scaling.drivers import driver
    from pipeline.scaling.scaler import Scaler
    from pipeline.settings import settings
    from pipeline.state.job_store import JobStore

    status = Scaler(JobStore(), driver(settings().scale or "print")).status()
    now, decision = status.cluster, status.decision
    if as_json:
        report = {"hosts": now.hosts, "wanted": decision.hosts, "reason": decision.reason, "jobs": now.jobs}
        print(json.dumps(report | {"backlog_s": dict(now.backlog_s), "speeds": dict(now.speeds)}))
        return
    for leg, seconds in now.backlog_s.items():
        speed = f"{now.speeds[leg]:.1f} times real time on a host" if leg in now.speeds else "no speed measured yet"
        console.print(f"{leg:<9}{seconds / 3600:>8.2f} h of audio queued, {speed}", highlight=False)
    console.print(f"Hosts: {decision.hosts} wanted, {now.hosts} running.", highlight=False)
    console.print(f"{decision.reason}.", markup=False, highlight=False)
    if settings().scale is None:
        console.print("Nothing is scaled. Set DUET_SCALE=print or asg:<group> on the machines of the cpu pool.")
