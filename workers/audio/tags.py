"""Tags of an audio file, as FFmpeg names them."""

from collections.abc import Mapping

MOST_CHARACTERS = 2000
"""Characters of a tag that are passed on."""
NAMES = {"title": "title", "album": "show"}
"""FFmpeg's names of tags (https://ffmpeg.org/doxygen/trunk/group__metadata__api.html), and those of `FileTags`."""


def tags(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that describe the episode, by the names of `FileTags`; some formats write names in capitals."""
    found = {name.lower(): text for name, text in metadata.items()}
    return {own: found[name][:MOST_CHARACTERS] for name, own in NAMES.items() if name in found}
