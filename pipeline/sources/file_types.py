"""Detection of audio by a file's first bytes; the final decision is the decoder's."""

from pathlib import PurePosixPath

import puremagic

HEAD_BYTES = 8192
AUDIO_SUFFIXES = frozenset(
    [
        ".mp3", ".m4a", ".m4b", ".mp4", ".aac", ".ogg", ".oga", ".opus", ".flac", ".wav",
        ".wma", ".aif", ".aiff", ".webm", ".mkv", ".mov", ".mka", ".amr", ".3gp",
    ]
)  # fmt: skip
PARTIAL_SUFFIXES = frozenset(
    [".part", ".partial", ".crdownload", ".download", ".opdownload", ".tmp", ".aria2", ".ytdl"]
)
"""Suffixes that downloaders append to incomplete files."""
NOT_SOUND = ("mpegurl", "midi", "scpls", "x-ms-wpl")
"""Substrings of the audio media types of playlists and MIDI, which contain no sound."""
USUAL_HEADS = (b"ID3", b"OggS", b"fLaC")
USUAL_BRANDS = frozenset(b"ftyp" + brand for brand in (b"M4A ", b"M4B ", b"mp42", b"mp41", b"isom", b"qt  ", b"3gp4"))
SURE = 0.5
"""Minimum confidence of puremagic to override an audio suffix."""


def has_audio_suffix(name: str) -> bool:
    """Return whether a name has the suffix of an audio or video file."""
    return PurePosixPath(name).suffix.lower() in AUDIO_SUFFIXES


def is_partial(name: str) -> bool:
    """Return whether a name is that of an incomplete download."""
    return PurePosixPath(name).suffix.lower() in PARTIAL_SUFFIXES


def why_not_audio(name: str, head: bytes) -> str | None:
    """Return the reason why a file is neither audio nor video, with its type; None if it may be.

    Args:
        name: the file's name; its suffix counts only if the bytes are inconclusive.
        head: the first `HEAD_BYTES` of the file, or fewer if it is shorter.
    """
    if _is_usual(head):
        return None
    try:
        best = puremagic.magic_string(head)[0]
    except (puremagic.PureError, ValueError):
        return None if has_audio_suffix(name) else "it is not audio"
    if _is_sound(best.mime_type) or best.extension in AUDIO_SUFFIXES:
        return None
    # A match without a media type is a pattern of few bytes, which also matches a file that begins with silence.
    if has_audio_suffix(name) and (best.confidence < SURE or not best.mime_type):
        return None
    kind = best.mime_type or best.extension
    return f"it is not audio but {kind}" if kind else "it is not audio"


def _is_sound(media_type: str) -> bool:
    is_named_so = media_type.startswith(("audio/", "video/")) or media_type in ("application/ogg", "application/mxf")
    return is_named_so and not any(part in media_type for part in NOT_SOUND)


def _is_usual(head: bytes) -> bool:
    """Return whether the bytes begin like nearly all episodes, which saves the two milliseconds of puremagic."""
    is_riff_or_mp4 = head[8:12] == b"WAVE" if head[:4] == b"RIFF" else head[4:12] in USUAL_BRANDS
    return head.startswith(USUAL_HEADS) or is_riff_or_mp4 or _is_mpeg_audio(head)


def _is_mpeg_audio(head: bytes) -> bool:
    """Return whether the bytes begin with an untagged frame of MPEG audio (ISO/IEC 11172-3, 2.4.1.3)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer, bit_rate, sample_rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    # Layer I is not in use, and its frames begin like UTF-16 text.
    return version != 1 and layer in (1, 2) and bit_rate not in (0, 15) and sample_rate != 3
