"""Routes of jobs: state, results, cancellation and removal."""

from dataclasses import asdict
from typing import Annotated, get_args

from anyio import to_thread
from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response

from pipeline.client.job import Job
from pipeline.client.retention.removal import Remover
from pipeline.http.auth import caller
from pipeline.http.job_catalogue import Group, JobFilter
from pipeline.http.job_lists import JobLists, Listed
from pipeline.http.job_responses import JobView, Page, Removed, has_result, has_transcript, view
from pipeline.http.problem_responses import responses
from pipeline.http.redis_clients import job_store
from pipeline.http.transcript_index import TranscriptIndex
from pipeline.results.formats import TranscriptName
from pipeline.results.merge import read_form
from pipeline.storage import content_type, open_storage
from pipeline.types import EpisodeResult, JobSpec
from pipeline.types.records import JobRecord

router = APIRouter(tags=["jobs"], dependencies=[Depends(caller)])
MOST = 200
Id = Annotated[
    str, Path(pattern=r"^[0-9a-f]{16}-[0-9a-f]{8}$", description="A job's id.", examples=["0123456789abcdef-01234567"])
]
KEPT = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}


async def record_of(job: str) -> JobRecord:
    """Return a job's record; 404 if there is none."""
    record = await to_thread.run_sync(lambda: job_store().get(job))
    if record is None:
        raise HTTPException(404, f"There is no job {job!r} on this server's broker.")
    return record


async def job_record(job: Id) -> JobRecord:
    """Return the record of the job in the path; 404 if there is none."""
    return await record_of(job)


Known = Annotated[JobRecord, Depends(job_record)]


@router.get("/jobs", responses=responses(404))
async def list_jobs(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    offset: Annotated[int, Query(ge=0, le=10**9, description="Number of newest jobs to skip.")] = 0,
    state: Annotated[Group | None, Query(description="Only jobs in these states.")] = None,
    show: Annotated[str, Query(max_length=500, description="Only jobs of the show with this name.")] = "",
    text: Annotated[str, Query(max_length=200, description="Words in title, show or file name.")] = "",
    batch: Annotated[str, Query(max_length=40, description="Only jobs of the batch with this id.")] = "",
) -> Page:
    """List the jobs of all callers, newest first."""
    lists: JobLists = request.app.state.lists

    def page() -> tuple[int, list[Listed]]:
        own = job_store()
        jobs = lists.jobs_of(own, batch) if batch else None
        return lists.page(own, JobFilter(state, show, text, jobs), offset, limit)

    count, records = await to_thread.run_sync(page)
    return Page(jobs=[view(record, request, place) for record, place in records], count=count)


@router.get("/jobs/{job}", responses=responses(404))
async def get_job(request: Request, record: Known) -> JobView:
    """Return a job's state, progress and place in the queue."""
    lists: JobLists = request.app.state.lists
    ((_, place),) = await to_thread.run_sync(lambda: lists.with_places(job_store(), [record]))
    return view(record, request, place)


@router.delete("/jobs/{job}", responses=responses(404, 409, 502))
async def cancel_job(
    request: Request,
    record: Known,
    results: Annotated[
        bool,
        Query(description="Also remove the results, the upload and all other data of a job that has ended."),
    ] = False,
) -> JobView | Removed:
    """Cancel a waiting or running job; an ended job and its results stay unchanged.

    With `results=true`, permanently remove an ended job with its results and upload; 409 for a running job.
    """
    if results:
        return await to_thread.run_sync(_remove, record.spec.job, request.app.state.index)
    await to_thread.run_sync(Job(record.spec, job_store()).cancel)
    return view(await record_of(record.spec.job), request)


@router.get(
    "/jobs/{job}/transcript.{form}",
    response_class=Response,
    responses=responses(404, 409, 502)
    | {
        200: {
            "description": "The transcript.",
            "content": {content_type(f"transcript.{it}"): {} for it in get_args(TranscriptName)},
        }
    },
)
async def get_transcript(record: Known, form: TranscriptName) -> Response:
    """Return the transcript as captions (SRT, WebVTT), paragraphs, or openai-whisper's JSON with word times."""
    if not has_transcript(record):
        raise missing(record, "transcript")
    return await to_thread.run_sync(transcript_file, record.spec, form)


@router.get("/jobs/{job}/result", responses=responses(404, 409, 502))
async def get_result(record: Known) -> EpisodeResult:
    """Return `result.json`: transcript, analysis, figures, and missing parts with their reasons."""
    if not has_result(record):
        raise missing(record, "result")
    return await to_thread.run_sync(Job(record.spec, job_store()).result, 0.0)


def transcript_file(spec: JobSpec, form: TranscriptName) -> Response:
    """Return the stored file of a transcript format; may block."""
    name = f"transcript.{form}"
    return Response(read_form(spec, name, open_storage(spec.uri)), media_type=content_type(name), headers=KEPT)


def missing(record: JobRecord, what: str) -> HTTPException:
    """Return the error for a missing output of a job: 409 if it may still come, else 404."""
    if record.state.is_final:
        return HTTPException(404, f"Job {record.spec.job} is {record.state.value} and has no {what}. {record.reason}")
    events = f"/jobs/{record.spec.job}/events"
    return HTTPException(
        409, f"Job {record.spec.job} is {record.state.value}; {events} tells when its {what} is there."
    )


def _remove(job: str, index: TranscriptIndex) -> Removed:
    eraser = Remover(job_store())
    done = eraser.erase(eraser.of_job(job))
    index.drop(done.jobs)
    return Removed.model_validate(asdict(done))
