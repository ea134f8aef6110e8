"""Answers of Voxtral servers that do not keep to the form they were asked for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.errors import DuetError
from pipeline.settings import Settings
from tests.voxtral_server import OVERVIEW as WHOLE
from tests.voxtral_server import Reply, VoxtralServer, running_server
from tests.voxtral_sound import noise
from tests.wild.case import Case
from workers.voxtral.answer_schemas import Overview
from workers.voxtral.deadline import Deadline
from workers.voxtral.prompts import OVERVIEW
from workers.voxtral.remote_backend import RemoteBackend
from workers.voxtral.sections import Section

BREAD = "title 'Bread', language en"
TEXT = json.dumps(WHOLE)


def _without(*names: str) -> str:
    return json.dumps({name: value for name, value in WHOLE.items() if name not in names})


def _with(**changed: Any) -> str:
    return json.dumps(WHOLE | changed)


def _refuse_schemas(request: dict[str, Any]) -> Reply | None:
    if request.get("response_format", {}).get("type") != "json_schema":
        return None
    return 400, {"error": {"message": "'response_format.type' : json_schema is not supported"}}


CASES = (
    Case("reply", "as asked", TEXT, BREAD),
    Case("reply", "fenced", f"```json\n{TEXT}\n```", BREAD),
    Case("reply", "prose around it", f"Sure! Here it is:\n{TEXT}\nAnything else?", BREAD),
    Case("reply", "thoughts before it", f"<think>Hm, {{so}} ...</think>\n{TEXT}", BREAD),
    Case("reply", "another field", _with(mood="good"), BREAD),
    Case("reply", "a text too long", _with(title="bread " * 60), "title 'bread bread"),
    Case("reply", "eng for en", _with(language="eng"), BREAD),
    Case("reply", "English for en", _with(language="English"), BREAD),
    Case("reply", "a mood unknown to us", _with(sentiment={"label": "cheerful", "reason": "Jokes."}), BREAD),
    Case("reply", "a text instead of a list", _with(topics="bread"), BREAD),
    Case("reply", "null for a list", _with(topics=None), BREAD),
    Case("reply", "a field less", _without("topics"), BREAD),
    Case("reply", "no JSON at all", "I cannot hear anything.", "left out: "),
    Case("reply", "schemas refused", lambda: _refuse_schemas, BREAD),
)


def answers(cases: tuple[Case, ...], folder: Path) -> dict[Case, str]:
    """Let a server give each reply to the question for an overview."""
    with running_server() as server:
        return {case: _answer(server, case.content) for case in cases}


def _answer(server: VoxtralServer, reply: str | Callable[[dict[str, Any]], Reply | None]) -> str:
    server.content = reply if isinstance(reply, str) else None
    server.instead = (lambda _: None) if isinstance(reply, str) else reply
    backend = RemoteBackend.connect(Settings(voxtral_url=server.url, voxtral_backoff_s=0.0))
    try:
        ((_, _, note),) = backend.ask_about([Section(0.0, noise(1))], [OVERVIEW], Deadline(60))
    except DuetError as error:
        return f"refused: {error}"
    if note.missing:
        return f"left out: {note.missing}"
    assert isinstance(note.answer, Overview)
    return f"title {note.answer.title!r}, language {note.answer.language}"
