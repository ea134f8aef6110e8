"""Audio sent over HTTP to a real server with a real broker and real workers, whose engines take no time."""

import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from pipeline.http.job_requests import order
from pipeline.types import MODEL_LEGS
from tests.faults.fleet import runs, wait_until
from tests.http.server import Server, audio
from tests.web import start_site

pytestmark = pytest.mark.xdist_group("http")


def test_transcribe_answers_with_the_transcript_and_runs_the_fast_leg_alone(server: Server) -> None:
    answer = server.send("/transcribe", "fast-alone.mp3")

    assert answer.status_code == 200, answer.text
    assert answer.json()["transcript"]["text"] == "Window 0. Window 1. Window 2."
    job = server.wait_for(answer.json()["id"], "completed")
    assert job["legs"]["voxtral"]["status"] == "skipped"
    assert runs(server.fleet.stage, "voxtral", "fast-alone") == []


def test_a_fast_job_does_not_wait_for_the_slow_pool(server: Server) -> None:
    hold = server.fleet.stage.hold("voxtral.slow-ahead.0")
    ahead = server.send("/hybrid", "slow-ahead.mp3").json()["id"]
    wait_until(lambda: runs(server.fleet.stage, "voxtral", "slow-ahead"), "the slow pool is at work")

    quick = server.send("/transcribe", "quick.mp3").json()["id"]

    server.wait_for(quick, "completed")
    hold.unlink()
    server.wait_for(ahead, "completed")


def test_analyze_runs_the_slow_leg_alone(server: Server) -> None:
    answer = server.http.post("/analyze?wait=60", files={"file": ("slow-alone.mp3", audio())})

    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "completed"
    assert answer.json()["analysis"]["summary"] == "Windows are counted."
    assert runs(server.fleet.stage, "whisper", "slow-alone") == []


def test_hybrid_answers_at_once_with_links_that_lead_to_everything(server: Server) -> None:
    answer = server.send("/hybrid", "both legs.mp3", language="en", questions=["Who speaks?", "Where?"])

    assert answer.status_code == 202
    job = answer.json()["id"]
    assert answer.headers["Location"] == f"/jobs/{job}"
    assert answer.json()["options"]["questions"] == ["Who speaks?", "Where?"]
    links = server.wait_for(job, "completed")["links"]
    texts = {name: server.http.get(links[name]) for name in ("json", "txt", "srt", "vtt", "result", "audio")}
    assert {name: it.status_code for name, it in texts.items()} == dict.fromkeys(texts, 200)
    assert texts["srt"].text.startswith("1\n00:00:00,000 --> ")
    assert texts["vtt"].text.startswith("WEBVTT")
    assert texts["result"].json()["state"] == "completed"


def test_the_same_audio_is_the_same_job_and_is_kept_once(server: Server) -> None:
    sound = audio()
    before = len(server.uploads())

    first = server.http.post("/hybrid?wait=60", files={"file": ("one.mp3", sound)})
    second = server.http.post("/hybrid?wait=60", files={"file": ("other.mp3", sound)})

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["id"] == second.json()["id"]
    assert len(server.uploads()) == before + 1


def test_other_options_leave_the_results_of_the_first_as_they_are(server: Server) -> None:
    sound = {"file": ("kept apart.mp3", audio())}
    both = server.http.post("/hybrid?wait=60", files=sound).json()

    fast = server.http.post("/transcribe", files=sound).json()

    server.wait_for(fast["id"], "completed")
    result = server.http.get(f"/jobs/{both['id']}/result").json()
    assert (result["job"], result["analysis"]["source"]) == (both["id"], "voxtral")


def test_events_tell_of_progress_of_the_transcript_and_of_the_end(server: Server) -> None:
    hold = server.fleet.stage.hold("voxtral.followed.1")
    job = server.send("/hybrid", "followed.mp3").json()["id"]
    told: list[tuple[str, str]] = []

    with server.http.stream("GET", f"/jobs/{job}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                told.append((name, json.loads(line.removeprefix("data: "))["state"]))
                if name == "transcribed":
                    hold.unlink()

    names = [name for name, _ in told]
    assert told[-1] == ("completed", "completed")
    assert (names.count("transcribed"), names.count("completed")) == (1, 1)


def test_a_job_is_removed_with_all_that_it_has_left(server: Server) -> None:
    # Given an episode that is done and that a search finds
    before = server.uploads()
    job = server.http.post("/hybrid?wait=60", files={"file": ("removed.mp3", audio())}).json()["id"]
    server.wait_for(job, "completed")
    places = server.http.get("/search", params={"q": "window 2", "limit": 100}).json()["places"]
    assert job in [it["job"] for it in places]
    folders = list(server.to.glob("hybrid/removed-*"))
    assert len(folders) == 1

    # When it is removed
    told = server.http.delete(f"/jobs/{job}", params={"results": "true"})

    # Then nothing of it is left
    assert (told.status_code, told.json()["jobs"], told.json()["uploads"]) == (200, [job], 1), told.text
    assert server.http.get(f"/jobs/{job}").status_code == 404
    places = server.http.get("/search", params={"q": "window 2", "limit": 100}).json()["places"]
    assert job not in [it["job"] for it in places]
    assert not folders[0].exists()
    assert server.uploads() == before


def test_a_job_at_work_is_not_removed(server: Server) -> None:
    hold = server.fleet.stage.hold("whisper.still at work.0")
    job = server.send("/hybrid", "still at work.mp3").json()["id"]

    refused = server.http.delete(f"/jobs/{job}", params={"results": "true"})
    hold.unlink()

    assert refused.status_code == 409
    assert "cancel it first" in refused.json()["detail"]
    server.wait_for(job, "completed")


def test_a_job_can_be_cancelled(server: Server) -> None:
    hold = server.fleet.stage.hold("whisper.cancelled.0")
    job = server.send("/hybrid", "cancelled.mp3").json()["id"]

    ended = server.http.delete(f"/jobs/{job}")
    hold.unlink()

    assert (ended.status_code, ended.json()["state"]) == (200, "cancelled")
    assert server.http.get(f"/jobs/{job}/transcript.srt").status_code == 404
    assert server.http.delete(f"/jobs/{job}").json()["state"] == "cancelled"


def test_what_is_not_there_yet_is_said_to_come(server: Server) -> None:
    hold = server.fleet.stage.hold("whisper.early.0")
    job = server.send("/hybrid", "early.mp3").json()["id"]

    early = server.http.get(f"/jobs/{job}/transcript.txt")
    late = server.http.post("/transcribe?wait=0.1", files={"file": ("early.mp3", audio())})
    hold.unlink()

    assert early.status_code == 409
    assert f"/jobs/{job}/events tells when its transcript is there" in early.json()["detail"]
    assert late.status_code == 202
    server.wait_for(job, "completed")


def test_the_list_begins_with_the_newest(server: Server) -> None:
    jobs = [server.send("/hybrid", f"listed-{number}.mp3").json()["id"] for number in range(3)]

    listed = server.http.get("/jobs", params={"limit": 2}).json()

    assert [it["id"] for it in listed["jobs"]] == [jobs[2], jobs[1]]
    assert server.http.get("/jobs", params={"limit": 1, "offset": 2}).json()["jobs"][0]["id"] == jobs[0]
    assert listed["count"] >= 3


@pytest.mark.parametrize(
    ("fields", "speakers", "bounds"),
    [
        ({"speakers": "on"}, True, (None, None)),
        ({"speakers": "off"}, False, (None, None)),
        ({"speakers": "2"}, 2, (None, None)),
        ({"speakers": "on", "min_speakers": "2", "max_speakers": "4"}, True, (2, 4)),
        ({}, None, (None, None)),
    ],
)
@pytest.mark.parametrize("to", ["/transcribe", "/hybrid"])
def test_speakers_are_asked_for_in_a_form(
    server: Server, to: str, fields: dict[str, str], speakers: bool | int | None, bounds: tuple[int | None, int | None]
) -> None:
    options = server.send(f"{to}?wait=0", "dialogue.mp3", **fields).json()["options"]

    assert (options["speakers"], type(options["speakers"])) == (speakers, type(speakers))
    assert (options["min_speakers"], options["max_speakers"]) == bounds


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"speakers": "51"}, "speakers must be true or false, or must be at most 50"),
        ({"speakers": "two"}, "speakers"),
        ({"min_speakers": "3", "max_speakers": "2"}, "min_speakers is larger than max_speakers"),
        ({"speakers": "2", "max_speakers": "3"}, "give either the number of speakers or its bounds"),
    ],
)
def test_speakers_that_do_not_fit_are_refused(server: Server, fields: dict[str, str], sentence: str) -> None:
    answer = server.send("/hybrid", "dialogue.mp3", **fields)

    assert answer.status_code == 422
    assert sentence in answer.json()["detail"]


@pytest.mark.parametrize(("asked", "speakers"), [(True, True), (False, False), (3, 3), (1, 1), ("on", True)])
def test_speakers_in_json_are_a_number_or_a_switch(asked: object, speakers: object) -> None:
    options = order({"url": ["https://example.org/ep.mp3"], "speakers": [asked]}, None, legs=MODEL_LEGS).options

    assert (options.speakers, type(options.speakers)) == (speakers, type(speakers))


def test_audio_on_the_web_is_fetched_but_never_from_a_private_address(server: Server) -> None:
    with start_site() as site:
        site.files["/show.mp3"] = audio()
        answer = server.http.post("/hybrid", json={"url": f"{site.url}/show.mp3"})

        assert answer.status_code == 422
        assert "not a public address" in answer.json()["detail"]
        assert site.requests == []


@pytest.mark.parametrize(
    ("request_", "status", "sentence"),
    [
        ({"files": {"file": ("notes.pdf", b"%PDF-1.7 " + bytes(9000))}}, 415, "notes.pdf cannot be used"),
        ({"files": {"file": ("empty.mp3", b"")}}, 422, "empty.mp3 is empty"),
        ({"files": {"sound": ("ep.mp3", b"ID3")}}, 422, "the audio goes into the field `file`"),
        ({"data": {"language": "en"}}, 415, "multipart/form-data"),
        ({"json": {"language": "en"}}, 422, "Send either the audio as `file`"),
        ({"json": {"url": "file:///etc/passwd"}}, 422, "url must begin with https://, http:// or s3://"),
        ({"json": {"url": "/etc/passwd"}}, 422, "url must begin with https://, http:// or s3://"),
        ({"json": {"url": "http://[::1/ep.mp3"}}, 422, "is no address"),
        ({"json": {"url": "https://example.org/ep.mp3", "langauge": "en"}}, 422, "There is no field 'langauge'"),
        (
            {"json": {"url": "https://example.org/ep.mp3", "language": "Klingon"}},
            422,
            "language: 'Klingon' is not a language",
        ),
        (
            {"json": {"url": "https://example.org/ep.mp3", "on_completed": "http://127.0.0.1/told"}},
            422,
            "not a public address",
        ),
        ({"json": ["https://example.org/ep.mp3"]}, 422, "has to be an object"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "cannot be read"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400, "cannot be read"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "names no boundary"),
        ({"content": b"x", "headers": {"Content-Type": "audio/mpeg"}}, 415, "multipart/form-data"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    server: Server, request_: dict[str, object], status: int, sentence: str
) -> None:
    before = server.uploads()

    answer = server.http.post("/hybrid", **request_)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert sentence in problem["detail"]
    assert (problem["status"], problem["instance"]) == (status, "/hybrid")
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    assert server.uploads() == before, "nothing is left of it"


def test_audio_that_cannot_be_heard_is_a_problem_with_the_reason(server: Server) -> None:
    server.fleet.stage.die("whisper.unheard.0", "fail")

    answer = server.send("/transcribe", "unheard.mp3")

    assert answer.status_code == 422
    assert "The engine was told to fail." in answer.json()["detail"]


def test_a_request_keeps_its_id_and_a_strange_one_is_replaced(server: Server) -> None:
    assert server.http.get("/health", headers={"X-Request-ID": "mine-7"}).headers["X-Request-ID"] == "mine-7"
    assert server.http.get("/nowhere", headers={"X-Request-ID": "a b\tc"}).headers["X-Request-ID"] != "a b\tc"
    assert '"request_id": "mine-7"' in server.log.read_text()


def test_the_name_of_a_file_leads_nowhere(server: Server) -> None:
    answer = server.send("/hybrid", "../../etc/über «x»|?.mp3")

    assert answer.status_code == 202
    assert answer.json()["name"] == "über «x»__.mp3"
    assert all(server.to / "uploads" in path.parents for path in server.uploads())


def test_the_server_is_ready_when_broker_pools_and_storage_are(server: Server) -> None:
    ready = server.http.get("/ready")

    assert ready.json()["checks"] == dict.fromkeys(
        ["broker", "pool-whisper", "pool-voxtral", "pool-cpu", "storage"], "ok"
    )
    assert ready.status_code == 200


def test_an_upload_that_breaks_off_leaves_nothing(server: Server) -> None:
    before = server.uploads()

    def breaks_off() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="half.mp3"\r\n\r\nID3'
        yield bytes(600_000)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        server.http.post("/hybrid", content=breaks_off(), headers={"Content-Type": "multipart/form-data; boundary=b"})

    wait_until(lambda: server.uploads() == before, "what had come of it is gone")


def test_too_large_an_upload_is_refused_before_it_has_come(server: Server) -> None:
    head = b"POST /hybrid HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port), timeout=30) as connection:
        connection.sendall(head + b"Content-Length: 3000000000\r\n\r\n")

        answer = connection.makefile("rb").readline()

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_whoever_is_to_be_told_is_written_down_with_the_job(unstaffed: Server) -> None:
    told = "http://93.184.215.14/told"

    job = unstaffed.send("/hybrid", "told.mp3", on_completed=told).json()["id"]

    assert unstaffed.fleet.redis().smembers(f"duet:job:{job}:webhooks") == {f"episode.completed {told}"}


def test_what_is_measured_is_there_for_prometheus(server: Server) -> None:
    server.send("/hybrid?wait=60", "measured.mp3")

    page = server.http.get("/metrics")

    assert page.headers["content-type"].startswith("text/plain")
    assert "duet_broker_up 1.0" in page.text
