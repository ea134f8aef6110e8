"""Episodes on the web: an address of audio, or what a feed encloses."""

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit
from weakref import finalize

from pipeline.errors import AudioError, without_credentials
from pipeline.settings import settings
from pipeline.sources.digest_cache import Digests
from pipeline.sources.download import Download, version_of
from pipeline.sources.file_types import HEAD_BYTES, why_not_audio
from pipeline.sources.url_guard import MOST_CHARACTERS
from pipeline.storage import Storage
from pipeline.types import Episode, Publication
from pipeline.types.ids import episode_id, slug


@dataclass(frozen=True)
class WebAudio:
    """Audio at an address of the web, which is downloaded here and brought to where the results go."""

    url: str
    publication: Publication | None = None
    declared: str = ""
    """What the feed says of the file, so that a new one under the same address is seen."""
    _taken: list[Path] = field(default_factory=list, init=False, repr=False, compare=False)
    """The download, under a name of our own, between `read` and `bring`."""

    @property
    def name(self) -> str:
        """The address, as it may be shown."""
        return without_credentials(self.url)[:MOST_CHARACTERS]

    def recall(self, digests: Digests) -> Episode | None:
        """Return the episode if what the feed, or the server, says of its bytes has not changed.

        A feed's word is enough: many hosts put other advertisements into the same episode for everybody who
        asks, so its bytes differ each time.
        """
        key = self._key()
        known = digests.get(key) if key else None
        return self._episode(*known) if known else None

    def read(self, digests: Digests) -> Episode:
        """Download the audio, going on where an earlier download broke off, and return the episode."""
        path = self._take()
        with path.open("rb") as audio:
            if reason := why_not_audio(urlsplit(self.url).path, audio.read(HEAD_BYTES)):
                self.forget()
                raise AudioError(f"{self.name} cannot be used: {reason}.")
            audio.seek(0)
            digest = episode_id(audio)
        size_bytes = path.stat().st_size
        if key := self._key():
            digests.put(key, digest, size_bytes)
        return self._episode(digest, size_bytes)

    def bring(self, storage: Storage, name: str) -> str:
        """Put the download beside the results, for the pools to read, and drop it from the cache."""
        storage.put(name, self._taken[0] if self._taken else self._take())
        self.forget()
        return f"{storage.uri}/{name}"

    def forget(self) -> None:
        """Remove the download from the cache; other users of the same bytes keep them."""
        while self._taken:
            self._taken.pop().unlink(missing_ok=True)
        Download(self.url).forget()

    def _take(self) -> Path:
        """Download the audio and return a path that nobody else removes; it goes with this object at the latest."""
        path = Download(self.url).take(settings().download_limit_bytes)
        finalize(self, path.unlink, missing_ok=True)
        while self._taken:
            self._taken.pop().unlink(missing_ok=True)
        self._taken.append(path)
        return path

    def _key(self) -> str | None:
        if self.publication:
            return f"feed {self.publication.guid} {self.url} {self.declared}"
        version = version_of(self.url)
        return (
            f"web {self.url} {version.etag} {version.last_modified} {version.size_bytes}" if version.is_known else None
        )

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
