"""`/metrics`: all metrics for Prometheus, with a key as bearer token if keys are needed."""

from anyio import to_thread
from fastapi import APIRouter, Depends, Response

from pipeline.http.auth import caller
from pipeline.http.problem_responses import responses
from pipeline.monitoring.metrics.exposition import CONTENT_TYPE, exposition

router = APIRouter(tags=["server"], dependencies=[Depends(caller)])


@router.get(
    "/metrics",
    response_class=Response,
    responses=responses() | {200: {"description": "All metrics.", "content": {"text/plain": {}}}},
)
async def get_metrics() -> Response:
    """Return all metrics of Duet in Prometheus's text format."""
    return Response(await to_thread.run_sync(exposition), media_type=CONTENT_TYPE)
