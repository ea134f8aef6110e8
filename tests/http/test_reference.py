"""`/docs`, and what is said to somebody of whom nothing is known."""

import re
from collections.abc import Iterator

import pytest

from tests.faults.fleet import Fleet
from tests.http.server import Server, serve

pytestmark = pytest.mark.xdist_group("http")


def test_the_reference_is_all_from_here_and_may_load_nothing_else(server: Server) -> None:
    page = server.http.get("/docs")

    assert page.status_code == 200
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    parts = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert "docs/swagger-ui-bundle.js" in parts
    for part in parts:
        if part != "data:,":
            assert server.http.get(f"/{part}").status_code == 200, part
    assert server.http.get("/docs/home.css").status_code == 404
    assert server.http.get("/redoc").status_code == 404


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose broker is gone."""
    fleet = Fleet(tmp_path_factory.mktemp("alone"))
    try:
        fleet.start_broker()
        with serve(fleet, fleet.results) as running:
            fleet.processes["valkey"].kill()
            yield running
    finally:
        fleet.stop()


def test_where_the_broker_is_is_said_in_the_log_alone(alone: Server) -> None:
    answer = alone.http.get("/jobs", headers={"X-Request-ID": "asked-1"})

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "valkey.sock" not in answer.text
    assert "its log says why" in answer.json()["detail"]
    lines = [line for line in alone.log.read_text().splitlines() if "asked-1" in line]
    assert any("valkey.sock does not answer" in line for line in lines)
