"""Routes that put a job to work again, or earlier or later than it would be."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Body, Depends, HTTPException, Request
from pydantic import BaseModel

from pipeline.client.retry import begin_again
from pipeline.http.auth import caller
from pipeline.http.job_rerun import Rerun, rerun
from pipeline.http.job_responses import JobView, can_retry, view
from pipeline.http.job_routes import Known, record_of
from pipeline.http.problem_responses import responses
from pipeline.http.redis_clients import job_store
from pipeline.messaging.overtaking import PRIORITY_OF, Place, move
from pipeline.state.redis import broker_url, keeps_state
from pipeline.types.records import JobRecord

router = APIRouter(prefix="/jobs/{job}", tags=["jobs"], dependencies=[Depends(caller)])


class Turn(BaseModel):
    """The place in the queue that a waiting job is to have."""

    place: Place


@router.post("/retry", responses=responses(404, 409, 502))
async def retry_job(request: Request, record: Known) -> JobView:
    """Run the missing parts of a job that ended failed, partial or cancelled; what was done is not done again."""
    if not can_retry(record):
        raise HTTPException(409, f"Nothing of job {record.spec.job} can be retried: it is {record.status.value}.")
    await to_thread.run_sync(begin_again, record, job_store())
    return view(await record_of(record.spec.job), request)


@router.post("/rerun", responses=responses(400, 404, 409, 502))
async def rerun_job(request: Request, record: Known, asked: Annotated[Rerun, Body()]) -> JobView:
    """Process the audio of a job that has ended with other options, as a job of its own; with the same, once more."""
    if not record.state.is_final:
        raise HTTPException(409, f"Job {record.spec.job} is {record.status.value}; cancel it first.")
    job = await to_thread.run_sync(rerun, record.spec, asked, request.app.state.to)
    return view(await record_of(job.id), request)


@router.put("/place", responses=responses(400, 404, 409))
async def move_job(request: Request, record: Known, turn: Turn) -> JobView:
    """Move the waiting parts of a job to the front of the queue or to its end; parts at work go on."""
    if not await to_thread.run_sync(_move, record, turn.place):
        raise HTTPException(409, f"Nothing of job {record.spec.job} waits in a queue: it is {record.status.value}.")
    return view(await record_of(record.spec.job), request)


def _move(record: JobRecord, place: Place) -> int:
    if record.state.is_final:
        return 0
    if not keeps_state(broker_url()):
        raise HTTPException(409, "The queues of this broker keep their order; only Redis and Valkey can change it.")
    own = job_store()
    moved = move(own.redis, record.spec, place)
    changed = record.spec.model_copy(update={"priority": PRIORITY_OF[place]})
    own.note(record.spec, spec=changed.model_dump_json())  # what is sent for it from now on has the same priority
    return moved
