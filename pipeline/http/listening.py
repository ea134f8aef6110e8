"""The episode's player, and its audio in parts as a player asks for them."""

from mimetypes import guess_type
from pathlib import Path
from urllib.parse import unquote, urlsplit

from anyio import to_thread
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse

from pipeline.errors import StorageError
from pipeline.http.access import caller
from pipeline.http.broker import ledger
from pipeline.http.jobs import KEPT, Known, missing
from pipeline.http.problems import responses
from pipeline.http.views import has_result
from pipeline.job import Job
from pipeline.player import page
from pipeline.storage import open_storage
from pipeline.types import JobSpec

router = APIRouter(tags=["jobs"], dependencies=[Depends(caller)])
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; media-src 'self' blob:; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The player is one file with its script in it, and all that was said is escaped there."""


@router.get("/jobs/{job}/player", response_class=HTMLResponse, responses=responses(404, 409, 502))
async def get_player(request: Request, record: Known) -> HTMLResponse:
    """Return a page to listen to the episode, read along and search; `#t=62.5` begins there."""
    if not has_result(record):
        raise missing(record, "player")
    result = await to_thread.run_sync(Job(record.spec, ledger()).result, 0.0)
    audio = f"{request.scope.get('root_path', '')}/jobs/{record.spec.job}/audio"
    return HTMLResponse(page(result, audio), headers=KEPT | {"Content-Security-Policy": POLICY})


@router.get(
    "/jobs/{job}/audio",
    response_class=FileResponse,
    responses=responses(404, 502) | {200: {"description": "The audio.", "content": {"audio/*": {}}}, 206: {}, 416: {}},
)
async def get_audio(record: Known) -> FileResponse:
    """Return the episode's audio, or the part that is asked for; a bucket keeps no copy of uploads that are done."""
    path = await to_thread.run_sync(_path, record.spec)
    kind = guess_type(record.spec.episode.source)[0] or ""
    is_sound = kind.startswith(("audio/", "video/"))  # nobody's upload is a page of ours
    return FileResponse(path, media_type=kind if is_sound else "application/octet-stream", headers=KEPT)


def _path(spec: JobSpec) -> Path:
    parts = urlsplit(spec.audio_uri)
    path = Path(unquote(parts.path))
    try:
        if parts.scheme != "file":
            folder, _, name = spec.audio_uri.rpartition("/")
            path = open_storage(folder).local_path(name)
    except StorageError:
        path = Path()
    if not path.is_file():
        raise HTTPException(404, f"The audio of job {spec.job} is not kept here; the player asks for the file.")
    return path
