"""Pages of other origins: those that the settings name may use the server, and no other."""

from collections.abc import Iterator

import pytest

from pipeline.state.api_keys import ApiKeyStore
from tests.faults.fleet import Fleet
from tests.http.server import Server, serve
from tests.http.test_keys import duet

pytestmark = pytest.mark.xdist_group("http")
NAMED = "https://app.example.org"
FOREIGN = "https://evil.example"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("origins"))
    try:
        fleet.start_broker()
        yield fleet
    finally:
        fleet.stop()


@pytest.fixture
def open_server(broker: Fleet) -> Iterator[Server]:
    with serve(broker, broker.results, DUET_SERVE_CORS_ORIGINS=f"{NAMED}/, tauri://localhost") as running:
        yield running


def preflight(server: Server, origin: str) -> tuple[int, str | None]:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-stainless-os"}
    answer = server.http.options("/v1/audio/transcriptions", headers={"Origin": origin} | asked)
    return answer.status_code, answer.headers.get("Access-Control-Allow-Origin")


def test_only_pages_of_named_origins_may_use_the_server(open_server: Server) -> None:
    assert preflight(open_server, NAMED) == (200, NAMED)
    assert preflight(open_server, "tauri://localhost") == (200, "tauri://localhost")
    assert preflight(open_server, FOREIGN) == (400, None)

    answer = open_server.http.get("/v1/models", headers={"Origin": NAMED, "Sec-Fetch-Site": "cross-site"})
    refused = open_server.http.get("/v1/models", headers={"Origin": FOREIGN})

    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, NAMED)
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert {"Location", "Retry-After", "X-Request-ID"} <= set(
        answer.headers["Access-Control-Expose-Headers"].split(", ")
    )
    assert (refused.status_code, refused.headers.get("Access-Control-Allow-Origin")) == (403, None)
    assert open_server.http.get("/jobs", headers={"Origin": open_server.url}).status_code == 200, "its own page"


def test_without_the_setting_no_preflight_is_answered(broker: Fleet) -> None:
    with serve(broker, broker.results) as server:
        assert preflight(server, NAMED) == (405, None)


def test_something_that_is_no_origin_is_refused_in_words(broker: Fleet) -> None:
    broker.variables["DUET_SERVE_CORS_ORIGINS"] = "app.example.org"
    done = duet(broker, "serve", "--port", "1")
    del broker.variables["DUET_SERVE_CORS_ORIGINS"]

    assert done.returncode == 1
    assert "DUET_SERVE_CORS_ORIGINS" in done.stderr
    assert "'app.example.org' is no origin" in done.stderr


def test_a_page_needs_a_key_and_never_uses_the_cookie(tmp_path_factory: pytest.TempPathFactory) -> None:
    fleet = Fleet(tmp_path_factory.mktemp("any-origin"))
    try:
        fleet.start_broker()
        with serve(fleet, fleet.results, DUET_SERVE_CORS_ORIGINS=f"*, {NAMED}") as server:
            assert preflight(server, FOREIGN) == (200, "*")
            assert server.http.get("/jobs", headers={"Origin": FOREIGN}).status_code == 403, "no key, any page"

            _, key = ApiKeyStore(fleet.redis()).add("somebody")

            cookie = {"Cookie": f"duet_key={key}"}
            assert server.http.get("/jobs", headers=cookie).status_code == 200
            assert server.http.get("/jobs", headers=cookie | {"Origin": NAMED}).status_code == 401
            assert server.http.get("/jobs", headers=cookie | {"Origin": FOREIGN}).status_code == 403
            answer = server.http.get("/jobs", headers={"Origin": FOREIGN, "Authorization": f"Bearer {key}"})
            assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
    finally:
        fleet.stop()
