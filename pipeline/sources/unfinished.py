"""Names in a folder or bucket that are no episodes: unfinished downloads, hidden files, folders of the system."""

import re
from pathlib import Path, PurePosixPath

from pipeline.sources.file_types import has_audio_suffix

HIDDEN = "it is hidden"
UNFINISHED = "it is a download that has not ended"
PARTIAL_SUFFIXES = frozenset(
    [
        ".part", ".parts", ".partial", ".crdownload", ".download", ".opdownload", ".tmp", ".temp", ".aria2", ".ytdl",
        ".aria2__temp", ".fdmdownload", ".unfinished", ".incomplete", ".filepart", ".crswap", ".dtapart", ".xltd",
        ".td", ".lftp-pget-status", ".gstmp", ".ffs_tmp", ".mega",
    ]
)  # fmt: skip
"""Suffixes of incomplete files, and of the files in which downloaders keep their place."""
PARTIAL_ENDINGS = re.compile(
    r"\.(?:![a-z]{2,4}|[a-z]{2,4}!"  # torrent clients: .!qB, .!ut, .bc!, .jc!
    r"|part-frag\d+"  # yt-dlp
    r"|part\.met(\.bak)?)$"  # eMule
)
PARTIAL_INFIXES = frozenset([".temp", ".tmp", ".part", ".partial", ".crdownload", ".incomplete", ".unfinished"])
"""Suffixes that tools put before the one of the audio, as in yt-dlp's `ep.temp.m4a`."""
PARTIAL_PREFIXES = ("~syncthing~", "~utorrentpartfile_")
RANDOM = re.compile(r"\.(?=\d*[a-f])[0-9a-f]{8}$")
"""The suffix that the AWS CLI and boto3 append to the name of a file in progress."""
PLACE_KEEPERS = (".aria2", ".st", ".lftp-pget-status", ".ytdl", ".td.cfg")
"""Suffixes of files that lie beside a file as long as it is being written."""
INCOMPLETE = "incomplete"
"""The folder in which Transmission, SABnzbd and others keep what has not ended."""
SYSTEM_FOLDERS = frozenset(
    [
        "lost+found", "$recycle.bin", "recycler", "recycled", "system volume information", "found.000", "@eadir",
        "@tmp", "@recycle", "#recycle", "#snapshot", "~snapshot", "@recently-snapshot", "__macosx",
        "network trash folder", "temporary items", "trashbox",
    ]
)  # fmt: skip
"""Names in lower case: of file systems, Windows, macOS, and network storage of Synology, QNAP and NetApp."""


def why_passed_over(name: str) -> str | None:
    """Return the reason why a search leaves out a file or object by its path below the place that is searched."""
    *folders, last = PurePosixPath(name).parts or (name,)
    for part in folders:
        if reason := why_folder_passed_over(part):
            return reason
    return HIDDEN if _is_hidden(last) else UNFINISHED if is_partial(last) else None


def why_folder_passed_over(name: str) -> str | None:
    """Return the reason why a search leaves out a folder by its own name."""
    if _is_hidden(name):
        return HIDDEN
    if name.lower() in SYSTEM_FOLDERS:
        return "it is a folder of the system"
    if name.lower() == INCOMPLETE:
        return "it is a folder of downloads that have not ended"
    # Safari downloads into a folder `ep.mp3.download`.
    return UNFINISHED if is_partial(name) and has_audio_suffix(PurePosixPath(name).stem) else None


def _is_hidden(name: str) -> bool:
    return name.startswith(".") and name not in (".", "..")  # which keys of a bucket may have


def is_partial(name: str) -> bool:
    """Return whether a name is that of an incomplete download."""
    path = PurePosixPath(name.lower())
    if path.suffix in PARTIAL_SUFFIXES or PARTIAL_ENDINGS.search(path.name) or path.name.startswith(PARTIAL_PREFIXES):
        return True
    if has_audio_suffix(path.name):
        return PurePosixPath(path.stem).suffix in PARTIAL_INFIXES
    return has_audio_suffix(path.stem) and RANDOM.search(path.name) is not None


def is_being_downloaded(path: Path) -> bool:
    """Return whether a local file is incomplete by its name, or by what lies beside it."""
    try:
        if is_partial(path.name) or any(path.with_name(path.name + it).exists() for it in PLACE_KEEPERS):
            return True
        # Firefox reserves the name by an empty file, and writes into one whose name has a random part.
        return not path.stat().st_size and any(
            it.name.startswith(path.stem) and is_partial(it.name) for it in path.parent.iterdir()
        )
    except OSError:
        return False  # the name with a suffix is too long for the system, or what lies beside cannot be listed
