"""Which files below the paths a person gives are episodes."""

import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import AudioError

AUDIO_SUFFIXES = frozenset(
    [
        ".mp3",
        ".m4a",
        ".m4b",
        ".mp4",
        ".aac",
        ".ogg",
        ".oga",
        ".opus",
        ".flac",
        ".wav",
        ".wma",
        ".aif",
        ".aiff",
        ".webm",
        ".mkv",
        ".mov",
        ".mka",
        ".amr",
        ".3gp",
    ]
)


def audio_files(path: Path) -> Iterator[Path]:
    """Yield a file, or every audio file below a folder in the order of their names.

    Hidden files are left out. A link to a folder is not followed, so a loop of links ends.

    Raises:
        AudioError: there is no such path, or no audio file below the folder.
    """
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise AudioError(f"{path} is not there; check the spelling.")
    found = False
    for folder, names, files in os.walk(path):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in AUDIO_SUFFIXES:
                found = True
                yield Path(folder, name)
    if not found:
        raise AudioError(f"{path} holds no audio file ({', '.join(sorted(AUDIO_SUFFIXES)[:6])}, ...).")
