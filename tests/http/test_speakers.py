"""Names of speakers over HTTP."""

import pytest

from pipeline.results.manifest import changed_files, read_manifest
from pipeline.storage import open_storage
from tests.http.server import Server

pytestmark = pytest.mark.xdist_group("http")


def done(server: Server, name: str, **options: str) -> tuple[str, str]:
    """Return a job that has ended, and the URI of its folder."""
    job: str = server.send("/hybrid", name, **options).json()["id"]
    server.wait_for(job, "completed")
    (folder,) = server.to.glob(f"hybrid*/*{job.partition('-')[0]}")
    return job, folder.as_uri()


def test_speakers_are_named_in_the_result_and_in_its_files(server: Server) -> None:
    job, uri = done(server, "named.mp3")

    answer = server.http.patch(f"/jobs/{job}/speakers", json={"S1": "Ada Example", "S2": "Tom"})

    assert answer.status_code == 200, answer.text
    assert answer.json()["job"] == job
    assert [(it["id"], it["name"], it["name_source"]) for it in answer.json()["speakers"]] == [
        ("S1", "Ada Example", "user"),
        ("S2", "Tom", "user"),
    ]
    result = server.http.get(f"/jobs/{job}/result").json()
    assert [it["name"] for it in result["transcript"]["speakers"]] == ["Ada Example", "Tom"]
    transcript = server.http.get(f"/jobs/{job}/transcript.json").json()
    assert [it["name"] for it in transcript["speakers"]] == ["Ada Example", "Tom"]
    public = read_manifest(open_storage(uri))
    assert public
    assert changed_files(public, open_storage(uri)) == []
    removed = server.http.patch(f"/jobs/{job}/speakers", json={"S2": None})
    assert [it["name"] for it in removed.json()["speakers"]] == ["Ada Example", None]


def test_what_cannot_be_named_is_refused_with_a_sentence(server: Server) -> None:
    job, uri = done(server, "not named.mp3")
    silent, _ = done(server, "not told apart.mp3", speakers="off")
    cases: list[tuple[str, object, int, str]] = [
        (job, {"S5": "Ada"}, 422, f"There is no S5 in {uri}; its speakers are S1, S2."),
        (job, {"S1": "x" * 101}, 422, "A name has at most 100 characters"),
        (job, {"S1": "Ada\r\nTom"}, 422, "A name has no line breaks"),
        (job, {"S1": "Ada\u202e"}, 422, "A name has no line breaks and no control characters"),
        (job, {}, 422, "Give the name of at least one speaker."),
        (job, {"S1": 7}, 422, " must be "),
        (job, ["S1"], 422, " must be "),
        (silent, {"S1": "Ada"}, 422, "were not told apart"),
        ("0123456789abcdef-01234567", {"S1": "Ada"}, 404, "There is no job"),
    ]
    for asked, body, status, sentence in cases:
        answer = server.http.patch(f"/jobs/{asked}/speakers", json=body)
        assert answer.status_code == status, answer.text
        assert sentence in answer.json()["detail"]


def test_a_running_job_is_a_conflict(server: Server) -> None:
    hold = server.fleet.stage.hold("voxtral.at-work-unnamed.0")
    job = server.send("/hybrid", "at-work-unnamed.mp3").json()["id"]
    server.wait_for(job, "transcribed")

    answer = server.http.patch(f"/jobs/{job}/speakers", json={"S1": "Ada"})

    assert (answer.status_code, "when it has ended" in answer.json()["detail"]) == (409, True)
    hold.unlink()
    server.wait_for(job, "completed")
