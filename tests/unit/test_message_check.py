"""What a job may ask for: places inside the allowed roots, and messages of this version."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import submit
from pipeline.errors import AddressError, AudioError, MessageError, StorageError
from pipeline.messaging.message_check import admit, admit_outcomes, admit_question
from pipeline.settings import settings
from pipeline.sources.access import check_source
from pipeline.storage.allowed_roots import check_destination
from pipeline.types import LEGS, Episode, JobSpec, LegOutcome, Options

Allow = Callable[[str], None]


@pytest.fixture(autouse=True)
def allow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Allow]:
    """Set the allowed roots; to begin with there are none, as on a laptop."""

    def set_roots(roots: str) -> None:
        monkeypatch.setenv("DUET_ALLOWED_ROOTS", roots)
        settings.cache_clear()

    set_roots("")
    yield set_roots
    settings.cache_clear()


def message(**changes: Any) -> dict[str, Any]:
    spec = JobSpec(
        job="0123456789abcdef-01234567",
        attempt=1,
        episode=Episode(id="0123456789abcdef", source="ep.mp3", slug="ep", size_bytes=5),
        options=Options(),
        audio_uri="file:///audio/ep.mp3",
        uri="file:///results/ep",
    )
    return spec.to_message() | changes


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in message().items() if name not in names}


def test_a_message_that_the_client_makes_is_admitted() -> None:
    assert admit(message()).to_message() == message()


@pytest.mark.parametrize(
    ("hostile", "named"),
    [
        (None, "all of it"),
        ("job", "all of it"),
        ([], "all of it"),
        ({}, "job: Field required"),
        (without("uri"), "uri: Field required"),
        (message(colour="red"), "colour: Extra inputs are not permitted"),
        (message(options={"colour": "red"}), "options.colour: Extra inputs"),
        (message(attempt="first"), "attempt: Input should be a valid integer"),
        (message(attempt=0), "attempt: Input should be greater than"),
        (message(job="../../etc"), "job: String should match"),
        (message(job=7), "job: Input should be a valid string"),
        (message(episode=None), "episode: Input should be"),
        (message(episode=message()["episode"] | {"slug": "../x"}), "episode.slug: String should match"),
        (message(episode=message()["episode"] | {"id": "*"}), "episode.id: String should match"),
        (message(uri=["s3://x"]), "uri: Input should be a valid string"),
    ],
)
def test_a_message_of_another_form_is_refused_and_the_field_named(hostile: object, named: str) -> None:
    with pytest.raises(MessageError, match=named) as refused:
        admit(hostile)

    assert "Update what sent it, or this worker" in str(refused.value)


@pytest.mark.parametrize(
    "uri", ["ftp://host/x", "http://8.8.8.8/x", "/results", "", "file://host/x", "file:x", "s3://", "file:///a%00b"]
)
def test_a_destination_of_another_kind_is_refused(uri: str) -> None:
    with pytest.raises(StorageError, match="is no place Duet can write to"):
        admit(message(uri=uri))


@pytest.mark.parametrize("uri", ["ftp://host/x", "/audio/ep.mp3", "", "data:audio/mp3;base64,AAAA", "concat:a|b"])
def test_a_source_of_another_kind_is_refused(uri: str) -> None:
    with pytest.raises(AudioError, match="is no place Duet can read audio from"):
        check_source(uri)


@pytest.mark.parametrize("host", ["127.0.0.1:6379", "169.254.169.254", "10.0.0.8", "[::1]"])
def test_a_web_source_at_a_private_address_is_refused(host: str) -> None:
    with pytest.raises(AddressError, match="not a public address"):
        check_source(f"http://{host}/latest/meta-data")


@pytest.mark.parametrize("uri", ["file:///anywhere/at/all", "s3://any/thing", "file:///home/me/../you"])
def test_without_roots_every_folder_and_bucket_will_do(uri: str) -> None:
    check_source(uri)
    check_destination(uri)


@pytest.mark.parametrize("uri", ["s3://bucket/prefix", "s3://bucket/prefix/ep", "s3://bucket/prefix/"])
def test_what_is_inside_a_root_is_allowed(allow: Allow, uri: str) -> None:
    allow("s3://bucket/prefix, s3://other")

    check_destination(uri)


@pytest.mark.parametrize(
    "uri",
    ["s3://bucket", "s3://bucket/prefixed", "s3://bucket/prefix/../x", "s3://Other/prefix", "file:///bucket/prefix"],
)
def test_what_is_outside_of_every_root_is_refused(allow: Allow, uri: str) -> None:
    allow("s3://bucket/prefix,s3://other")

    with pytest.raises(StorageError):
        check_destination(uri)
    with pytest.raises(AudioError):
        check_source(uri)


def test_a_folder_may_be_a_root_by_its_path_or_its_uri(allow: Allow, tmp_path: Path) -> None:
    for root in (str(tmp_path), tmp_path.as_uri()):
        allow(root)

        check_source((tmp_path / "deep" / "ep 1.mp3").as_uri())
        with pytest.raises(AudioError, match=r"outside of the places .*DUET_ALLOWED_ROOTS"):
            check_source(tmp_path.parent.as_uri())


def test_no_way_leads_out_of_a_root(allow: Allow, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to("/etc")
    allow(str(root))

    for uri in (f"{root.as_uri()}/../x", f"{root.as_uri()}/%2e%2e/x", f"{root.as_uri()}/link/passwd"):
        with pytest.raises(AudioError, match="outside"):
            check_source(uri)


def test_the_person_who_submits_is_told_at_once(allow: Allow, tmp_path: Path, episodes: dict[str, Path]) -> None:
    allow("s3://bucket/prefix")
    with pytest.raises(StorageError, match=r"outside of the places that jobs may write to; .*DUET_ALLOWED_ROOTS"):
        submit(episodes["corner-shop"], to=tmp_path)

    allow(str(tmp_path))
    with pytest.raises(AudioError, match=r"corner-shop\.m4a is outside of the places that jobs may read from"):
        submit(episodes["corner-shop"], to=tmp_path)


def test_the_outcomes_of_all_legs_are_admitted() -> None:
    outcomes = {leg: LegOutcome(leg=leg, status="ok") for leg in LEGS}

    assert admit_outcomes([it.to_message() for it in outcomes.values()]) == outcomes


def test_the_outcomes_of_a_chord_from_before_there_were_speakers_are_admitted() -> None:
    whisper, voxtral = LegOutcome(leg="whisper", status="ok"), LegOutcome(leg="voxtral", status="skipped")

    found = admit_outcomes([voxtral.to_message(), whisper.to_message()])

    assert (found["whisper"], found["voxtral"]) == (whisper, voxtral)
    assert found["speakers"].status == "skipped"


@pytest.mark.parametrize("hostile", [None, "ok", [], [None], [{"leg": "whisper", "status": "ok"}], [{"leg": "third"}]])
def test_other_outcomes_are_refused(hostile: object) -> None:
    with pytest.raises(MessageError):
        admit_outcomes(hostile)


@pytest.mark.parametrize(
    ("hostile", "named"),
    [
        (None, "all of it"),
        ({"job": message()}, "text: Field required"),
        ({"job": without("uri"), "text": "Who?"}, "job.uri: Field required"),
        ({"job": message(), "text": ""}, "text: String should have at least 1 character"),
        ({"job": message(), "text": "Who?", "answer": "Me."}, "answer: Extra inputs are not permitted"),
    ],
)
def test_a_question_that_is_none_is_refused_by_the_field_that_is_wrong(hostile: object, named: str) -> None:
    with pytest.raises(MessageError, match=named):
        admit_question(hostile)


def test_a_question_about_results_outside_of_the_roots_is_refused(allow: Allow) -> None:
    question = {"job": message(), "text": "Who?"}
    assert admit_question(question).text == "Who?"
    allow("/elsewhere")
    with pytest.raises(StorageError, match="DUET_ALLOWED_ROOTS"):
        admit_question(question)
