"""OpenAI's transcription endpoints (https://platform.openai.com/docs/api-reference/audio), for existing clients.

A client changes its base URL to `http://this-server/v1` and its key to one of Duet's. Parameters that Whisper
has no use for are accepted and ignored.
"""

from functools import partial
from textwrap import wrap
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, Field, ValidationError

from pipeline.client.job import Job
from pipeline.http import multipart
from pipeline.http.auth import place
from pipeline.http.diarized_json import diarized_json
from pipeline.http.job_requests import JobRequest, received, submitted
from pipeline.http.job_routes import transcript_file
from pipeline.http.problem_responses import responses, to_validation_error
from pipeline.http.uploads import UploadedFile
from pipeline.settings import settings
from pipeline.types import Options, Transcript
from pipeline.types.job import MOST_TERM, MOST_TERMS

router = APIRouter(prefix="/v1", tags=["OpenAI's clients"], dependencies=[Depends(place)])
Task = Literal["transcribe", "translate"]
Granularity = Literal["word", "segment"]
GRANULARITIES = "timestamp_granularities[]"


class TranscriptionForm(BaseModel):
    """The fields of OpenAI's form that this server validates."""

    model: str = Field(default="", description="Any name; the server has its own model.", examples=["whisper-1"])
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] | None = None
    prompt: str = Field(default="", max_length=2000, description="Names and terms in the audio, separated by commas.")
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"] = Field(
        default="json", description="`diarized_json` has the speakers, after the end of the job; not for translations."
    )
    temperature: float = Field(default=0.0, ge=0.0, le=1.0, description="Accepted and ignored: Duet decodes greedily.")
    stream: Literal[False] = Field(default=False, description="Not supported; use /jobs/{job}/events.")
    granularities: list[Granularity] = Field(default_factory=list, alias=GRANULARITIES)


def _body() -> dict[str, Any]:
    fields = TranscriptionForm.model_json_schema(by_alias=True)["properties"]
    fields["stream"] = {"type": "boolean", "enum": [False]}
    form = {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}, **fields}}
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form | {"required": ["file"]}}}}
    }


def _answers() -> dict[int | str, dict[str, Any]]:
    schema: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    texts = {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "application/x-subrip", "text/vtt")}
    content = {"application/json": {"schema": schema}, **texts}
    return responses(400, 413, 415, 501, 504, 507) | {200: {"description": "What was said.", "content": content}}


@router.post("/audio/transcriptions", openapi_extra=_body(), response_class=Response, responses=_answers())
async def transcriptions(request: Request) -> Response:
    """Transcribe audio in its own language."""
    return await _transcript_response(request, "transcribe")


@router.post("/audio/translations", openapi_extra=_body(), response_class=Response, responses=_answers())
async def translations(request: Request) -> Response:
    """Translate speech in audio into English text."""
    return await _transcript_response(request, "translate")


async def _transcript_response(request: Request, task: Task) -> Response:
    wanted: list[TranscriptionForm] = []
    job = await submitted(request, await received(request, partial(_order, task=task, wanted=wanted)))
    response = await _rendered(job, wanted[0], task)
    response.headers["Location"] = f"{request.scope.get('root_path', '')}/jobs/{job.id}"
    return response


def _order(
    fields: multipart.Fields, upload: UploadedFile | None, *, task: Task, wanted: list[TranscriptionForm]
) -> JobRequest:
    if upload is None:
        raise HTTPException(422, "Send the audio as `file` in multipart/form-data.")
    try:
        own = TranscriptionForm.model_validate({name: _value(name, given) for name, given in fields.items()})
    except ValidationError as error:
        raise to_validation_error(error, "body") from None
    has_speakers = own.response_format == "diarized_json"
    if has_speakers and task == "translate":
        raise HTTPException(422, "diarized_json is not for translations; ask for verbose_json, or for a transcription.")
    wanted.append(own)
    terms = [term for part in own.prompt.split(",") for term in wrap(part, MOST_TERM)]  # a prompt may be a sentence
    vocabulary = tuple(terms[-MOST_TERMS:])  # as OpenAI's server, use the end of a prompt that is too long
    options = Options(language=own.language, task=task, vocabulary=vocabulary, speakers=has_speakers, legs=("whisper",))
    return JobRequest(upload, options)


def _value(name: str, given: list[Any]) -> Any:
    return given if name == GRANULARITIES else given[-1]


async def _rendered(job: Job, wanted: TranscriptionForm, task: Task) -> Response:
    if wanted.response_format == "diarized_json":
        return JSONResponse(diarized_json(await job.aresult(settings().serve_wait_s)))
    transcript = await job.atranscript(settings().serve_wait_s)
    match wanted.response_format:
        case "json":
            return JSONResponse({"text": transcript.text})
        case "verbose_json":
            return JSONResponse(_verbose(transcript, wanted.granularities or ["segment"], task))
        case "text":
            return PlainTextResponse(f"{transcript.text}\n")
        case form:
            return await to_thread.run_sync(transcript_file, job.spec, form)


def _verbose(transcript: Transcript, granularities: list[Granularity], task: Task) -> dict[str, Any]:
    found: dict[str, Any] = {
        "task": task,
        "language": transcript.language,
        "duration": transcript.audio_s,
        "text": transcript.text,
    }
    if "segment" in granularities:
        found["segments"] = [it.model_dump(mode="json", exclude={"words", "language"}) for it in transcript.segments]
    if "word" in granularities:
        words = [word for segment in transcript.segments for word in segment.words]
        found["words"] = [{"word": it.word.strip(), "start": it.start_s, "end": it.end_s} for it in words]
    return found
