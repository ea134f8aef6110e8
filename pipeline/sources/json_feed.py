"""JSON Feed in the shape that feedparser gives to RSS and Atom.

Source: https://jsonfeed.org/version/1.1
"""

import json
from typing import Any

VERSION = "jsonfeed.org/version/"


def parsed_json(text: str) -> dict[str, Any] | None:
    """Return a JSON Feed as `{"feed": ..., "entries": [...]}`; None if the text is none."""
    if not text.startswith("{") or VERSION not in text:
        return None
    try:
        feed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(feed.get("items"), list):
        return None
    links = [{"rel": "next", "href": feed["next_url"]}] if feed.get("next_url") else []
    entries = [_entry(it) for it in feed["items"] if isinstance(it, dict)]
    return {"feed": {"title": feed.get("title"), "links": links, **_author(feed)}, "entries": entries}


def _entry(item: dict[str, Any]) -> dict[str, Any]:
    attached = item.get("attachments")
    attachments = [it for it in attached if isinstance(it, dict)] if isinstance(attached, list) else []
    return {
        "id": str(item.get("id") or ""),
        "title": item.get("title"),
        "link": item.get("url"),
        "published": item.get("date_published"),
        "updated": item.get("date_modified"),
        "summary": item.get("content_html") or item.get("content_text") or item.get("summary"),
        "enclosures": [
            {"href": str(it.get("url") or ""), "type": it.get("mime_type") or "", "length": it.get("size_in_bytes", "")}
            for it in attachments
        ],
        **_author(item),
    }


def _author(thing: dict[str, Any]) -> dict[str, Any]:
    """Return the first author, of version 1.1 or of version 1."""
    authors = thing.get("authors")
    first = authors[0] if isinstance(authors, list) and authors else thing.get("author")
    return {"author_detail": {"name": first.get("name")}} if isinstance(first, dict) else {}
