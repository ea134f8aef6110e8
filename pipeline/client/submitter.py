"""The submitter: identifies the episode of a source, looks up existing results, and queues its job."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

import redis
from kombu.exceptions import OperationalError

from pipeline import tracing
from pipeline.client.episode_audio import copy_for_pools
from pipeline.client.result_folders import ResultFolders
from pipeline.errors import BrokerError, DuetError
from pipeline.logs import as_duet_error
from pipeline.messaging import chord
from pipeline.messaging.message_check import check_size
from pipeline.messaging.priorities import priority_of
from pipeline.results.manifest import WORK, read_manifest
from pipeline.settings import settings
from pipeline.sources import Source
from pipeline.sources.digest_cache import Digests
from pipeline.sources.url_guard import check_url
from pipeline.state.job_store import JobStore
from pipeline.state.redis import readable_errors, unreachable
from pipeline.state.webhook_signers import check_signed
from pipeline.state.webhook_subscriptions import Webhooks, check_room, note_due, register
from pipeline.storage import as_uri, join, open_storage
from pipeline.storage.allowed_roots import check_destination
from pipeline.types import Episode, EpisodeResult, JobSpec, JobState, Options
from pipeline.types.ids import job_id
from pipeline.types.records import JobRecord

logger = logging.getLogger(__name__)


class SubmitStatus(Enum):
    """The status of a submitted source."""

    NEW = "new"
    """The job is queued."""
    UNDER_WAY = "under way"
    """The job is open already, from another client or an earlier submission."""
    DONE = "done"
    """The results exist already."""


@dataclass(frozen=True)
class PreparedEpisode:
    """A source with its job; the audio of a new job is in a place that the pools can read."""

    source: str
    spec: JobSpec
    status: SubmitStatus


class Submitter:
    """Submits sources to one destination with one set of options; several threads may call `prepare` at once."""

    def __init__(
        self,
        destination: str,
        options: Options | None = None,
        *,
        force: bool = False,
        priority: int | None = None,
        job_store: JobStore | None = None,
        webhooks: Webhooks | None = None,
    ) -> None:
        self.destination = as_uri(destination)
        check_destination(self.destination)
        self.webhooks = webhooks or Webhooks()
        _check_webhooks(self.webhooks)
        self.options = options or Options()
        self.force = force
        self.priority = priority
        self._given_job_store = job_store
        self._digests = Digests(settings().cache_dir / "digests.sqlite")
        self._folders = ResultFolders(self.destination)

    @cached_property
    def job_store(self) -> JobStore:
        """The job store, opened on first use, so that errors of a source are reported first."""
        return self._given_job_store or JobStore()

    def prepare(self, source: Source) -> PreparedEpisode:
        """Identify a source's episode and, unless its job is done or open, upload its audio for the pools.

        Raises:
            AudioError, AddressError: the audio cannot be read.
            StorageError, TransientError: the source's bucket or the destination rejects the request.
            BrokerError: the broker does not answer.
            UnexpectedError: reading the source failed with an unforeseen error.
        """
        try:
            prepared = self._prepare(source)
            prepared.spec.model_dump_json()  # an invalid source must not fail a whole page in `enqueue`
        except DuetError:
            raise
        except redis.RedisError as error:
            raise BrokerError(f"The broker rejects the request: {error}.") from None
        except Exception as error:
            raise as_duet_error(error, source.name) from error
        return prepared

    def _prepare(self, source: Source) -> PreparedEpisode:
        known = source.known_episode(self._digests)
        looked_up = self._look_up(source, known) if known else None
        if looked_up and looked_up.status is not SubmitStatus.NEW:
            self._check_webhooks(looked_up)
            return looked_up
        episode = source.read(self._digests)
        try:
            if looked_up is None or episode != known:
                looked_up = self._look_up(source, episode)
            self._check_webhooks(looked_up)
            check_size(looked_up.spec)
            if looked_up.status is not SubmitStatus.NEW:
                return looked_up
            spec = looked_up.spec
            return replace(looked_up, spec=spec.model_copy(update={"audio_uri": copy_for_pools(source, spec)}))
        finally:
            source.forget()

    def enqueue(self, prepared: Sequence[PreparedEpisode]) -> list[PreparedEpisode]:
        """Queue the new jobs and return all episodes in the same order with their present status.

        Raises:
            BrokerError: the broker does not answer. The next submission finds the jobs that were queued.
        """
        began_at = time.time()
        at_work = [it.spec.job for it in prepared if it.status is not SubmitStatus.DONE]
        with readable_errors():
            for job in register(self.job_store.redis, at_work, self.webhooks):
                logger.warning("The job %s has the maximum number of webhooks; the new ones are not called.", job)
        new = [it.spec for it in prepared if it.status is SubmitStatus.NEW]
        won = {spec.job: spec for spec, is_ours in zip(new, self.job_store.begin_many(new), strict=True) if is_ours}
        try:
            _send(list(won.values()))
        except (OperationalError, redis.RedisError) as error:
            raise unreachable(error) from None
        self.job_store.note_sent(list(won.values()))
        for spec in won.values():
            span = {"job": spec.job, "episode": spec.episode.id, "attempt": spec.attempt, "priority": spec.priority}
            tracing.add_span("submit", spec.job, spec.attempt, began_at, time.time(), span)
        ended_up = [self._resolve_race(it, won) for it in prepared]
        for it, other in zip(prepared, ended_up, strict=True):
            if it.status is not other.status:
                self._remove_staged_audio(it.spec)
        self._queue_missed_webhooks([it.spec for it in ended_up if it.status is SubmitStatus.UNDER_WAY])
        return ended_up

    def _check_webhooks(self, looked_up: PreparedEpisode) -> None:
        if looked_up.status is not SubmitStatus.DONE:
            with readable_errors():
                check_room(self.job_store.redis, looked_up.spec.job, self.webhooks)

    def _queue_missed_webhooks(self, specs: Sequence[JobSpec]) -> None:
        """Queue the webhooks of states that jobs reached before the webhooks were registered."""
        if not self.webhooks.wanted or not specs:
            return
        records = filter(None, self.job_store.get_many([spec.job for spec in specs]))
        with readable_errors():
            note_due(self.job_store.redis, [(it.spec.job, it.spec.attempt, it.state) for it in records])

    def _resolve_race(self, prepared: PreparedEpisode, won: dict[str, JobSpec]) -> PreparedEpisode:
        # If two files have the same bytes, or two clients submit them at once, only one starts the job.
        is_ours = won.pop(prepared.spec.job, None) is prepared.spec
        lost = prepared.status is SubmitStatus.NEW and not is_ours
        return PreparedEpisode(prepared.source, prepared.spec, SubmitStatus.UNDER_WAY) if lost else prepared

    def _remove_staged_audio(self, spec: JobSpec) -> None:
        """Remove the audio uploaded for a job that another client has started, unless that job may read it."""
        folder = f"{spec.uri}/"
        record = self.job_store.get(spec.job)
        is_read = record and record.spec.audio_uri == spec.audio_uri and record.state is not JobState.COMPLETED
        if spec.audio_uri.startswith(f"{folder}{WORK}") and not is_read:
            open_storage(spec.uri).delete(spec.audio_uri.removeprefix(folder))

    def _look_up(self, source: Source, episode: Episode) -> PreparedEpisode:
        """Return an episode's job and its status."""
        spec = self._spec(episode)
        record = self.job_store.get(spec.job)
        if not self.force:
            if record and _is_under_way(record):
                return PreparedEpisode(source.name, record.spec, SubmitStatus.UNDER_WAY)
            if result := self._result(spec):
                self.job_store.adopt(spec, result)
                return PreparedEpisode(source.name, spec, SubmitStatus.DONE)
        attempt = record.spec.attempt + 1 if record else 1
        return PreparedEpisode(source.name, spec.model_copy(update={"attempt": attempt}), SubmitStatus.NEW)

    def _spec(self, episode: Episode) -> JobSpec:
        folder = self._folders.folder_of(episode)
        return JobSpec(
            job=job_id(episode.id, self.options, self.destination),
            attempt=1,
            episode=episode,
            options=self.options,
            audio_uri="",
            uri=join(self.destination, folder or f"{episode.slug}-{episode.id}"),
            priority=priority_of(episode, self.priority),
            fresh=self.force,
        )

    def _result(self, spec: JobSpec) -> EpisodeResult | None:
        """Return the result of a job that is done; None if it has none or another job's result is in its place."""
        if not self._folders.folder_of(spec.episode):
            return None
        result = read_manifest(open_storage(spec.uri))
        return result if result and result.job == spec.job and _is_settled(result) else None


def _check_webhooks(webhooks: Webhooks) -> None:
    """Raise AddressError or TransientError if a webhook's address is not allowed or it could not be signed."""
    for url in filter(None, (webhooks.on_transcribed, webhooks.on_completed)):
        check_url(url)
    if webhooks.wanted:
        check_signed()


def _send(specs: list[JobSpec]) -> None:
    if len(specs) == 1:
        chord.send(specs[0])
    else:
        chord.send_many(specs)


def _is_under_way(record: JobRecord) -> bool:
    return not record.state.is_final and not record.was_never_sent


def _is_settled(result: EpisodeResult) -> bool:
    return result.state in (JobState.COMPLETED, JobState.PARTIAL) and not any(
        leg.status == "failed" for leg in result.legs.values()
    )
