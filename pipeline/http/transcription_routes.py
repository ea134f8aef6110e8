"""Routes that receive audio: `/transcribe` (the fast leg), `/analyze` (the slow leg), `/hybrid` (both)."""

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from pipeline.client.job import Job
from pipeline.errors import WaitTimeoutError
from pipeline.http.auth import place
from pipeline.http.job_requests import body, order, received, submitted
from pipeline.http.job_responses import Answer, view
from pipeline.http.job_routes import record_of
from pipeline.http.problem_responses import responses
from pipeline.settings import settings
from pipeline.types import MODEL_LEGS

router = APIRouter(tags=["send audio"], dependencies=[Depends(place)])
EXAMPLE = "https://example.org/ep-042.mp3"
LONGEST_S = 3600.0
Wait = Annotated[
    float | None,
    Query(ge=0, le=LONGEST_S, description="Seconds to wait for the result; at most the server's own limit."),
]
OTHERS = responses(400, 404, 409, 413, 415, 507) | {
    202: {"description": "It is at work; `links` say where.", "model": Answer}
}


@router.post("/transcribe", openapi_extra=body(EXAMPLE), responses=OTHERS)
async def transcribe(request: Request, response: Response, wait: Wait = None) -> Answer:
    """Transcribe audio with Whisper, and return the transcript.

    Waits for the transcript by default. If it is not ready in time, the response is 202 with links.
    """
    job = await submitted(request, await received(request, partial(order, legs=("whisper",))))
    return await _answer(request, response, job, "transcript", settings().serve_wait_s if wait is None else wait)


@router.post("/analyze", openapi_extra=body(EXAMPLE), responses=OTHERS)
async def analyze(request: Request, response: Response, wait: Wait = 0.0) -> Answer:
    """Analyze audio with Voxtral: summary, key points, quotes and answers; `/hybrid` has chapters too."""
    job = await submitted(request, await received(request, partial(order, legs=("voxtral",))))
    return await _answer(request, response, job, "result", wait or 0.0)


@router.post("/hybrid", openapi_extra=body(EXAMPLE), responses=OTHERS)
async def hybrid(request: Request, response: Response, wait: Wait = 0.0) -> Answer:
    """Run both models and merge their results: the transcript in seconds, the analysis in minutes."""
    job = await submitted(request, await received(request, partial(order, legs=MODEL_LEGS)))
    return await _answer(request, response, job, "result", wait or 0.0)


async def _answer(
    request: Request, response: Response, job: Job, awaited: Literal["transcript", "result"], wait_s: float
) -> Answer:
    """Return the job with the awaited output, or with status 202 if it is not ready in time."""
    response.headers["Location"] = f"{request.scope.get('root_path', '')}/jobs/{job.id}"
    wait_s = min(wait_s, settings().serve_wait_s)
    found: dict[str, object] = {}
    try:
        if awaited == "transcript":
            found["transcript"] = await job.atranscript(wait_s)
        else:
            result = await job.aresult(wait_s)
            found["analysis"] = result.analysis
            found["transcript"] = await job.atranscript(0.0) if result.legs["whisper"].status == "ok" else None
    except WaitTimeoutError:
        response.status_code = 202
    record = await record_of(job.id)
    return Answer(**view(record, request).model_dump(), **found)
