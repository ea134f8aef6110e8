"""The list of jobs on the server: filters, places in the queue, retries, turns, downloads, and ten thousand jobs."""

from urllib.parse import unquote

import pytest

from pipeline.messaging.queues import lists_of, parsed, task_id
from pipeline.state.batch_store import BatchStore
from pipeline.types.batch_record import Entry
from tests.http.server import Server

pytestmark = pytest.mark.xdist_group("http")


def test_jobs_are_filtered_by_state_and_text_on_the_server(server: Server) -> None:
    done = server.send("/hybrid?wait=60", "alder woods.mp3").json()["id"]
    for leg in ("whisper", "voxtral"):
        server.fleet.stage.die(f"{leg}.alder broken.1", "fail")
    broken = server.send("/hybrid", "alder broken.mp3").json()["id"]
    server.wait_for(broken, "failed")

    def found(**query: object) -> list[str]:
        answer = server.http.get("/jobs", params=query).json()
        assert answer["count"] >= len(answer["jobs"])
        return [it["id"] for it in answer["jobs"]]

    assert set(found(text="ALDER")) == {done, broken}
    assert found(text="alder", state="done") == [done]
    assert found(text="alder", state="attention") == [broken]
    assert found(text="alder", state="open") == []
    assert found(text="alder", limit=1, offset=1) == [done], "newest first"


def test_a_batch_is_a_group_of_its_own(server: Server) -> None:
    job = server.send("/hybrid?wait=60", "of a batch.mp3").json()["id"]
    batches = BatchStore(server.fleet.redis())
    batch = batches.create(["shows/garden"], str(server.to), {})
    batches.add(batch.id, [Entry(job, "of a batch.mp3", "file:///r", 10)])
    batches.close(batch.id)

    listed = server.http.get("/jobs", params={"batch": batch.id}).json()
    shown = server.http.get("/overview").json()["batches"][0]

    assert [it["id"] for it in listed["jobs"]] == [job]
    assert (shown["id"], shown["name"], shown["groups"]) == (batch.id, "garden", {"done": 1})
    assert server.http.get("/jobs", params={"batch": "none"}).status_code == 404


def test_what_waits_says_its_place_and_can_go_first_or_last(unstaffed: Server) -> None:
    jobs = [unstaffed.send("/hybrid", f"in line {number}.mp3").json()["id"] for number in range(3)]

    def order() -> list[str]:
        places = {job: unstaffed.http.get(f"/jobs/{job}").json()["place"]["position"] for job in jobs}
        return sorted(jobs, key=lambda job: places[job])

    def served() -> list[str]:
        redis = unstaffed.fleet.redis()
        texts = [text for name in lists_of("whisper") for text in reversed(redis.lrange(name, 0, -1))]
        names = [(task_id(parsed(text)) or "").split(".") for text in texts]
        return [job for job, leg, _ in names if leg == "whisper"]

    assert order() == served() == jobs
    moved = unstaffed.http.put(f"/jobs/{jobs[2]}/place", json={"place": "next"})
    assert (moved.status_code, moved.json()["priority"]) == (200, 0)
    assert unstaffed.http.put(f"/jobs/{jobs[0]}/place", json={"place": "later"}).status_code == 200
    assert served() == [jobs[2], jobs[1], jobs[0]]
    assert unstaffed.http.put(f"/jobs/{jobs[0]}/place", json={"place": "soon"}).status_code == 422


def test_a_failed_job_is_retried_and_has_nothing_to_listen_to(server: Server) -> None:
    flags = [server.fleet.stage.die(f"{leg}.to retry.1", "fail") for leg in ("whisper", "voxtral")]
    job = server.send("/hybrid", "to retry.mp3").json()["id"]
    failed = server.wait_for(job, "failed")
    assert "player" not in failed["links"]
    assert (failed["tone"], failed["can_retry"]) == ("bad", True)
    for flag in flags:
        flag.unlink()

    assert server.http.post(f"/jobs/{job}/retry").status_code == 200
    done = server.wait_for(job, "completed")

    assert "player" in done["links"]
    assert server.http.post(f"/jobs/{job}/retry").status_code == 409


def test_the_same_audio_is_processed_again_with_other_options(server: Server) -> None:
    first = server.send("/hybrid?wait=60", "once more.mp3").json()["id"]

    again = server.http.post(f"/jobs/{first}/rerun", json={"language": "de", "questions": ["Who pays?"]})
    second = again.json()["id"]
    assert (again.status_code, second != first) == (200, True)
    server.wait_for(second, "completed")
    assert server.http.delete(f"/jobs/{first}?results=true").status_code == 200

    assert server.http.get(f"/jobs/{second}/audio").status_code == 200, "each job has an upload of its own"
    assert server.http.post(f"/jobs/{second}/rerun", json={"language": "de", "questions": ["Who pays?"]}).is_success
    assert server.http.get(f"/jobs/{second}").json()["id"] == second, "the same options are the same job, done again"


@pytest.mark.parametrize(("form", "file"), [("srt", "naïve “title”.srt"), ("notes", "naïve “title”.notes.md")])
def test_a_download_is_named_by_the_title(server: Server, form: str, file: str) -> None:
    job = server.send("/hybrid?wait=60", "naïve “title”.mp3").json()["id"]

    answer = server.http.get(f"/jobs/{job}/download/{form}")

    assert answer.status_code == 200
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment; ")
    assert unquote(disposition.rpartition("''")[2]) == file


def test_what_an_episode_is_about_is_told_for_many_at_once(server: Server) -> None:
    jobs = [server.send("/hybrid?wait=60", f"about {number}.mp3").json()["id"] for number in range(2)]

    found = server.http.get("/abouts", params={"job": [*jobs, "0123456789abcdef-01234567"]}).json()

    assert set(found["abouts"]) == set(jobs)
    assert found["unread"] == []
    assert all(it["text"] and it["source"] == "voxtral" for it in found["abouts"].values())


def test_the_overview_counts_what_is_there(server: Server) -> None:
    server.send("/hybrid?wait=60", "counted.mp3")

    found = server.http.get("/overview").json()

    assert found["groups"]["done"] >= 1
    assert found["today"] >= 1
    assert {it["pool"] for it in found["pools"]} == {"whisper", "voxtral", "cpu"}
    assert all(it["status"] == "ready" and not it["mend"] for it in found["pools"])
