"""What a worker may be handed: Celery's message protocol in JSON."""

import json
import pickle
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.errors import MessageError
from pipeline.messaging.envelope import check_envelope

BODY = [[{"job": "x"}], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
Change = Callable[[dict[str, Any]], object]


def envelope(body: bytes = json.dumps(BODY).encode()) -> dict[str, Any]:
    return {
        "body": b64encode(body).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": "tasks.merge", "id": "1", "lang": "py", "retries": 0, "timelimit": [None, None]},
        "properties": {
            "delivery_tag": "1",
            "delivery_info": {"exchange": "", "routing_key": "cpu"},
            "body_encoding": "base64",
            "priority": 5,
        },
    }


CHANGES: dict[str, Change] = {
    "pickled": lambda it: it.update({"content-type": "application/x-python-serialize", "content-encoding": "binary"}),
    "yaml": lambda it: it.update({"content-type": "application/x-yaml"}),
    "compressed": lambda it: it["headers"].update(compression="application/x-gzip"),
    "no headers": lambda it: it.pop("headers"),
    "no properties": lambda it: it.pop("properties"),
    "no body": lambda it: it.pop("body"),
    "a body that is not base64": lambda it: it.update(body="*"),
    "no task": lambda it: it["headers"].pop("task"),
    "an id that is a list": lambda it: it["headers"].update(id=["1"]),
    "no number of retries": lambda it: it["headers"].update(retries="many"),
    "no time": lambda it: it["headers"].update(eta="soon"),
    "a time without a zone": lambda it: it["headers"].update(expires="2026-01-01T00:00:00"),
    "limits that are none": lambda it: it["headers"].update(timelimit="long"),
    "no tag": lambda it: it["properties"].update(delivery_tag=None),
    "no way": lambda it: it["properties"].update(delivery_info=None),
}


def test_a_plain_message_fits() -> None:
    check_envelope(envelope())


@pytest.mark.parametrize("name", CHANGES)
def test_a_message_of_another_form_is_refused(name: str) -> None:
    hostile = envelope()
    CHANGES[name](hostile)

    with pytest.raises(MessageError):
        check_envelope(hostile)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xff\xfe", b'"hello"', b"[]", b"[[], {}]", b"[{}, [], {}]", b'[[], {}, {"chain": 5}]', b"[" * 100_000,
        pickle.dumps([[], {}, {}]),
    ],
)  # fmt: skip
def test_a_body_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(MessageError):
        check_envelope(envelope(body))


@pytest.mark.parametrize("whole", [None, [], "text", 7, {}])
def test_what_is_no_message_at_all_is_refused(whole: object) -> None:
    with pytest.raises(MessageError):
        check_envelope(whole)
