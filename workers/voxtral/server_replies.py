"""Replies of servers with OpenAI's protocol: a JSON object or a stream of them, and the text of a message."""

import json
import re
from collections.abc import Iterator
from typing import Any

_TEXTS = ("content", "reasoning_content", "reasoning")
"""Fields of a message that hold its text; some servers take a whole answer for reasoning."""
_TAGS = re.compile(r"(?is)<(script|style)\b.*?</\1>|<[^>]+>")


def reply_of(data: bytes) -> dict[str, Any] | None:
    """Return the object that a response is, the parts of a stream that was not asked for put together, or None."""
    text = data.decode("utf-8-sig", "replace").strip()
    try:
        found = json.loads(text)
    except ValueError:
        found = _whole(list(_events(text)))
    return found if isinstance(found, dict) else None


def _events(text: str) -> Iterator[Any]:
    """Yield the objects of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    for line in text.splitlines():
        if line.startswith("data:"):
            try:
                yield json.loads(line.removeprefix("data:"))
            except ValueError:
                continue  # the [DONE] at the end


def _whole(events: list[Any]) -> dict[str, Any] | None:
    """Return a chat's chunks as one answer; an event that is none of them as it is."""
    choices = [it["choices"][0] for it in events if isinstance(it, dict) and it.get("choices")]
    if not choices:
        return events[-1] if events else None
    messages = [it.get("delta") or it.get("message") or {} for it in choices]
    fields = {name: "".join(filter(None, map(text_of, (it.get(name) for it in messages)))) for name in _TEXTS}
    ended = next((it["finish_reason"] for it in choices if it.get("finish_reason")), None)
    return {"choices": [{"message": fields, "finish_reason": ended}]}


def text_of(content: Any) -> str:
    """Return the text of a message's content, which may be a list of parts."""
    if isinstance(content, list):
        return "".join(text_of(it.get("text")) for it in content if isinstance(it, dict))
    return content if isinstance(content, str) else ""


def said_in(message: dict[str, Any]) -> str:
    """Return the text of a message, or else what the model gave as arguments of a function."""
    texts = [text_of(message.get(name)) for name in _TEXTS]
    calls = [call.get("function") for call in message.get("tool_calls") or [] if isinstance(call, dict)]
    texts += [text_of(function.get("arguments")) for function in calls if isinstance(function, dict)]
    return next((text for text in texts if text.strip()), "")


def reason_of(data: bytes) -> str:
    """Return the reason in an error response on one line, for all common formats."""
    text = data.decode("utf-8-sig", "replace")
    try:
        found = json.loads(text)
        while isinstance(found, dict):
            found = found.get("error") or found.get("message") or found.get("detail") or ""
        text = found if isinstance(found, str) else text
    except ValueError:
        text = _TAGS.sub(" ", text)  # the page of a proxy, or the reason itself
    return " ".join(text.split()).rstrip(".") or "no reason given"
