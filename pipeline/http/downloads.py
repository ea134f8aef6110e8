"""Downloads of a job's outputs, each with a file name made from the episode's title."""

from pathlib import PurePosixPath
from typing import Annotated, Literal, get_args
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Depends, HTTPException, Response
from fastapi import Path as PathParameter

from pipeline.client.job import Job
from pipeline.http.auth import caller
from pipeline.http.file_names import plain
from pipeline.http.job_responses import has_result, has_transcript
from pipeline.http.job_routes import KEPT, Known, missing
from pipeline.http.problem_responses import responses
from pipeline.http.redis_clients import job_store
from pipeline.results.formats import FORMATS, TranscriptName
from pipeline.results.merge import read_form
from pipeline.storage import content_type, open_storage
from pipeline.types.records import JobRecord

router = APIRouter(tags=["jobs"], dependencies=[Depends(caller)])
FormatName = Literal[
    "json", "txt", "srt", "vtt", "tsv", "podcast", "speakers", "analysis", "chapters", "notes", "player", "result"
]
"""The formats of `duet export`, and `result` for `result.json`."""
Name = Annotated[FormatName, PathParameter(description="Format, as of `duet export`; `result` is `result.json`.")]
TITLE_CHARACTERS = 80


@router.get(
    "/jobs/{job}/download/{form}",
    response_class=Response,
    responses=responses(404, 409, 502) | {200: {"description": "The file.", "content": {"*/*": {}}}},
)
async def download(record: Known, form: Name) -> Response:
    """Return an output of a job as a file to save, named by the episode's title."""
    is_ready = has_transcript(record) if form in get_args(TranscriptName) else has_result(record)
    if not is_ready:
        raise missing(record, form)
    return await to_thread.run_sync(_file, record, form)


def _file(record: JobRecord, form: FormatName) -> Response:
    file, data = _content(record, form)
    name = saved_name(record, file)
    headers = {"Content-Disposition": f"attachment; filename=\"{_ascii(name)}\"; filename*=UTF-8''{quote(name)}"}
    return Response(data, media_type=content_type(file), headers=KEPT | headers)


def _content(record: JobRecord, form: FormatName) -> tuple[str, bytes]:
    if form == "result":
        return "result.json", Job(record.spec, job_store()).result(0.0).to_json()
    chosen = FORMATS[form]
    if form in get_args(TranscriptName):
        return chosen.file, read_form(record.spec, chosen.file, open_storage(record.spec.uri))
    result = Job(record.spec, job_store()).result(0.0)
    if not chosen.fits(result):
        raise HTTPException(404, f"{record.title} has nothing for {chosen.file}. {record.reason}".rstrip())
    return chosen.file, chosen.render(result).encode()


def saved_name(record: JobRecord, file: str) -> str:
    """Return the name under which a file is saved: `Title.srt` for `transcript.srt`, `Title.notes.md` for others."""
    title = plain(record.title.replace("/", "-")[:TITLE_CHARACTERS])
    stem = PurePosixPath(title).stem if title == plain(record.spec.episode.file_name) else title
    return f"{stem}.{file.removeprefix('transcript.')}"


def _ascii(name: str) -> str:
    return name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_").replace("\\", "_")
