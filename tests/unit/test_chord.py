"""The chord of a job: what Celery's own chord leaves in Redis, and what the faster form for batches leaves."""

import base64
import gc
import json
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.messaging import chord
from pipeline.messaging.app import client_app
from pipeline.messaging.queues import lists_of
from pipeline.state.job_store import JobStore
from pipeline.state.redis import broker_url
from pipeline.types import LEGS, Episode, JobSpec, Options

OF_ONE_MESSAGE = {"delivery_tag"}


def spec_of(*legs: str) -> JobSpec:
    episode = Episode(id=f"{7:016x}", source="ep.mp3", slug="ep", size_bytes=5)
    options = Options(legs=legs) if legs else Options()
    place = {"audio_uri": "file:///ep.mp3", "uri": "file:///results/ep"}
    return JobSpec(job=f"{episode.id}-01234567", attempt=1, episode=episode, options=options, priority=4, **place)


def without_fields_of_one_message(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_fields_of_one_message(it) for name, it in value.items() if name not in OF_ONE_MESSAGE}
    return [without_fields_of_one_message(it) for it in value] if isinstance(value, list) else value


def left_in_redis(job_store: JobStore) -> dict[str, Any]:
    """Return the messages in each queue, and the keys of the chord."""
    client = job_store.redis
    messages = {}
    for queue in ("whisper", "voxtral", "cpu"):
        for text in (text for name in lists_of(queue) for text in client.lrange(name, 0, -1)):
            message = json.loads(text)
            arguments, keywords, embed = json.loads(base64.b64decode(message["body"]))
            # Celery repeats the group's id in the callback, where no worker looks for it.
            embed["chord"]["options"].pop("group_id", None)
            message["body"] = [arguments, keywords, embed]
            messages[f"{queue} {message['headers']['id']}"] = without_fields_of_one_message(message)
    counts = {name: client.get(name) for name in client.scan_iter("*legs*") if client.type(name) == "string"}
    return {"messages": messages, "counts": counts}


@pytest.mark.parametrize("legs", [(), ("whisper",), ("voxtral",)])
def test_many_chords_are_sent_as_celery_sends_each(job_store: JobStore, legs: tuple[str, ...]) -> None:
    # Given what Celery's own chord leaves in Redis
    chord.send(spec_of(*legs))
    by_celery = left_in_redis(job_store)
    job_store.redis.flushdb()

    # When the same job is sent as one of many
    chord.send_many([spec_of(*legs)])

    # Then it leaves the same
    assert left_in_redis(job_store) == by_celery
    assert len(by_celery["messages"]) == len(LEGS)
    assert by_celery["counts"], "the size of the chord is written down"


@pytest.mark.parametrize("send", [chord.send, lambda spec: chord.send_many([spec])], ids=["one", "many"])
def test_a_client_that_sends_subscribes_to_no_results(job_store: JobStore, send: Callable[[JobSpec], None]) -> None:
    # Given an application that no other test has waited with
    client_app.cache_clear()

    # When a job is sent
    send(spec_of())
    gc.collect()

    # Then nothing listens for Celery's results, which would be collected when the broker may long be gone
    assert job_store.redis.pubsub_channels(f"*{spec_of().job}*") == []
    assert client_app(broker_url()).backend.result_consumer._pubsub is None
