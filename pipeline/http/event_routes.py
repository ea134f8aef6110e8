"""Server-sent events of one job until it ends, and of all jobs."""

from collections.abc import AsyncIterable, Iterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from pipeline.http.auth import caller
from pipeline.http.job_feed import JobFeed
from pipeline.http.job_responses import has_transcript, view
from pipeline.http.job_routes import Known
from pipeline.http.problem_responses import responses
from pipeline.types.records import JobRecord

router = APIRouter(tags=["jobs"], dependencies=[Depends(caller)])


AtMost = Annotated[
    int | None,
    Query(ge=1, le=1000, description="Number of jobs to tell of at once; an event `more` has the number of others."),
]


class EventStream:
    """Converts job records to events: `transcribed` and `completed` once per attempt, else `progress`."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._sent: set[tuple[str, int, str]] = set()

    def events(self, record: JobRecord) -> Iterator[ServerSentEvent]:
        """Yield the events of a record, with the job as data."""
        shown = view(record, self._request)
        milestones = {"transcribed": has_transcript(record), "completed": record.state.is_final}
        new = [name for name, is_reached in milestones.items() if is_reached and self._is_new(record, name)]
        for name in new or ["progress"]:
            yield ServerSentEvent(event=name, data=shown)

    def _is_new(self, record: JobRecord, name: str) -> bool:
        milestone = (record.spec.job, record.spec.attempt, name)
        is_new = milestone not in self._sent
        self._sent.add(milestone)
        return is_new


@router.get("/jobs/{job}/events", response_class=EventSourceResponse, responses=responses(404))
async def job_events(request: Request, record: Known) -> AsyncIterable[ServerSentEvent]:
    """Stream a job's events until it ends in any state: `progress`, `transcribed`, `completed`, each with the job."""
    stream, live = EventStream(request), _job_feed(request)
    async with aclosing(live.follow(record.spec.job)) as records:
        async for found in records:
            for event in stream.events(found):
                yield event
            if found.state.is_final:
                return


@router.get("/events", response_class=EventSourceResponse, responses=responses())
async def all_events(request: Request, at_most: AtMost = None) -> AsyncIterable[ServerSentEvent]:
    """Stream the events of all running or changing jobs, without an end."""
    stream, live = EventStream(request), _job_feed(request)
    async with aclosing(live.follow_all(at_most)) as pages:
        async for records, left_out in pages:
            for found in records:
                for event in stream.events(found):
                    yield event
            if left_out:
                yield ServerSentEvent(event="more", data={"left_out": left_out})


def _job_feed(request: Request) -> JobFeed:
    found: JobFeed = request.app.state.live
    return found
