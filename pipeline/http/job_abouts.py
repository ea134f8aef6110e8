"""`/abouts`: what episodes are about, in a sentence or two, for a list of them."""

import json
import time
from collections import OrderedDict
from threading import Lock
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from pipeline.errors import DuetError
from pipeline.http.auth import caller
from pipeline.http.job_responses import has_result
from pipeline.http.problem_responses import responses
from pipeline.http.redis_clients import job_store
from pipeline.results.manifest import MANIFEST, read_result
from pipeline.state.renamed import renamed_at
from pipeline.storage import open_storage
from pipeline.types.records import JobRecord

router = APIRouter(tags=["jobs"], dependencies=[Depends(caller)])
KEPT = 10_000
READ_S = 1.0
"""Seconds that one request may spend on reading results."""
TEXT_CHARACTERS = 400
TOPICS = 5
MOST = 60
Ids = Annotated[
    list[Annotated[str, Field(pattern=r"^[0-9a-f]{16}-[0-9a-f]{8}$")]],
    Query(alias="job", max_length=MOST, description="Ids of jobs; may be repeated.", examples=[[]]),
]


class About(BaseModel):
    """A summary of an episode in a sentence or two, with topics."""

    source: Literal["voxtral", "outline", ""] = Field(
        description="`outline`: sentences of the transcript stand in for a summary; empty: nothing is known."
    )
    text: str
    topics: list[str]


class Abouts(BaseModel):
    """The jobs that were asked for and are known."""

    abouts: dict[str, About]
    unread: list[str] = Field(description="Jobs whose results take longer; ask for them again.")


class AboutCache:
    """The abouts of ended jobs, the last used ones in memory."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[tuple[object, ...], About] = OrderedDict()

    def find(self, records: list[JobRecord], renamed: dict[str, float]) -> Abouts:
        """Return the abouts of jobs that have a result, reading for at most `READ_S`; may block."""
        until = time.monotonic() + READ_S
        found, unread = {}, []
        for record in records:
            job = record.spec.job
            version = (job, record.spec.attempt, record.ended_at, renamed.get(job))
            about = self._known(version)
            if about is None and time.monotonic() > until:
                unread.append(job)
                continue
            found[job] = about or self._keep(version, _read(record))
        return Abouts(abouts=found, unread=unread)

    def _known(self, version: tuple[object, ...]) -> About | None:
        with self._lock:
            if version in self._kept:
                self._kept.move_to_end(version)
            return self._kept.get(version)

    def _keep(self, version: tuple[object, ...], about: About) -> About:
        with self._lock:
            self._kept[version] = about
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return about


@router.get("/abouts", responses=responses())
async def get_abouts(request: Request, jobs: Ids = []) -> Abouts:  # noqa: B006  # FastAPI copies it
    """Return a summary of some jobs' episodes: Voxtral's, or else an outline of quoted sentences."""
    return await to_thread.run_sync(_find, request.app.state.abouts, jobs)


def _find(cache: AboutCache, jobs: list[str]) -> Abouts:
    own = job_store()
    records = [it for it in own.get_many(jobs) if it and has_result(it)]
    return cache.find(records, renamed_at(own.redis))


def _read(record: JobRecord) -> About:
    analysis = _analysis(record) or {}
    text = str(analysis.get("summary_sentence") or analysis.get("summary") or "")
    source = analysis.get("source") if text else ""
    shown = text if len(text) <= TEXT_CHARACTERS else f"{text[:TEXT_CHARACTERS].rpartition(' ')[0]}…"
    topics = [str(it) for it in analysis.get("topics") or ()][:TOPICS]
    return About(source=source if source in ("voxtral", "outline") else "", text=shown, topics=topics)


def _analysis(record: JobRecord) -> dict[str, Any] | None:
    storage = open_storage(record.spec.uri)
    try:
        # Not validated, since the words of three hours take a second; another job's result may be in its place.
        found = json.loads(storage.get(MANIFEST))
        if found.get("job") == record.spec.job:
            analysis: dict[str, Any] | None = found.get("analysis")
            return analysis
        own = read_result(record.spec, storage)
    except (DuetError, ValueError, AttributeError):
        return None  # the list does without; the job's own page tells what is wrong with the result
    return own.analysis.model_dump() if own and own.analysis else None
