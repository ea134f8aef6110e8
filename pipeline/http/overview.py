"""`/overview`: all jobs in a few figures, the batches and the pools, for the head of the home page."""

from collections import Counter
from datetime import datetime

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from pipeline.http.auth import caller
from pipeline.http.batch_list import BatchJobs
from pipeline.http.job_catalogue import Card, Group
from pipeline.http.job_lists import JobLists
from pipeline.http.pool_views import PoolView, pool_views
from pipeline.http.problem_responses import responses
from pipeline.http.redis_clients import job_store
from pipeline.state.batch_store import BatchStore
from pipeline.state.worker_registry import WorkerRegistry
from pipeline.types.time_format import iso

router = APIRouter(tags=["home page"], dependencies=[Depends(caller)])
MOST_SHOWS = 200


class BatchView(BaseModel):
    """A batch and what became of its jobs."""

    id: str
    name: str
    created_at: str
    groups: dict[Group, int]


class Overview(BaseModel):
    """All jobs in a few figures."""

    groups: dict[Group, int] = Field(description="Number of jobs of each group.")
    at_work: int
    today: int = Field(description="Number of episodes that were done since the server's midnight.")
    today_s: float = Field(description="Seconds of audio of those episodes.")
    queue_s: float = Field(description="About the seconds of audio that wait or are at work.")
    queue_done_in_s: float | None = Field(description="About the seconds until they are done.")
    shows: list[str]
    batches: list[BatchView]
    pools: list[PoolView]


@router.get("/overview", responses=responses())
async def get_overview(request: Request) -> Overview:
    """Return the number of jobs in each state, the length of the queue, today's work, batches and pools."""
    return await to_thread.run_sync(_overview, request.app.state.lists)


def _overview(lists: JobLists) -> Overview:
    own = job_store()
    cards = lists.catalogue.cards(own)
    queue = lists.queue.state(own, cards)
    since = datetime.now().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    today = [it for it in cards if it.group in ("done", "attention") and it.ended_at >= since and it.audio_s]
    by_id = {it.job: it for it in cards}
    return Overview(
        groups=_groups(cards),
        at_work=queue.at_work,
        today=len(today),
        today_s=sum(it.audio_s for it in today),
        queue_s=queue.audio_s,
        queue_done_in_s=queue.done_in_s,
        shows=sorted({it.show for it in cards if it.show}, key=str.lower)[:MOST_SHOWS],
        batches=[_batch(it, by_id) for it in lists.batches.newest(BatchStore(own.redis))],
        pools=pool_views(WorkerRegistry(own.redis)),
    )


def _batch(found: BatchJobs, cards: dict[str, Card]) -> BatchView:
    known = [cards[job] for job in found.jobs if job in cards]
    created_at = iso(found.record.created_at)
    return BatchView(id=found.record.id, name=found.name, created_at=created_at, groups=_groups(known))


def _groups(cards: list[Card]) -> dict[Group, int]:
    return dict(Counter(it.group for it in cards))
