"""Job requests: the validation of audio and options, and the submission."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import HTTPException, Request
from pydantic import Field, ValidationError

from pipeline.client.api import submit
from pipeline.client.job import Job
from pipeline.errors import AudioError, BrokerError, StorageError
from pipeline.http import multipart
from pipeline.http.problem_responses import to_validation_error
from pipeline.http.redis_clients import job_store
from pipeline.http.resumable_upload import ResumableUpload
from pipeline.http.uploads import UploadedFile
from pipeline.messaging.priorities import SINGLE
from pipeline.sources import Source, find_one
from pipeline.storage import join
from pipeline.types import MODEL_LEGS, ModelLeg, Options

LISTS = frozenset(["vocabulary", "questions"])
UPLOADS_AT_ONCE = 8
"""Uploads that are submitted at once; any number is received at once."""
DOWNLOADS_AT_ONCE = 16
DOWNLOADS_OF_ONE = 4
"""Downloads of one caller at once."""
UPLOAD = "upload"
SEND_ONE = "Send either the audio as `file`, or its address as `url`, or the id of a complete `upload`."
SUBFOLDERS: dict[tuple[ModelLeg, ...], str] = {
    MODEL_LEGS: "hybrid",
    ("whisper",): "transcribe",
    ("voxtral",): "analyze",
}
"""Subfolders of the server's destination, so that a job with fewer legs does not overwrite another's results."""


Hook = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2000)]
"""The URL of a webhook."""


class JobForm(Options):
    """The fields of a request besides the file."""

    url: Annotated[str, Field(pattern=r"^(https?|s3)://[^\s]+$", max_length=2000)] | None = None
    """URL of the audio, `https://` or `s3://`, instead of `file`."""
    upload: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    """Id of a complete upload of `/uploads` (the tus protocol), instead of `file`."""
    force: bool = False
    """Process the audio again, even if results exist."""
    priority: int = Field(default=SINGLE, ge=0, le=9)
    """Priority of the job; 0 is served first."""
    on_transcribed: Hook | None = None
    """URL of a signed webhook for the transcript."""
    on_completed: Hook | None = None
    """URL of a signed webhook for the end of the job."""


@dataclass(frozen=True)
class JobRequest:
    """The audio and the options of a request."""

    source: UploadedFile | str
    options: Options
    force: bool = False
    priority: int = SINGLE
    on_transcribed: str | None = None
    on_completed: str | None = None


async def received(
    request: Request,
    understand: Callable[[multipart.Fields, UploadedFile | None], JobRequest],
    form: type[multipart.Form] = multipart.Form,
) -> JobRequest:
    """Return the job request in a request's body; its file has been written to disk."""
    fields, upload = await multipart.read(request, request.app.state.uploads, form)
    if upload is None and isinstance(name := (fields.pop(UPLOAD, None) or [None])[0], str):
        if fields.get("url"):
            raise HTTPException(422, SEND_ONE)
        upload = await to_thread.run_sync(_resumed, request, name)
        return understand(fields, upload)  # it stays, so that a request with a mistake can be made again
    try:
        return understand(fields, upload)
    except BaseException:
        if upload:
            await to_thread.run_sync(upload.clear_away, None)
        raise


def _resumed(request: Request, name: str) -> UploadedFile:
    return ResumableUpload.find(request.app.state.uploads, name, request.state.caller).finished()


async def submitted(request: Request, asked: JobRequest) -> Job:
    """Submit a job request and return its job; the pools can read its audio by then."""
    to, limiters = request.app.state.to, request.app.state.limiters
    if isinstance(asked.source, UploadedFile):
        return await to_thread.run_sync(_submit, asked, to, limiter=limiters.uploads)
    async with limiters.share(request.state.caller):
        return await to_thread.run_sync(_submit, asked, to, limiter=limiters.downloads)


def _submit(asked: JobRequest, to: str) -> Job:
    """Submit, and remove the upload unless pools read it; after a broker error it stays, as the job may be queued."""
    upload = asked.source if isinstance(asked.source, UploadedFile) else None
    try:
        job = submit(
            upload or _found(str(asked.source)),
            join(to, subfolder(asked.options)),
            asked.options,
            force=asked.force,
            priority=asked.priority,
            on_transcribed=asked.on_transcribed,
            on_completed=asked.on_completed,
            job_store=job_store(),
        )
    except BrokerError:
        raise
    except BaseException:
        if upload:
            upload.clear_away(None)
        raise
    if upload:
        # An upload that is submitted again is what the job reads, which only its record tells.
        record = job_store().get(job.id)
        upload.clear_away(record.spec if record else job.spec)
    return job


def _found(url: str) -> Source:
    try:
        return find_one(url)
    except StorageError as error:
        raise AudioError(str(error)) from None  # the client's URL is wrong, not our storage


def subfolder(options: Options) -> str:
    """Return the subfolder of the destination for the given options; each set of options has its own."""
    own = options.model_dump(mode="json", exclude_defaults=True, exclude={"legs"})
    digest = hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:8]
    return f"{SUBFOLDERS[options.legs]}-{digest}" if own else SUBFOLDERS[options.legs]


def order(fields: multipart.Fields, upload: UploadedFile | None, *, legs: tuple[ModelLeg, ...]) -> JobRequest:
    """Return the job request in a form or JSON object; 422 if it is invalid."""
    asked = _asked(fields)
    if (asked.url is None) == (upload is None) or asked.upload:
        raise HTTPException(422, SEND_ONE)
    options = Options.model_validate(asked.model_dump(include=set(Options.model_fields)) | {"legs": legs})
    return JobRequest(
        upload or asked.url or "", options, asked.force, asked.priority, asked.on_transcribed, asked.on_completed
    )


def _asked(fields: multipart.Fields) -> JobForm:
    if unknown := fields.keys() - set(JobForm.model_fields) | fields.keys() & {"legs"}:
        raise HTTPException(422, f"There is no field {sorted(unknown)[0]!r}; /docs shows which there are.")
    values = {name: value for name, given in fields.items() if (value := _value(name, given)) not in ("", None, [])}
    try:
        return JobForm.model_validate(values)
    except ValidationError as error:
        raise to_validation_error(error, "body") from None


def _value(name: str, given: list[Any]) -> Any:
    """Return the value of a field; empty items of a list are left out."""
    if name in LISTS:
        values = given[0] if len(given) == 1 and isinstance(given[0], list) else given
        return [it for it in values if it != ""]
    if len(given) != 1:
        raise HTTPException(422, f"{name}: give it once.")
    return given[0]


class Limiters:
    """Limits of the threads that submit, so that long downloads do not block uploads.

    A caller has at most `DOWNLOADS_OF_ONE` downloads at once, however slow their servers are; further ones wait without
    occupying a thread.
    """

    def __init__(self) -> None:
        self.uploads = CapacityLimiter(UPLOADS_AT_ONCE)
        self.downloads = CapacityLimiter(DOWNLOADS_AT_ONCE)
        self._shares: dict[str, CapacityLimiter] = {}

    @asynccontextmanager
    async def share(self, caller: str) -> AsyncIterator[None]:
        """Reserve one of a caller's downloads."""
        share = self._shares.setdefault(caller, CapacityLimiter(DOWNLOADS_OF_ONE))
        try:
            async with share:
                yield
        finally:
            if not share.borrowed_tokens and not share.statistics().tasks_waiting:
                self._shares.pop(caller, None)


def body(example: str) -> dict[str, Any]:
    """Return the OpenAPI description of a request's body."""
    fields: dict[str, Any] = JobForm.model_json_schema()["properties"]
    fields.pop("legs")
    fields["speakers"]["anyOf"].insert(0, {"type": "string", "enum": ["on", "off"]})  # as a form writes it
    optional = {name: it for name, it in fields.items() if name not in ("url", UPLOAD)}
    address = {"type": "string", "pattern": r"^(https?|s3)://[^\s]+$", "maxLength": 2000}
    file = {"type": "string", "format": "binary", "description": "Audio or video, of any kind that FFmpeg reads."}
    form = {"type": "object", "properties": {"file": file, **optional}, "required": ["file"]}
    upload = fields[UPLOAD]["anyOf"][0] | {"description": fields[UPLOAD]["description"]}
    sheet = {
        "type": "object",
        "properties": {"url": address, UPLOAD: upload, **optional},
        "oneOf": [{"required": ["url"]}, {"required": [UPLOAD]}],
    }
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": form | {"additionalProperties": False}},
                "application/json": {
                    "schema": sheet | {"additionalProperties": False},
                    "example": {"url": example, "language": "en"},
                },
            },
        }
    }
