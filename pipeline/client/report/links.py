"""Links from the report to the files of episodes, relative to its own place, so that the folder can be moved."""

from urllib.parse import quote

PLAYER = "player.html"
LINKS = {"notes.md": "notes", "transcript.txt": "text", "transcript.srt": "captions"}
"""File names of results, with the labels of their links."""


def folder_link(uri: str | None, destination: str) -> str:
    """Return the relative link to an episode's folder; empty if it is not below the destination.

    Args:
        uri: URI of the episode's folder; in a `file:` URI names are quoted, in an `s3:` one they are not.
        destination: URI of the folder of the report.
    """
    base = f"{destination.rstrip('/')}/"
    if not uri or not uri.startswith(base):
        return ""
    below = uri.removeprefix(base)
    # Without the dot, a colon in the first name would end a scheme.
    return f"./{below if uri.startswith('file:') else quote(below)}"
