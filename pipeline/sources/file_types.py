"""Detection of audio by a file's first bytes; the final decision is the decoder's."""

import codecs
import re
from pathlib import PurePosixPath

import puremagic

from pipeline.sources.frames import holds_frames

HEAD_BYTES = 8192
AUDIO_SUFFIXES = frozenset(
    [
        ".mp3", ".m4a", ".m4b", ".m4r", ".mp4", ".m4v", ".aac", ".adts", ".ogg", ".oga", ".ogv", ".opus", ".spx",
        ".flac", ".wav", ".wave", ".w64", ".rf64", ".bwf", ".wma", ".wmv", ".asf", ".aif", ".aiff", ".aifc", ".webm",
        ".mkv", ".mka", ".mov", ".avi", ".flv", ".f4a", ".f4v", ".amr", ".awb", ".3gp", ".3gpp", ".3g2", ".3ga",
        ".mp2", ".mpa", ".mpga", ".mpg", ".mpeg", ".vob", ".ts", ".m2ts", ".mts", ".ac3", ".eac3", ".ec3", ".dts",
        ".caf", ".au", ".snd", ".ape", ".wv", ".tta", ".dsf", ".oma", ".latm", ".loas", ".mpc", ".ra", ".rm", ".dss",
        ".voc", ".mxf",
    ]
)  # fmt: skip
VIDEO_SUFFIXES = frozenset(
    [
        ".mp4", ".m4v", ".ogv", ".wmv", ".asf", ".webm", ".mkv", ".mov", ".avi", ".flv", ".f4v", ".3gp", ".3gpp",
        ".3g2", ".mpg", ".mpeg", ".vob", ".ts", ".m2ts", ".mts", ".rm", ".mxf",
    ]
)  # fmt: skip
"""Those of `AUDIO_SUFFIXES` that usually mean a video."""
SIGNATURES = (
    b"ID3", b"OggS", b"fLaC", b"RF64", b"BW64", b"\x1aE\xdf\xa3", b"#!AMR", b"caff", b".snd", b"FLV", b"MAC ", b"wvpk",
    b"TTA", b"DSD ", b"EA3", b"ea3", b"riff\x2e\x91\xcf\x11", b"0&\xb2u\x8ef\xcf\x11", b"\0\0\1\xba", b"\0\0\1\xb3",
    b"\x7f\xfe\x80\x01", b"\xfe\x7f\x01\x80", b"\x1f\xff\xe8\0", b"\xff\x1f\0\xe8", b".RMF", b".ra\xfd", b"MPCK",
    b"MP+", b"Creative Voice", b"NIST_1A", b"\x02dss", b"\x03ds2", b"\x06\x0e\x2b\x34", b"ajkg", b"tBaK",
)  # fmt: skip
"""First bytes of the decoder's containers, in so far as they have a signature."""
FORMS = (b"RIFFWAVE", b"RIFFAVI ", b"RIFXWAVE", b"FORMAIFF", b"FORMAIFC")
"""Signatures of chunked files without the length that follows the first four bytes."""
BOXES = (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"wide", b"free", b"skip", b"pnot")
"""First boxes of MP4 and QuickTime files."""
PICTURES = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif", b"avis", b"crx ")
"""Brands of MP4 files that are pictures."""
NOT_SOUND = ("mpegurl", "midi", "scpls", "x-ms-wpl")
"""Substrings of the audio media types of playlists and MIDI, which contain no sound."""
NO_AUDIO = "it is not audio"
SURE_BYTES = 3
"""Length of a signature from which on it is no coincidence."""
CONTROL = bytes(range(32)).translate(None, b"\t\n\v\f\r\x1b") + b"\x7f"
"""Characters that text has not."""
MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<[?!]?[A-Za-z]{3}")
"""Beginning of XML or HTML, which feeds keep although control characters are in their texts."""
TEXT_BYTES = 512
"""Length from which on bytes without these characters are text in whatever encoding."""


def has_audio_suffix(name: str) -> bool:
    """Return whether a name has the suffix of an audio or video file."""
    return PurePosixPath(name).suffix.lower() in AUDIO_SUFFIXES


def why_not_audio(name: str, head: bytes) -> str | None:
    """Return the reason why a file found in a search is neither audio nor video; None if it may be.

    Args:
        name: the file's name; its suffix counts only if the bytes are inconclusive.
        head: the first `HEAD_BYTES` of the file, or fewer if it is shorter.
    """
    reason = why_never_audio(head)
    if has_audio_suffix(name):
        # Text that is named like audio is somebody's mistake: the decoder tells them.
        return None if reason == NO_AUDIO else reason
    return reason or (None if _has_signature(head) or holds_frames(head) else NO_AUDIO)


def why_never_audio(head: bytes) -> str | None:
    """Return the reason why a file that someone names or sends is surely no audio; None leaves it to the decoder.

    Args:
        head: the first `HEAD_BYTES` of the file, or fewer if it is shorter.
    """
    if not head:
        return "it is empty (0 bytes)"
    if _is_text(head) or MARKUP.match(head):
        kind = _other_kind(head)
        return f"{NO_AUDIO} but {kind}" if kind else NO_AUDIO
    if _has_signature(head):
        return None
    kind = _other_kind(head)
    return f"{NO_AUDIO} but {kind}" if kind and not holds_frames(head) else None


def _has_signature(head: bytes) -> bool:
    if head[4:8] in BOXES:
        return head[8:12] not in PICTURES
    return head.startswith(SIGNATURES) or head[:4] + head[8:12] in FORMS


def _other_kind(head: bytes) -> str:
    """Return the media type, or else the suffix, of bytes with a signature of something that is no audio."""
    try:
        matches = [match for match in puremagic.magic_string(head) if _is_sure(match)]
    except (puremagic.PureError, ValueError):
        return ""
    if not matches:
        return ""
    # Of equal matches the shortest name is the most general: application/zip, and not that of one office program.
    equal = [match for match in matches if match.confidence == matches[0].confidence and match.mime_type]
    best = min(equal, key=lambda match: len(match.mime_type), default=matches[0])
    return "" if _is_sound(best.mime_type) else best.mime_type or best.extension


def _is_sure(match: puremagic.PureMagicWithConfidence) -> bool:
    """Return whether a match is no coincidence, and no silence or padding."""
    is_padding = match.byte_match.startswith((b"\0", b"\xff\xff"))
    return len(match.byte_match) >= SURE_BYTES and not is_padding and bool(match.mime_type or match.extension)


def _is_sound(media_type: str) -> bool:
    is_named_so = media_type.startswith(("audio/", "video/")) or media_type in ("application/ogg", "application/mxf")
    return is_named_so and not any(part in media_type for part in NOT_SOUND)


def _is_text(head: bytes) -> bool:
    """Return whether bytes have only characters of text, in UTF-8, UTF-16 or, if they are many, any encoding."""
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return len(head) >= TEXT_BYTES and head.translate(None, CONTROL) == head and len(head.split()) > 1
    return text.encode().translate(None, CONTROL) == text.encode()
