"""Requests to `duet serve` as browsers and OpenAI's clients send them, byte for byte; the engines are of the tests."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.batches import ID3
from tests.faults.fleet import Fleet
from tests.http.server import Server, serve
from tests.wild.case import Case

BOUNDARY = b"------WebKitFormBoundary7MA4YWxkTrZu0gW"
ORIGIN = "https://page.example.org"
TRANSCRIPT = "200: Window 0. Window 1. Window 2."
SPEECH = "/v1/audio/transcriptions"


@dataclass(frozen=True)
class Form:
    """A form with audio."""

    fields: tuple[tuple[str, str], ...] = ()
    file: bytes = b'filename="ep.mp3"'
    """How its file is named, after `name="file"; `."""
    path: str = SPEECH


@dataclass(frozen=True)
class Request:
    """A request without a body."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)


def _named(name: bytes, expected: str) -> Case:
    return Case("upload", name.decode(errors="replace"), Form(file=name, path="/transcribe?wait=0"), expected)


def _form(*fields: tuple[str, str], answer: str = TRANSCRIPT) -> Case:
    return Case("OpenAI's form", " ".join(f"{name}={value[:30]}" for name, value in fields), Form(fields), answer)


CASES = (
    _named('filename="播客"'.encode(), "202: 播客"),
    _named(b'filename="' + "播".encode() * 100 + b'.mp3"', "202: 播播"),
    _named(b"filename*=UTF-8''caf%C3%A9.mp3", "202: café.mp3"),
    _named(b"filename=\"ep.mp3\"; filename*=UTF-8''caf%C3%A9%201.mp3", "202: café 1.mp3"),
    _named(b'filename="Caf\xe9.mp3"', "202: Caf"),
    _named(b'filename="C:\\shows\\ep 1.mp3"', "202: ep 1.mp3"),
    _named(b'filename="../../etc/passwd"', "202: passwd"),
    _named(b'filename="CON.mp3"', "202: CON.mp3"),
    _named(b'filename="blob"', "202: blob"),
    _named(b'filename=""', "202: upload"),
    _named(b"", "202: upload"),
    _form(("model", "whisper-1")),
    *(_form(("language", it)) for it in ("", "auto", "en-US", "EN", "english", "pt_BR")),
    _form(("language", "klingon"), answer="422: "),
    *(_form(("stream", it)) for it in ("", "false", "False", "0")),
    _form(("stream", "true"), answer="200: transcript.text.done Window 0. Window 1. Window 2."),
    *(_form(("response_format", it)) for it in ("", "json", "text", "verbose_json", "JSON")),
    _form(("response_format", "srt"), answer="200: 1 00:00:00,000"),
    _form(("response_format", "docx"), answer="422: "),
    *(
        _form(("response_format", "verbose_json"), it, answer="with words")
        for it in (
            ("timestamp_granularities[]", "word"),
            ("timestamp_granularities", "word"),
            ("timestamp_granularities", '["word"]'),
            ("timestamp_granularities[]", "word,segment"),
        )
    ),
    _form(("timestamp_granularities[]", "")),
    _form(("prompt", "Names: " + "Ada Brook, " * 900)),
    *(_form(("temperature", it)) for it in ("", "0", "0.0", "0.2")),
    _form(("include[]", "logprobs")),
    _form(("vad_filter", "true"), ("hotwords", "Duet"), ("chunking_strategy", "auto")),
    Case("OpenAI's models", "list", Request("GET", "/v1/models"), "200: whisper-"),
    Case("OpenAI's models", "one", Request("GET", "/v1/models/whisper-1"), "200: whisper-1"),
    Case("OpenAI's models", "none", Request("GET", "/v1/models/gpt-4o"), "404: "),
    Case(
        "browser",
        "preflight of an allowed page",
        Request("OPTIONS", SPEECH, {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}),
        f"allows {ORIGIN}",
    ),
    Case(
        "browser",
        "preflight of another page",
        Request("OPTIONS", SPEECH, {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}),
        "allows no page",
    ),
)


def answers(cases: tuple[Case, ...], folder: Path) -> dict[Case, str]:
    """Send each request to one server with workers behind it."""
    fleet = Fleet(folder)
    try:
        fleet.start_all()
        with serve(fleet, fleet.results / "http", DUET_SERVE_CORS_ORIGINS=ORIGIN) as server:
            return {case: _answer(server, case, number) for number, case in enumerate(cases)}
    finally:
        fleet.stop()


def _answer(server: Server, case: Case, number: int) -> str:
    wanted: Form | Request = case.input
    if isinstance(wanted, Request):
        return _told(server.http.request(wanted.method, wanted.path, headers=wanted.headers))
    content = b"\r\n".join(_body(wanted, ID3 + b"%d" % number))
    kind = f"multipart/form-data; boundary={BOUNDARY.decode()}"
    response = server.http.post(wanted.path, content=content, headers={"Content-Type": kind})
    if response.status_code == 202:
        return f"202: {response.json()['name']}"
    return _told(response)


def _body(form: Form, audio: bytes) -> Iterable[bytes]:
    for name, value in form.fields:
        yield from (b"--" + BOUNDARY, f'Content-Disposition: form-data; name="{name}"'.encode(), b"", value.encode())
    named = b"; " + form.file if form.file else b""
    yield from (b"--" + BOUNDARY, b'Content-Disposition: form-data; name="file"' + named, b"", audio)
    yield from (b"--" + BOUNDARY + b"--", b"")


def _told(response: httpx.Response) -> str:
    kind = response.headers.get("content-type", "")
    if "access-control-allow-origin" in response.headers or response.request.method == "OPTIONS":
        return f"{response.status_code}: allows {response.headers.get('access-control-allow-origin', 'no page')}"
    if kind.startswith("text/event-stream"):
        last = [line for line in response.text.splitlines() if line.startswith("data: {")][-1]
        event = httpx.Response(200, text=last.removeprefix("data: ")).json()
        return f"{response.status_code}: {event['type']} {event.get('text', '')}"
    if "json" not in kind:
        return f"{response.status_code}: {' '.join(response.text.split())}"
    found = response.json()
    names = [it["id"] for it in found["data"]] if "data" in found else [found.get("id") or found.get("text", "")]
    said = found["error"]["message"] if "error" in found else ", ".join(names)
    return f"{response.status_code}: {said}{' with words' if 'words' in found else ''}"
