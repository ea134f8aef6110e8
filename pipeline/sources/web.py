"""Episodes on the web: the URL of audio, or an enclosure of a feed."""

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit
from weakref import finalize

from pipeline.errors import AudioError, without_credentials, without_user
from pipeline.settings import settings
from pipeline.sources.digest_cache import Digests
from pipeline.sources.download import Download, version_of
from pipeline.sources.file_types import HEAD_BYTES, why_never_audio
from pipeline.sources.web_address import MOST_CHARACTERS
from pipeline.storage import Storage
from pipeline.types import Episode, Publication
from pipeline.types.ids import episode_id, slug


@dataclass(frozen=True)
class WebAudio:
    """Audio at a URL, downloaded to the cache and copied beside the results."""

    url: str
    publication: Publication | None = None
    declared: str = ""
    """The file's length as declared in the feed, which detects a new file at the same URL."""
    _taken: list[Path] = field(default_factory=list, init=False, repr=False, compare=False)
    """This object's own path of the download, between `read` and `bring`."""

    @property
    def name(self) -> str:
        """The URL without credentials."""
        return without_credentials(self.url)[:MOST_CHARACTERS]

    def known_episode(self, digests: Digests) -> Episode | None:
        """Return the episode if its version in the feed, or else on the server, has not changed.

        The feed is sufficient: many hosts insert different advertisements for each request, so the bytes differ
        each time.
        """
        key = self._key()
        known = digests.get(key) if key else None
        return self._episode(*known) if known else None

    def read(self, digests: Digests) -> Episode:
        """Download the audio, resuming an earlier download, and return the episode."""
        path = self._take()
        with path.open("rb") as audio:
            if reason := why_never_audio(audio.read(HEAD_BYTES)):
                self.forget()
                raise AudioError(f"{self.name} cannot be used: {reason}.")
            audio.seek(0)
            digest = episode_id(audio)
        size_bytes = path.stat().st_size
        if key := self._key():
            digests.put(key, digest, size_bytes)
        return self._episode(digest, size_bytes)

    def copy_audio(self, storage: Storage, name: str) -> str:
        """Copy the download beside the results, remove it from the cache, and return its URI."""
        storage.put(name, self._taken[0] if self._taken else self._take())
        self.forget()
        return f"{storage.uri}/{name}"

    def forget(self) -> None:
        """Remove the download from the cache; paths of other users of the same bytes remain."""
        while self._taken:
            self._taken.pop().unlink(missing_ok=True)
        Download(self.url).forget()

    def _take(self) -> Path:
        """Download the audio and return this object's own path, which is removed with the object at the latest."""
        path = Download(self.url).take(settings().download_limit_bytes)
        finalize(self, path.unlink, missing_ok=True)
        while self._taken:
            self._taken.pop().unlink(missing_ok=True)
        self._taken.append(path)
        return path

    def _key(self) -> str | None:
        url = without_user(self.url)
        if self.publication:
            return f"feed {self.publication.guid} {url} {self.declared}"
        version = version_of(self.url)
        return f"web {url} {version.etag} {version.last_modified} {version.size_bytes}" if version.is_known else None

    def _episode(self, digest: str, size_bytes: int) -> Episode:
        title = self.publication.title.replace("/", " ") if self.publication else ""
        name = f"{title}." if title else unquote(PurePosixPath(urlsplit(self.url).path).name)
        return Episode(
            id=digest,
            source=self.name,
            slug=slug(name),
            size_bytes=size_bytes,
            publication=self.publication,
        )
