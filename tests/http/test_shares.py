"""Servers that take their time, named by one caller, keep no other caller waiting."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest

from pipeline.http.job_requests import DOWNLOADS_AT_ONCE
from pipeline.state.api_keys import ApiKeyStore
from tests.batches import ID3
from tests.dripping import start_dripping
from tests.faults.fleet import Fleet, wait_until
from tests.http.server import Server, serve
from tests.web import start_site

pytestmark = pytest.mark.xdist_group("http")
PATIENCE_S = 60.0


@pytest.fixture
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits long for others, and may reach this machine; a broker without workers."""
    fleet = Fleet(tmp_path_factory.mktemp("shares"))
    try:
        fleet.start_broker()
        variables = {"DUET_ALLOWED_HOSTS": "127.0.0.1", "DUET_DOWNLOAD_TIMEOUT_S": "600"}
        with serve(fleet, fleet.results, **variables) as running:
            yield running
    finally:
        fleet.stop()


def test_one_caller_cannot_have_all_downloads(patient: Server) -> None:
    # Given a caller who names an address that drips more often than there are threads that download
    def order(key: str, url: str) -> httpx.Response:
        header = {"Authorization": f"Bearer {key}"}
        return httpx.post(f"{patient.url}/hybrid", json={"url": url}, headers=header, timeout=PATIENCE_S)

    def send(number: int) -> None:
        with suppress(httpx.HTTPError):
            order(greedy, f"{dripping.url}/{number}.mp3")

    (kept, greedy), (_, other) = (ApiKeyStore(patient.fleet.redis()).add(name) for name in ("greedy", "other"))
    asking = DOWNLOADS_AT_ONCE + 4
    with start_dripping() as dripping, start_site() as site, ThreadPoolExecutor(asking) as threads:
        site.files["/ep.mp3"] = ID3 + b"somebody else's"
        for number in range(asking):
            threads.submit(send, number)
        redis = patient.fleet.redis()
        wait_until(lambda: dripping.taken and redis.zcard(f"duet:slots:{kept.id}") == asking, "all of them are asking")

        # Then another caller's address is fetched meanwhile
        answer = order(other, f"{site.url}/ep.mp3")
        assert answer.status_code == 202, answer.text
        assert not dripping.left
        dripping.first = b"HTTP/1.0 404 So\r\n\r\n"
        dripping.is_over.set()
