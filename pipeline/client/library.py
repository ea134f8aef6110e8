"""The episodes at a destination, read from their manifests without a broker."""

import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from pipeline.errors import StorageError
from pipeline.results.manifest import read_manifest
from pipeline.storage import Storage, as_uri, join, open_storage
from pipeline.types import EpisodeResult, JobState
from pipeline.types.ids import NAMELESS, slug
from pipeline.types.status import JobStatus

PLACE = "results"
"""Default destination of results."""
THREADS = 8
NOTES = ("notes.md", "transcript.txt")
"""Files to show to a reader, best first."""


def names(place: str) -> list[str]:
    """Return the names of the episodes' folders at a destination.

    Raises:
        StorageError: the destination cannot be read.
    """
    return [it for it in open_storage(as_uri(place)).folders() if not it.startswith(".")]


def episodes(place: str) -> Iterator[tuple[str, EpisodeResult]]:
    """Yield the name of each episode's folder and its result, in the order of names; omits unfinished episodes.

    Raises:
        StorageError: the destination cannot be read.
    """
    uri = as_uri(place)
    with ThreadPoolExecutor(THREADS) as threads:
        found = names(place)
        results = threads.map(lambda name: read_manifest(open_storage(join(uri, name))), found)
        for name, result in zip(found, results, strict=True):
            if result:
                yield name, result


def status_of(result: EpisodeResult) -> JobStatus:
    """Return the status of a result in words."""
    voxtral = result.legs.get("voxtral")
    if result.state is JobState.COMPLETED and result.transcript and voxtral and voxtral.unavailable:
        return JobStatus.TRANSCRIBED
    return JobStatus(result.state.value)


def day_of(result: EpisodeResult) -> str:
    """Return the day of publication, else that of the submission, as `2026-01-02`."""
    published = result.episode.publication.published_at if result.episode.publication else None
    return (published or result.submitted_at)[:10]


def why_no_transcript(storage: Storage, episode: str, place: str) -> str:
    """Return the sentence about an episode that has nothing to show, with the reason if it is known."""
    result = read_manifest(storage)
    if result is None:
        return f"{episode} has no result that this version of Duet can read; submit the episode again."
    reason = f": {result.reason}" if result.reason else "."
    more = f"`duet show {shlex.quote(episode)} --in {shlex.quote(place)} --json` shows all that is known."
    return f"{episode} has no transcript ({status_of(result).value}){reason} {more}"


def find_episode(episode: str, place: str) -> str:
    """Return the URI of an episode's folder.

    Args:
        episode: path of its folder, or its name, its id or a unique part of either; or its file's name or its title.
        place: the destination.

    Raises:
        StorageError: no episode matches, or several do.
    """
    if open_storage(as_uri(episode)).exists("result.json"):
        return as_uri(episode)
    found = names(place)
    slugs = {slug(episode), slug(f"{episode}.")} - {NAMELESS}  # of a file and of a title
    matches = [it for it in found if episode.lower() in it.lower() or it.rpartition("-")[0] in slugs]
    exact = [name for name in matches if episode in (name, name.rpartition("-")[2], name.rpartition("-")[0])]
    chosen = exact if len(exact) == 1 else matches
    if not chosen:
        raise StorageError(f"There is no episode {episode!r} in {place}; `duet ls {shlex.quote(place)}` lists them.")
    if len(chosen) > 1:
        raise StorageError(f"Several episodes match {episode!r}: {', '.join(chosen[:5])}; give more of the name.")
    return join(as_uri(place), chosen[0])
