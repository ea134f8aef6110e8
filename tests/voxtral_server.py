"""A server for Voxtral's tests, over real HTTP on this machine; unless told otherwise it answers like vLLM."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, Any] | bytes]
"""Status and body of an answer, which is JSON unless it is bytes."""

OVERVIEW = {
    "language": "en",
    "title": "Bread",
    "sentence": "It is about bread.",
    "summary": "Two people bake bread.",
    "topics": ["bread", "ovens"],
    "sentiment": {"label": "positive", "reason": "They laugh."},
}
DETAILS: dict[str, Any] = {
    "key_points": ["Flour matters."],
    "action_items": [{"text": "Buy flour.", "owner": "Ann"}],
    "people_and_organisations": [{"name": "Ann", "kind": "person", "role": "baker"}],
    "quotes": [{"text": "Bread is life.", "speaker": None}],
}
ANSWERS: dict[str, dict[str, Any]] = {
    "Overview": OVERVIEW,
    "Details": DETAILS,
    "Heading": {"title": "Bread, and why people bake it", "gist": "They bake."},
    "Introduced": {"speakers": [{"speaker": "S1", "name": "Ann Miller", "quote": "I am Ann Miller, and I bake."}]},
    "Told": {"answer": "A mill.", "quotes": ["Bread is life."]},
    "Text": {"text": "Zwei Leute backen Brot."},
}
TRANSCRIPTION: dict[str, Any] = {"text": " Bread is life. ", "usage": {"type": "duration", "seconds": 5}}


def shape_of(request: dict[str, Any]) -> str:
    """Return the name of the schema in a chat request, which lies in `response_format` or at the end of the text."""
    wanted = request.get("response_format", {})
    if wanted.get("type") == "json_schema":
        return str(wanted["json_schema"]["name"])
    return str(json.loads(text_of(request).rpartition(" Its JSON schema: ")[2])["title"])


def text_of(request: dict[str, Any]) -> str:
    """Return the text of a chat request."""
    return str(request["messages"][0]["content"][-1]["text"])


def audio_of(request: dict[str, Any]) -> Any:
    """Return the audio of a chat request; None for one without audio in its first place."""
    return request["messages"][0]["content"][0].get("input_audio")


class VoxtralServer(ThreadingHTTPServer):
    """Answers like vLLM; what it is told to do first lies in `turns`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.models = ["mistralai/Voxtral-Mini-3B-2507"]
        self.listing: dict[str, Any] | None = None
        """The whole answer of `/models`, in place of one with the names in `models`."""
        self.turns: list[tuple[int, dict[str, str]]] = []
        """Status and headers of the next answers to POST, before it answers as it should."""
        self.cut_below_tokens = 0
        self.content: str | None = None
        self.instead: Callable[[dict[str, Any]], Reply | None] = lambda request: None
        """Called with each chat request; an answer that it returns takes the place of the usual one."""
        self.transcription: Callable[[bytes], Reply] = lambda form: (200, TRANSCRIPTION)
        """Called with each form; returns the answer."""
        self.chats: list[dict[str, Any]] = []
        self.forms: list[bytes] = []
        self.headers_seen: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: VoxtralServer

    def do_GET(self) -> None:
        names = [{"id": name, "object": "model"} for name in self.server.models]
        self.answer(200, self.server.listing or {"object": "list", "data": names})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.headers_seen.append(dict(self.headers))
        if self.server.turns:
            status, headers = self.server.turns.pop(0)
            self.answer(status, {"error": {"message": "Not\nnow."}}, headers)
        elif self.path == "/v1/audio/transcriptions":
            self.server.forms.append(body)
            self.answer(*self.server.transcription(body))
        elif self.path == "/v1/chat/completions":
            request = json.loads(body)
            self.answer(*(self.server.instead(request) or (200, self.chat(request))))
        else:
            self.answer(404, {"detail": "Not Found"})

    def chat(self, request: dict[str, Any]) -> dict[str, Any]:
        self.server.chats.append(request)
        content = self.server.content or json.dumps(ANSWERS[shape_of(request)])
        cut = request["max_tokens"] < self.server.cut_below_tokens
        message = {"role": "assistant", "content": content[: len(content) // 2] if cut else content}
        choice = {"index": 0, "message": message, "finish_reason": "length" if cut else "stop"}
        return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice]}

    def answer(self, status: int, body: dict[str, Any] | bytes, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *_: Any) -> None:
        """Keep the test's output clean."""


@contextmanager
def running_server() -> Iterator[VoxtralServer]:
    """Run a server for the length of a block."""
    with VoxtralServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
