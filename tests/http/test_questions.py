"""Questions about finished episodes over HTTP."""

import pytest

from tests.faults.fleet import wait_until
from tests.http.server import Server

pytestmark = pytest.mark.xdist_group("http")
WHICH = {"question": "Which window is it?"}


def done(server: Server, name: str) -> str:
    job: str = server.send("/hybrid", name).json()["id"]
    server.wait_for(job, "completed")
    return job


def test_a_question_is_taken_answered_and_listed(server: Server) -> None:
    job = done(server, "asked.mp3")
    assert server.http.get(f"/jobs/{job}/questions").json() == {"questions": []}

    taken = server.http.post(f"/jobs/{job}/questions", json=WHICH)

    assert taken.status_code == 202, taken.text
    place = taken.headers["Location"]
    assert place == taken.json()["links"]["self"] == f"/jobs/{job}/questions/{taken.json()['id']}"
    wait_until(lambda: server.http.get(place).json()["state"] == "answered", "the question is answered")
    answered = server.http.get(place).json()
    assert answered["answer"]["answer"] == "The second."
    assert [it["text"] for it in answered["answer"]["quotes"]] == ["Window 1."]
    assert server.http.get(f"/jobs/{job}/questions").json() == {"questions": [answered]}
    again = server.http.post(f"/jobs/{job}/questions", json=WHICH)
    assert (again.status_code, again.json()) == (200, answered)


def test_what_cannot_be_asked_is_refused_with_a_sentence(server: Server) -> None:
    job = done(server, "refused.mp3")
    unknown = "0123456789abcdef-01234567"
    cases = [
        (f"/jobs/{job}/questions", {"question": ""}, 422),
        (f"/jobs/{job}/questions", {"question": "x" * 501}, 422),
        (f"/jobs/{job}/questions", {"question": "Who?", "priority": 0}, 422),
        (f"/jobs/{unknown}/questions", WHICH, 404),
    ]
    for path, body, status in cases:
        answer = server.http.post(path, json=body)
        assert answer.status_code == status, answer.text
        assert answer.json()["detail"]
    assert server.http.get(f"/jobs/{job}/questions/00000000").status_code == 404


def test_a_running_job_is_a_conflict(server: Server) -> None:
    hold = server.fleet.stage.hold("voxtral.still-at-work.0")
    job = server.send("/hybrid", "still-at-work.mp3").json()["id"]
    server.wait_for(job, "transcribed")

    answer = server.http.post(f"/jobs/{job}/questions", json=WHICH)

    assert answer.status_code == 409
    assert "when it has ended" in answer.json()["detail"]
    hold.unlink()
    server.wait_for(job, "completed")
