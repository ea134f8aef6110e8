"""A further job for the audio of one that has ended, with options of its own."""

import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from pipeline.client.api import submit
from pipeline.client.episode_audio import is_there
from pipeline.client.job import Job
from pipeline.client.retention.job_files import upload_of
from pipeline.errors import AudioError
from pipeline.http.job_requests import subfolder
from pipeline.http.redis_clients import job_store
from pipeline.messaging.priorities import SINGLE
from pipeline.results.manifest import WORK
from pipeline.sources.digest_cache import Digests
from pipeline.storage import Storage, join, open_object
from pipeline.types import Episode, JobSpec, Options
from pipeline.types.ids import job_id


class Rerun(Options):
    """The options of the further job; those left out have their defaults, whatever the job had."""

    priority: int = Field(default=SINGLE, ge=0, le=9)
    """Priority of the job; 0 is served first."""


@dataclass(frozen=True)
class KeptAudio:
    """The audio of a job as a source; the further job has an upload or a copy of its own, so each can be removed."""

    spec: JobSpec

    @property
    def name(self) -> str:
        """The source that the user gave."""
        return self.spec.episode.source

    def known_episode(self, digests: Digests) -> Episode:
        """Return the episode."""
        return self.spec.episode

    def read(self, digests: Digests) -> Episode:
        """Return the episode; the job has read its bytes."""
        return self.spec.episode

    def copy_audio(self, storage: Storage, name: str) -> str:
        """Return the URI for the pools: of the same file, or of a copy where the job would remove it."""
        if path := upload_of(self.spec):
            return _second_upload(path).as_uri()
        if f"/{WORK}" not in self.spec.audio_uri:
            return self.spec.audio_uri
        source, own = open_object(self.spec.audio_uri)
        with source.held_path(own) as path:
            storage.put(name, path)
        return f"{storage.uri}/{name}"

    def forget(self) -> None:
        """Do nothing, as there is no copy in the cache."""


def rerun(spec: JobSpec, asked: Rerun, to: str) -> Job:
    """Submit the audio of a job with other options below a destination, and return the new job.

    Raises:
        AudioError: the audio is not kept.
        BrokerError, StorageError, TransientError: as for `submit`.
    """
    if not is_there(spec.audio_uri):
        raise AudioError(f"The audio of {spec.episode.file_name} is no longer kept; send the file again.")
    options = Options.model_validate(asked.model_dump(include=set(Options.model_fields)))
    destination = join(to, subfolder(options))
    is_same = job_id(spec.episode.id, options, destination) == spec.job
    kept, own = KeptAudio(spec), job_store()
    return submit(kept, destination, options, force=is_same, priority=asked.priority, job_store=own)


def _second_upload(path: Path) -> Path:
    folder = path.parent.parent / uuid.uuid4().hex
    folder.mkdir()
    try:
        os.link(path, folder / path.name)
    except OSError:  # not every file system has hard links
        shutil.copy2(path, folder / path.name)
    return folder / path.name
