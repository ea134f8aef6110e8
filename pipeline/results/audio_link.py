"""Link from an episode's folder to its audio."""

import os
from urllib.parse import quote, urlsplit

from pipeline.results.manifest import WORK
from pipeline.storage import path_of
from pipeline.types import JobSpec


def audio_link(spec: JobSpec) -> str | None:
    """Return the audio's path relative to the episode's folder; None in a bucket or the temporary work folder."""
    audio, folder = urlsplit(spec.audio_uri), urlsplit(spec.uri)
    if audio.scheme != "file" or folder.scheme != "file":
        return None
    path = os.path.relpath(path_of(spec.audio_uri), path_of(spec.uri))
    return None if path.startswith(WORK) else quote(os.fsencode(path))
