"""The player of an episode, and its audio with range requests."""

from contextlib import ExitStack
from mimetypes import guess_type
from pathlib import Path
from typing import get_args

from anyio import CancelScope, to_thread
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse
from starlette.types import Receive, Scope, Send

from pipeline.client.job import Job
from pipeline.errors import StorageError
from pipeline.http.auth import caller
from pipeline.http.job_responses import has_result, links
from pipeline.http.job_routes import KEPT, Known, missing
from pipeline.http.problem_responses import responses
from pipeline.http.redis_clients import job_store
from pipeline.results.formats import TranscriptName
from pipeline.results.player import Served, page
from pipeline.storage import is_local, open_object, path_of
from pipeline.types import JobSpec

router = APIRouter(tags=["jobs"], dependencies=[Depends(caller)])
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
    "media-src 'self' blob:; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The policy allows inline script and style, as the player is one file; it escapes all text of the transcript."""


@router.get("/jobs/{job}/player", response_class=HTMLResponse, responses=responses(404, 409, 502))
async def get_player(request: Request, record: Known) -> HTMLResponse:
    """Return a page with player, transcript and search; `#t=62.5` starts at that second."""
    if not has_result(record):
        raise missing(record, "player")
    result = await to_thread.run_sync(Job(record.spec, job_store()).result, 0.0)
    root = request.scope.get("root_path", "")
    at = links(record, root)
    files = {form: url for form, url in at.items() if form in get_args(TranscriptName)}
    served = Served(api=at["self"], home=f"{root}/", files=files)
    return HTMLResponse(page(result, at["audio"], served), headers=KEPT | {"Content-Security-Policy": POLICY})


@router.get(
    "/jobs/{job}/audio",
    response_class=FileResponse,
    responses=responses(404, 502) | {200: {"description": "The audio.", "content": {"audio/*": {}}}, 206: {}, 416: {}},
)
async def get_audio(record: Known) -> FileResponse:
    """Return the episode's audio, or the requested range; a bucket stores no uploads of ended jobs."""
    held = ExitStack()
    path = await to_thread.run_sync(_path, record.spec, held)
    kind = guess_type(record.spec.episode.source)[0] or ""
    is_sound = kind.startswith(("audio/", "video/"))  # an upload must not be served as a page
    return _CachedFile(held, path, media_type=kind if is_sound else "application/octet-stream", headers=KEPT)


class _CachedFile(FileResponse):
    """A file response whose file stays in the cache until it is sent."""

    def __init__(self, held: ExitStack, path: Path, media_type: str, headers: dict[str, str]) -> None:
        super().__init__(path, media_type=media_type, headers=headers)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, or the requested range."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(self._held.close)


def _path(spec: JobSpec, held: ExitStack) -> Path:
    path = path_of(spec.audio_uri)
    try:
        if not is_local(spec.audio_uri):
            storage, name = open_object(spec.audio_uri)
            path = held.enter_context(storage.held_path(name))
    except StorageError:
        path = Path()
    if not path.is_file():
        raise HTTPException(404, f"The audio of job {spec.job} is not kept here; the player asks for the file.")
    return path
