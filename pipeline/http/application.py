"""The application: its routes, their shared state, and its OpenAPI description."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from pipeline.http import (
    correction_routes,
    downloads,
    event_routes,
    health,
    home,
    job_abouts,
    job_actions,
    job_routes,
    metrics,
    openai_compatible,
    openai_models,
    overview,
    player_routes,
    problem_responses,
    question_routes,
    reference,
    search,
    session,
    speaker_routes,
    transcription_routes,
    tus,
    uploads,
)
from pipeline.http.cors import with_cors
from pipeline.http.health import Readiness
from pipeline.http.housekeeping import clean_up_regularly
from pipeline.http.job_feed import JobFeed
from pipeline.http.job_lists import JobLists
from pipeline.http.job_requests import Limiters
from pipeline.http.request_ids import RequestIds
from pipeline.http.transcript_index import TranscriptIndex
from pipeline.settings import settings
from pipeline.state.api_keys import ApiKeysSeen
from pipeline.storage import as_uri
from pipeline.storage.allowed_roots import check_destination

DESCRIPTION = """Podcast episodes to transcripts in seconds and to what was said in them in minutes.

Send audio to `/transcribe`, `/analyze` or `/hybrid`; the same audio with the same options is the same job, so a
request that broke off can be sent again. What goes wrong is `application/problem+json`, and below `/v1/` in OpenAI's
format; each answer has an `X-Request-ID`."""


def make_application(to: str, *, is_private: bool) -> ASGIApp:
    """Return the application.

    Args:
        to: folder or URI below which results go.
        is_private: whether only this machine can reach the server; then it needs no key until one exists.

    Raises:
        StorageError: the destination is invalid, or uploads cannot be stored.
    """
    destination = as_uri(to)
    check_destination(destination)
    folder = uploads.folder_for(destination)
    uploads.prepare(folder)
    application = FastAPI(
        title="Duet",
        version=version("duet"),
        description=DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,  # FastAPI's own pages load scripts from a CDN
        redoc_url=None,
    )
    application.state.to = destination
    application.state.uploads = folder
    application.state.is_private = is_private
    application.state.keys_seen = ApiKeysSeen()
    application.state.index = TranscriptIndex(settings().cache_dir / "transcripts.sqlite")
    application.state.lists = JobLists()
    application.state.abouts = job_abouts.AboutCache()
    application.state.readiness = Readiness(destination)
    for module in (
        transcription_routes,
        openai_compatible,
        openai_models,
        job_routes,
        job_actions,
        job_abouts,
        downloads,
        tus,
        question_routes,
        speaker_routes,
        correction_routes,
        event_routes,
        player_routes,
        search,
        overview,
        session,
        health,
        metrics,
        home,
        reference,
    ):
        application.include_router(module.router)
    problem_responses.handle(application)
    _describe(application)
    return RequestIds(with_cors(application))


@asynccontextmanager
async def _lifespan(application: FastAPI) -> AsyncIterator[None]:
    application.state.live = JobFeed()
    application.state.limiters = Limiters()
    housekeeping = asyncio.create_task(clean_up_regularly(application))
    yield
    housekeeping.cancel()


def _describe(application: FastAPI) -> None:
    """Add the schemas to OpenAPI that routes refer to and FastAPI does not find."""
    describe = application.openapi

    def openapi() -> dict[str, Any]:
        schema = describe()
        schema["components"]["schemas"]["Problem"] = problem_responses.Problem.model_json_schema()
        return schema

    application.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation has it
