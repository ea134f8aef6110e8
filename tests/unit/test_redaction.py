"""What lets somebody in is in no result, no page, no message and no sentence."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import AudioError, BrokerError, without_credentials, without_credentials_in, without_user
from pipeline.logs import without_secrets
from pipeline.messaging import chord
from pipeline.messaging.app import make_app
from pipeline.results.formats.show_notes import Notes
from pipeline.results.player import Player
from pipeline.sources.web import WebAudio
from pipeline.state.webhook_outbox import _body
from pipeline.types import Analysis, Episode, JobSpec, JobState, Options, Publication, PublishedFile
from pipeline.types.found import Rejected, Skipped
from pipeline.types.records import JobRecord
from tests.batches import result_of

SECRETS = ("secretpw", "PATREONTOKEN", "SIGNED", "BAREKEY")
URL = "https://me:secretpw@feeds.example.org/shows/ep.mp3?auth=PATREONTOKEN&X-Amz-Signature=SIGNED#BAREKEY"
SHOWN = "https://feeds.example.org/shows/ep.mp3"


def spec() -> JobSpec:
    source = WebAudio(URL, Publication(feed=URL, link=URL.partition("?")[0], chapters=PublishedFile(url=URL)))
    return JobSpec(
        job="0123456789abcdef-01234567",
        attempt=1,
        episode=source._episode("0123456789abcdef", 9),
        options=Options(),
        audio_uri="s3://bucket/ep/.work/audio.mp3",
        uri="s3://bucket/ep",
    )


def holds_no_secret(text: str) -> bool:
    return not any(secret in text for secret in SECRETS)


def test_a_token_in_an_address_is_in_nothing_that_is_stored_shown_or_told() -> None:
    # Given an episode of a feed for subscribers
    job = spec()
    result = result_of(job, JobState.COMPLETED).model_copy(
        update={"analysis": Analysis(source="voxtral", model="m", heard_s=1.0, summary="So.")}
    )
    record = JobRecord(spec=job, state=JobState.COMPLETED, submitted_at=0.0, legs={"whisper": {}, "voxtral": {}})
    task = chord._task(make_app("memory://"), job, "whisper")

    texts = {
        "message": job.model_dump_json(),
        "result.json": result.to_json().decode(),
        "notes.md": Notes().render(result),
        "player.html": Player().render(result),
        "webhook": _body("episode.completed", JobState.COMPLETED, record),
        "Flower": task.options["argsrepr"],
    }
    assert [name for name, text in texts.items() if not holds_no_secret(text)] == []
    assert json.loads(texts["webhook"])["data"]["source"] == SHOWN


def test_what_was_left_out_is_told_without_it_too() -> None:
    for left_out in (Skipped(URL, "no audio"), Rejected(URL, str(AudioError(f"{URL} answers 404: nothing.")))):
        assert left_out.source == SHOWN
        assert holds_no_secret(left_out.reason)


def test_a_sentence_keeps_everything_else() -> None:
    assert str(AudioError(f"{URL} answers 404; it may have moved.")) == f"{SHOWN} answers 404; it may have moved."
    assert str(AudioError(f"Look at ({URL}).")) == f"Look at ({SHOWN})."
    assert str(BrokerError("set DUET_BROKER_URL=redis://host:6379/0")) == "set DUET_BROKER_URL=redis://host:6379/0"


@pytest.mark.parametrize("path", ["what now?.mp3", "/podcasts/a@b?c.mp3", "s3://bucket/What?.mp3", "file:///a?b"])
def test_what_is_no_web_address_is_left_as_it_is(path: str) -> None:
    assert without_credentials(path) == path
    assert Episode(id="0123456789abcdef", source=path, slug="a", size_bytes=1).source == path


def test_a_page_keeps_its_query_which_often_says_which_it_is() -> None:
    assert without_user("https://me:pw@example.org/?p=123") == "https://example.org/?p=123"


@given(st.text(max_size=200))
def test_it_can_be_done_twice_and_never_fails(text: str) -> None:
    for clean in (without_credentials, without_credentials_in, without_user):
        assert clean(clean(f"https://{text}")) == clean(f"https://{text}")


@pytest.mark.parametrize(
    "line",
    [
        "GET https://feeds.example.org/ep.mp3?auth=SIGNED&part=1 failed",
        "Max retries exceeded with url: /ep.mp3?sig=SIGNED&access_token=SIGNED",
        "https://feeds.example.org/ep.mp3?SIGNED",
        '{"url": "https://me:secretpw@feeds.example.org/ep.mp3?x=SIGNED"}',
        "redis://:secretpw/SIGNED@host:6379/0",
        "rediss://me:secretpw/@host:6379/0",
    ],
)
def test_no_value_of_a_query_and_no_password_is_logged(line: str, tmp_path: Path) -> None:
    assert holds_no_secret(without_secrets(None, "", line))


def test_a_line_keeps_everything_else() -> None:
    for line in ("Is that so? a=b & c=d", "https://medium.example/@somebody/post", "redis://host:6379/0 and a@b"):
        assert without_secrets(None, "", line) == line
