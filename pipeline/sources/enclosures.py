"""Choice of an entry's audio among all that it encloses."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from pipeline.sources.file_types import AUDIO_SUFFIXES, NOT_SOUND, VIDEO_SUFFIXES

NOT_AUDIO_TYPES = ("image/", "font/", "model/", "application/pdf", "application/epub", "application/x-shockwave-flash")
NOT_AUDIO_SUFFIXES = frozenset(
    [
        ".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".svg", ".ico", ".bmp", ".pdf", ".epub", ".mobi", ".doc",
        ".docx", ".ppt", ".pptx", ".xls", ".xlsx", ".zip", ".torrent", ".txt", ".srt", ".vtt", ".json", ".xml", ".css",
        ".js", ".html", ".htm", ".m3u", ".m3u8", ".pls",
    ]
)  # fmt: skip
AUDIO, VIDEO, UNSURE, NEVER = range(4)


def audio_of(entry: Any, alternates: Iterable[dict[str, str]]) -> dict[str, str] | None:
    """Return the enclosure to read, with `href`, `type` and `length`; None if the entry surely has no audio.

    Audio comes before video, and both before enclosures of which only the bytes can tell; then the feed's own order:
    `<enclosure>` and Atom's links, `<media:content>` with the default first, `<podcast:alternateEnclosure>`.

    Args:
        entry: an entry of feedparser.
        alternates: the sources of the entry's `<podcast:alternateEnclosure>`.
    """
    media = [{**it, "href": it.get("url", "")} for it in entry.get("media_content", [])]
    media.sort(key=lambda it: str(it.get("isdefault", "")).lower() != "true")
    ranked = [(_rank(it), it) for it in entry.get("enclosures", []) if str(it.get("href", "")).strip()]
    others = [(_rank(it), it) for it in (*media, *alternates) if str(it.get("href", "")).strip()]
    ranked += [(rank, it) for rank, it in others if rank < UNSURE]
    rank, best = min(ranked, key=lambda it: it[0], default=(NEVER, {}))
    return dict(best) if rank < NEVER else None


def _rank(enclosure: Any) -> int:
    media_type = str(enclosure.get("type", "")).strip().lower()
    medium = str(enclosure.get("medium", "")).strip().lower()
    suffix = _suffix(str(enclosure["href"]))
    if any(it in media_type for it in NOT_SOUND):
        return NEVER
    if media_type.startswith("video") or medium == "video":
        return VIDEO
    if media_type.startswith("audio") or medium == "audio":
        return AUDIO
    if suffix in AUDIO_SUFFIXES:
        return VIDEO if suffix in VIDEO_SUFFIXES else AUDIO
    is_other = media_type.startswith(NOT_AUDIO_TYPES) or medium in ("image", "document", "executable")
    return NEVER if is_other or suffix in NOT_AUDIO_SUFFIXES else UNSURE


def _suffix(href: str) -> str:
    path = href.strip().partition("?")[0].partition("#")[0].partition("://")
    return PurePosixPath((path[2] or path[0]).partition("/")[2]).suffix.lower()
