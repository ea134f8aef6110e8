"""Uploads by the tus protocol: they go on after a lost connection, a reload and with another server process."""

import base64
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from pipeline.http.multipart import BLOCK_BYTES
from pipeline.state.api_keys import ApiKeyStore
from tests.browser import needs_chromium
from tests.faults.fleet import Fleet, wait_until
from tests.http.server import Server, audio, serve
from tests.http.test_page import LIVE, Open

pytestmark = pytest.mark.xdist_group("http")
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}


def begin(server: Server, name: str, length: int, **headers: str) -> httpx.Response:
    named = f"filename {base64.b64encode(name.encode()).decode()}"
    return server.http.post(
        "/uploads", headers=TUS | {"Upload-Length": str(length), "Upload-Metadata": named} | headers
    )


def add(server: Server, to: str, offset: int, data: bytes, **headers: str) -> httpx.Response:
    return server.http.patch(to, content=data, headers=TUS | BYTES | {"Upload-Offset": str(offset)} | headers)


def test_an_upload_in_pieces_through_two_servers_becomes_one_job(server: Server, fleet: Fleet, tmp_path: Path) -> None:
    data = audio() + bytes(300_000)
    place = begin(server, "Größe.mp3", len(data)).headers["Location"]

    with serve(fleet, server.to, DUET_STATE_DIR=str(tmp_path)) as other:  # one that has seen no keys of other tests
        first = add(server, place, 0, data[:100_000])
        asked = other.http.head(place, headers=TUS)
        second = add(other, place, 100_000, data[100_000:])
        answer = other.http.post("/hybrid?wait=60", json={"upload": place.rpartition("/")[2], "language": "de"})
    again = server.http.post("/hybrid?wait=60", json={"upload": place.rpartition("/")[2], "language": "de"})

    assert (first.status_code, first.headers["Upload-Offset"]) == (204, "100000")
    assert (asked.headers["Upload-Offset"], asked.headers["Upload-Length"]) == ("100000", str(len(data)))
    assert second.headers["Upload-Offset"] == str(len(data))
    assert (answer.status_code, answer.json()["file_name"]) == (200, "Größe.mp3")
    assert again.json()["id"] == answer.json()["id"], "a lost answer can be asked for again"
    assert server.http.get(answer.json()["links"]["audio"]).content == data


def test_what_arrived_before_a_connection_broke_is_kept(server: Server) -> None:
    data = audio() + bytes(4 * BLOCK_BYTES)
    place = begin(server, "broken off.mp3", len(data)).headers["Location"]
    address = urlsplit(server.url)

    def kept() -> int:
        return int(server.http.head(place, headers=TUS).headers["Upload-Offset"])

    with socket.create_connection((address.hostname, address.port)) as line:
        head = {"Host": address.netloc, "Content-Length": str(len(data)), "Upload-Offset": "0", **TUS, **BYTES}
        text = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        line.sendall(f"PATCH {place} HTTP/1.1\r\n{text}\r\n".encode() + data[: 2 * BLOCK_BYTES])
        wait_until(lambda: kept() >= BLOCK_BYTES, "a block has arrived")

    def is_taken() -> bool:  # once the server has noticed the end of the connection
        offset = kept()
        return add(server, place, offset, data[offset:]).status_code == 204

    wait_until(is_taken, "the rest is taken")
    assert kept() == len(data)


@pytest.mark.parametrize(
    ("length", "metadata", "status"),
    [("3000000000", "", 413), ("0", "", 422), ("-1", "", 422), ("x", "", 422), ("10", "filename ?", 400)],
)
def test_what_cannot_become_an_upload_is_refused_at_once(
    server: Server, length: str, metadata: str, status: int
) -> None:
    headers = TUS | {"Upload-Length": length, "Upload-Metadata": metadata}

    assert server.http.post("/uploads", headers=headers).status_code == status


def test_what_is_not_audio_is_refused_with_its_first_bytes_and_removed(server: Server) -> None:
    place = begin(server, "notes.pdf", 100_000).headers["Location"]

    answer = add(server, place, 0, b"%PDF-1.7 " + bytes(50_000))

    assert answer.status_code == 415
    assert "application/pdf" in answer.json()["detail"]
    assert server.http.head(place, headers=TUS).status_code == 404
    assert not [it for it in server.uploads() if it.parent.name == place.rpartition("/")[2]]


def test_the_protocol_is_kept(server: Server) -> None:
    data = audio()
    place = begin(server, "kept.mp3", len(data)).headers["Location"]

    assert server.http.options("/uploads").headers["Tus-Extension"] == "creation,expiration,termination"
    assert server.http.head(place).status_code == 412, "without a version"
    assert add(server, place, 5, data).status_code == 409
    assert add(server, place, 0, data, **{"Content-Type": "audio/mpeg"}).status_code == 415
    assert add(server, place, 0, data + b"x").status_code == 413
    assert server.http.post("/hybrid", json={"upload": place.rpartition("/")[2]}).status_code == 409, "not complete"
    assert server.http.delete(place, headers=TUS).status_code == 204
    assert server.http.head(place, headers=TUS).status_code == 404
    for name in ("../http", "%2e%2e", "0" * 32):
        assert server.http.head(f"/uploads/{name}", headers=TUS).status_code == 404


def test_an_upload_belongs_to_the_key_that_began_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    fleet = Fleet(tmp_path_factory.mktemp("owners"))
    try:
        fleet.start_broker()
        keys = [ApiKeyStore(fleet.redis()).add(name)[1] for name in ("one", "other")]
        one, other = ({"Authorization": f"Bearer {key}"} for key in keys)
        with serve(fleet, fleet.results) as guarded:
            place = begin(guarded, "own.mp3", 100, **one).headers["Location"]

            assert begin(guarded, "nobody's.mp3", 100).status_code == 401
            assert guarded.http.head(place, headers=TUS | one).status_code == 200
            assert guarded.http.head(place, headers=TUS | other).status_code == 404
            assert add(guarded, place, 0, bytes(10), **other).status_code == 404
    finally:
        fleet.stop()


@needs_chromium
def test_the_page_goes_on_after_a_lost_connection_and_after_a_reload(
    browser: object, server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "long way.mp3"
    file.write_bytes(audio() + bytes(20 * 2**20))
    opened = Open(browser, server.url)
    page = opened.page
    page.wait_for_selector(LIVE)
    asked: list[str] = []
    page.on("request", lambda it: asked.append(it.headers.get("upload-offset", "")) if it.method == "PATCH" else None)
    second_piece = lambda it: it.method == "PATCH" and it.headers.get("upload-offset") != "0"  # noqa: E731
    page.route("**/uploads/*", lambda route, it: route.abort() if second_piece(it) else route.continue_())

    page.locator("#files").set_input_files(file)
    page.wait_for_selector("#sending .said:has-text('Connection lost')")
    page.reload()
    page.wait_for_selector("#sending .interrupted:has-text('long way.mp3')")
    page.unroute("**/uploads/*")
    asked.clear()
    page.locator("#files").set_input_files(file)

    opened.wait_for("long way.mp3", "completed")
    assert asked == [str(16 * 2**20)], "only what was missing is sent"
    assert page.locator("#sending li").count() == 0
    assert page.evaluate("localStorage.length") == 0
    opened.context.close()


@needs_chromium
def test_an_upload_shows_its_bytes_and_can_be_cancelled(browser: object, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "too much.mp3"
    file.write_bytes(audio() + bytes(20 * 2**20))
    opened = Open(browser, server.url)
    page = opened.page
    page.wait_for_selector(LIVE)
    page.route("**/uploads/*", lambda route, it: None if it.method == "PATCH" else route.continue_())

    page.locator("#files").set_input_files(file)
    page.wait_for_selector("#sending .said:has-text('of 21.0 MB')")
    page.get_by_role("button", name="Cancel too much.mp3").click()

    page.wait_for_selector("#sending li", state="detached")
    page.unroute_all(behavior="ignoreErrors")
    assert page.evaluate("localStorage.length") == 0
    opened.context.close()
