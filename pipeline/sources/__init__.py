"""Sources of episodes: files, folders, patterns, buckets, web addresses, feeds."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import AudioError, DuetError, NoAudioError, TransientError
from pipeline.logs import as_duet_error
from pipeline.sources.file_types import HEAD_BYTES, has_audio_suffix, why_never_audio
from pipeline.sources.files import LocalFile, local_episodes
from pipeline.sources.source import Found, Source
from pipeline.sources.web_address import for_apps, host_and_port
from pipeline.storage import path_of
from pipeline.types.found import Rejected, Skipped

__all__ = ["Found", "LocalFile", "Rejected", "Skipped", "Source", "find", "find_all", "find_one", "left_out"]


def find(place: str | Path) -> Iterator[Found]:
    """Yield the sources at a place, and each skipped or rejected item with its reason.

    Args:
        place: a file, a folder, a pattern such as `shows/**/*.mp3`, `s3://bucket/prefix`, or the URL of audio or
            of a podcast feed.

    Raises:
        AudioError: the place does not exist.
        NoAudioError: it has no audio.
        AddressError, StorageError, TransientError: the place cannot be read.
        UnexpectedError: any other error; the sources before it were yielded.
    """
    skipped: list[Skipped] = []
    found_any = False
    for found in _with_duet_errors(str(place)):
        if found_any:
            yield found
        elif isinstance(found, Skipped):
            skipped.append(found)
        else:
            found_any = True
            yield from skipped
            yield found
    if not found_any:
        more = f"; {len(skipped) - 1} more left out" if len(skipped) > 1 else ""
        example = f" ({skipped[0].source}: {skipped[0].reason}{more})" if skipped else ""
        raise NoAudioError(f"{place} holds no audio file{example}.")


def find_all(places: Iterable[str | Path]) -> Iterator[Found]:
    """Yield the sources at several places; one without audio is skipped, one that cannot be read is rejected."""
    for place in places:
        try:
            yield from find(place)
        except DuetError as error:
            yield left_out(str(place), error)


def left_out(place: str, error: DuetError) -> Skipped | Rejected:
    """Return a place that could not be searched as skipped or rejected: one without audio is no failure."""
    if isinstance(error, NoAudioError):
        return Skipped(place, "it holds no audio file")
    return Rejected(place, str(error))


def find_one(place: str | Path) -> Source:
    """Return the only episode at a place.

    Raises:
        AudioError: the place has no episode, or several.
        AddressError, StorageError, TransientError: the place cannot be read.
    """
    if "://" not in str(place):
        return LocalFile(Path(place))  # reading it raises the error, if any
    episodes = list(islice((it for it in find(place) if not isinstance(it, Skipped)), 2))
    if isinstance(episodes[0], Rejected):
        raise AudioError(episodes[0].reason)
    if len(episodes) > 1:
        raise AudioError(f"{place} holds several episodes; submit_all() takes them.")
    return episodes[0]


def _with_duet_errors(place: str) -> Iterator[Found]:
    """Yield the sources at a place; every error is raised as a `DuetError`."""
    try:
        yield from _found(place)
    except DuetError:
        raise
    except Exception as error:
        raise as_duet_error(error, place) from error


def _found(place: str) -> Iterator[Found]:
    if ways := for_apps(place):
        return _on_the_web(_answering(ways))
    scheme = place.partition("://")[0].lower() if "://" in place else ""
    if scheme == "s3":
        from pipeline.sources.bucket import bucket_episodes

        return bucket_episodes(place)
    if scheme in ("http", "https"):
        return _on_the_web(place)
    if scheme == "file":
        return local_episodes(str(path_of(place)))
    if scheme:
        raise AudioError(f"{place}: Duet reads files, folders, s3://, https:// and feeds.")
    return local_episodes(place)


def _answering(ways: list[str]) -> str:
    """Return the first of several addresses that answers, or the last; it will raise the error."""
    from pipeline.sources.download import first_bytes

    for url in ways[:-1]:
        with suppress(TransientError):
            first_bytes(url, HEAD_BYTES)
            return url
    return ways[-1]


def _on_the_web(url: str) -> Iterator[Found]:
    from pipeline.sources.download import first_bytes
    from pipeline.sources.feed import feed_episodes
    from pipeline.sources.web import WebAudio

    host_and_port(url)
    path = urlsplit(url).path
    if has_audio_suffix(path):
        yield WebAudio(url)
        return
    media_type, head = first_bytes(url, HEAD_BYTES)
    if media_type.lower().startswith(("audio/", "video/")) or why_never_audio(head) is None:
        yield WebAudio(url)
    else:
        yield from feed_episodes(url)
