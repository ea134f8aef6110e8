"""Corrections and replacement rules over HTTP."""

import pytest

from pipeline.results.manifest import changed_files, read_manifest
from pipeline.storage import open_storage
from tests.http.server import Server
from tests.http.test_speakers import done

pytestmark = pytest.mark.xdist_group("http")


def test_words_are_corrected_everywhere_and_undone(server: Server) -> None:
    job, uri = done(server, "corrected.mp3")
    before = server.http.get(f"/jobs/{job}/result").json()
    change = {"kind": "words", "start_s": 0.0, "was": "Window", "becomes": "Pflaumen<b>"}

    answer = server.http.patch(f"/jobs/{job}/corrections", json={"changes": [change]})

    assert answer.status_code == 200, answer.text
    (made,) = answer.json()["corrections"]
    assert made == {**change, "id": made["id"], "by": "anybody on this machine", "at": made["at"], "applied": True}
    assert server.http.get(f"/jobs/{job}/corrections").json() == answer.json()
    assert "Pflaumen" in server.http.get(f"/jobs/{job}/transcript.srt").text
    assert "Pflaumen" in server.http.get(f"/jobs/{job}/transcript.json").json()["text"]
    assert "Pflaumen&lt;b&gt;" in server.http.get(f"/jobs/{job}/player").text
    assert [hit["job"] for hit in server.http.get("/search", params={"q": "Pflaumen"}).json()["places"]] == [job]
    public = read_manifest(open_storage(uri))
    assert public
    assert changed_files(public, open_storage(uri)) == []

    again = server.http.patch(f"/jobs/{job}/corrections", json={"changes": [change]})
    assert again.status_code == 409
    assert "is 'Pflaumen<b>' now" in again.json()["detail"]

    undone = server.http.delete(f"/jobs/{job}/corrections/{made['id']}")
    assert undone.json() == {"corrections": []}
    assert server.http.get(f"/jobs/{job}/result").json() == before
    assert server.http.delete(f"/jobs/{job}/corrections/{made['id']}").status_code == 404


@pytest.mark.parametrize(
    ("changes", "status", "sentence"),
    [
        ([], 422, "at least 1 item"),
        ([{"start_s": 0, "was": "x", "becomes": "a\nb"}], 422, "no line breaks and no control characters"),
        ([{"start_s": 0, "was": "x" * 5001, "becomes": "a"}], 422, "5000 characters"),
        ([{"start_s": 0, "was": "never said", "becomes": "a"}], 409, "not 'never said'; load the episode"),
        ([{"kind": "chapter", "start_s": 0, "was": "x", "becomes": ""}], 422, "needs a title"),
    ],
)
def test_what_cannot_be_corrected_is_refused_with_a_sentence(
    server: Server, changes: list[dict[str, object]], status: int, sentence: str
) -> None:
    job, _ = done(server, "uncorrected.mp3")

    answer = server.http.patch(f"/jobs/{job}/corrections", json={"changes": changes})

    assert (answer.status_code, sentence in answer.json()["detail"]) == (status, True), answer.text
    assert server.http.get(f"/jobs/{job}/corrections").json() == {"corrections": []}


def test_rules_of_the_server_change_its_new_episodes(server: Server) -> None:
    earlier, _ = done(server, "before the rule.mp3")
    rules = {"rules": [{"was": "window", "becomes": "Zwetschge"}]}
    try:
        kept = server.http.put("/replacements", json=rules)
        assert kept.json() == {
            "rules": [{"show": "", "was": "window", "becomes": "Zwetschge", "by": "anybody on this machine"}]
        }
        assert server.http.get("/replacements").json() == kept.json()

        job, _ = done(server, "after the rule.mp3")

        made = server.http.get(f"/jobs/{job}/corrections").json()["corrections"]
        assert {it["rule"] for it in made} == {"window"}
        assert "Zwetschge" in server.http.get(f"/jobs/{job}/transcript.txt").text
        assert "Zwetschge" not in server.http.get(f"/jobs/{earlier}/transcript.txt").text
    finally:
        assert server.http.put("/replacements", json={"rules": []}).json() == {"rules": []}
