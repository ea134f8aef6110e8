"""API keys: who may use a server, how much, and for how long."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest

from pipeline.state.api_keys import ApiKeyStore
from tests.faults.fleet import ROOT, Fleet, wait_until
from tests.http.server import Server, audio, environment, serve

pytestmark = pytest.mark.xdist_group("http")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose broker has a key; it has workers of its own, since keys are the broker's."""
    fleet = Fleet(tmp_path_factory.mktemp("guarded"))
    try:
        fleet.start_all()
        with serve(fleet, fleet.results) as running:
            ApiKeyStore(fleet.redis()).add("first")
            yield running
    finally:
        fleet.stop()


def made(server: Server, **limits: int) -> tuple[dict[str, str], str]:
    kept, key = ApiKeyStore(server.fleet.redis()).add("test", **limits)
    return {"Authorization": f"Bearer {key}"}, kept.id


def duet(fleet: Fleet, *arguments: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "pipeline.cli", *arguments]
    return subprocess.run(
        argv, cwd=ROOT, env=environment(fleet, COLUMNS="200"), capture_output=True, text=True, timeout=60, check=False
    )


def test_a_key_of_the_shell_opens_the_server_until_it_is_revoked(guarded: Server) -> None:
    added = json.loads(duet(guarded.fleet, "keys", "add", "newsroom", "--json").stdout)
    header = {"Authorization": f"Bearer {added['key']}"}

    assert guarded.http.get("/jobs").status_code == 401
    assert guarded.http.get("/jobs", headers=header).status_code == 200
    assert added["key"] not in str(guarded.fleet.redis().hgetall("duet:keys")), "only its digest is kept"

    revoked = duet(guarded.fleet, "keys", "revoke", "newsroom")

    assert revoked.returncode == 0, revoked.stderr
    assert guarded.http.get("/jobs", headers=header).status_code == 401
    assert "newsroom" in duet(guarded.fleet, "keys", "ls").stdout


@pytest.mark.parametrize(
    "key", ["nonsense", "duet_", "duet_00000000_wrong", "duet_00000000_" + "x" * 5000, "Ü", "duet_\x7f_"]
)
def test_what_is_no_key_opens_nothing(guarded: Server, key: str) -> None:
    answer = guarded.http.get("/jobs", headers={"Authorization": f"Bearer {key}".encode()})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "duet keys add" in answer.json()["detail"]


def test_a_key_with_the_right_id_and_another_secret_opens_nothing(guarded: Server) -> None:
    header, _ = made(guarded)
    wrong = {"Authorization": header["Authorization"][:-1] + "~"}

    assert guarded.http.get("/jobs", headers=wrong).status_code == 401


def test_more_requests_a_minute_than_the_key_may_make_wait(guarded: Server) -> None:
    header, _ = made(guarded, requests_per_minute=3)

    answers = [guarded.http.get("/jobs", headers=header) for _ in range(4)]

    assert [it.status_code for it in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 61
    assert guarded.http.get("/jobs", headers=made(guarded)[0]).status_code == 200, "others are not held up"


def test_openais_client_raises_its_own_errors_about_keys(guarded: Server) -> None:
    header, _ = made(guarded, requests_per_minute=1)
    wrong = openai.OpenAI(base_url=f"{guarded.url}/v1", api_key="sk-wrong", max_retries=0)
    right = openai.OpenAI(
        base_url=f"{guarded.url}/v1", api_key=header["Authorization"].removeprefix("Bearer "), max_retries=0
    )

    with pytest.raises(openai.AuthenticationError, match="This key is not known") as refused:
        wrong.models.list()
    assert (refused.value.code, refused.value.type) == ("invalid_api_key", "invalid_request_error")
    assert next(iter(right.models.list())).id == "whisper-1"
    with pytest.raises(openai.RateLimitError, match="1 requests a minute") as refused_again:
        right.models.list()
    assert refused_again.value.code == "rate_limit_exceeded"


def test_more_at_once_than_the_key_may_have_are_refused_and_the_others_done(guarded: Server) -> None:
    header, key = made(guarded, at_once=2)
    holds = [guarded.fleet.stage.hold(f"whisper.at-once-{number}.0") for number in range(2)]

    def send(number: int) -> httpx.Response:
        files = {"file": (f"at-once-{number}.mp3", audio())}
        return guarded.http.post("/transcribe", files=files, headers=header)

    with ThreadPoolExecutor() as threads:
        held = [threads.submit(send, number) for number in range(2)]
        wait_until(lambda: guarded.fleet.redis().zcard(f"duet:slots:{key}") == 2, "both are at work")
        refused = send(2)
        for hold in holds:
            hold.unlink()
        answers = [it.result() for it in held]

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert [it.status_code for it in answers] == [200, 200]
    assert send(3).status_code == 200, "a place is free again"


def test_a_page_of_another_site_cannot_use_a_server_that_needs_no_key(server: Server) -> None:
    foreign = [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]

    assert [server.http.get("/jobs", headers=it).status_code for it in foreign] == [403, 403]
    assert server.http.get("/jobs", headers={"Origin": server.url}).status_code == 200


def test_a_name_that_was_made_to_lead_here_opens_nothing(server: Server) -> None:
    assert server.http.get("/jobs", headers={"Host": "rebound.example"}).status_code == 401


def test_without_a_key_nothing_listens_to_other_machines(fleet: Fleet) -> None:
    done = duet(fleet, "serve", "--host", "0.0.0.0", "--port", "1")

    assert done.returncode == 2
    assert "make a key first with `duet keys add NAME`" in done.stderr
    assert "Traceback" not in done.stderr
