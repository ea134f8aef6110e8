"""What a process logs: one line an event, for programs or for people, and no secret."""

import json
import os
import subprocess
import sys

SCRIPT = """
import logging, structlog
from pipeline import logs
logs.set_up()
structlog.contextvars.bind_contextvars(job="0123456789abcdef-01234567", leg="whisper", attempt=1)
structlog.stdlib.get_logger("duet").info("begun", tries=1)
log = logging.getLogger("library")
log.warning("Cannot reach %s with %s", "redis://me:hidden-1@host/0", "hidden-2")
log.warning("https://bucket/key?X-Amz-Signature=hidden-3&part=1")
log.info("said at info")
log.debug("said at debug")
try:
    raise ValueError("of hidden-2")
except ValueError:
    log.exception("failed")
"""


def logged(**variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DUET_")}
    own = {"DUET_VOXTRAL_KEY": "hidden-2", **variables}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment | own, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == ""
    return done.stderr


def test_a_program_reads_one_object_a_line_that_says_whose_it_is() -> None:
    lines = [json.loads(line) for line in logged().splitlines()]

    assert [it["event"] for it in lines][:1] == ["begun"]
    assert {it["job"] for it in lines} == {"0123456789abcdef-01234567"}
    assert (lines[0]["leg"], lines[0]["attempt"], lines[0]["tries"], lines[0]["level"]) == ("whisper", 1, 1, "info")
    assert all("timestamp" in it for it in lines)
    assert "said at info" in [it["event"] for it in lines]
    assert "said at debug" not in [it["event"] for it in lines]
    assert "ValueError" in lines[-1]["exception"]


def test_a_person_reads_words() -> None:
    text = logged(DUET_LOG_FORMAT="text")
    assert "begun" in text
    assert not text.startswith("{")


def test_no_secret_is_logged_in_either_form() -> None:
    for form in ("json", "text"):
        text = logged(DUET_LOG_FORMAT=form)
        assert "hidden" not in text, text
        assert "redis://***@host/0" in text
