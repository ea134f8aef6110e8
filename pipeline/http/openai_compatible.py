"""OpenAI's transcription endpoints (https://platform.openai.com/docs/api-reference/audio), for existing clients.

A client changes its base URL to `http://this-server/v1` and its key to one of Duet's. Parameters that Whisper
has no use for are accepted and ignored.
"""

from functools import partial
from typing import Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from pipeline.client.job import Job
from pipeline.http import multipart
from pipeline.http.auth import place
from pipeline.http.diarized_json import diarized_json
from pipeline.http.job_requests import JobRequest, received, submitted
from pipeline.http.job_routes import transcript_file
from pipeline.http.openai_errors import PREFIX, openai_responses
from pipeline.http.openai_form import Granularity, OpenAIForm, TranscriptionForm, described, understood
from pipeline.http.openai_stream import streamed
from pipeline.http.uploads import UploadedFile
from pipeline.settings import settings
from pipeline.types import Options, Transcript

router = APIRouter(prefix=PREFIX, tags=["OpenAI's clients"], dependencies=[Depends(place)])
Task = Literal["transcribe", "translate"]


def _answers() -> dict[int | str, dict[str, Any]]:
    schema: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    event = {"type": "object", "properties": {it: {"type": "string"} for it in ("event", "data")}, "required": ["data"]}
    texts = {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "application/x-subrip", "text/vtt")}
    content = {"application/json": {"schema": schema}, "text/event-stream": {"schema": event}, **texts}
    return openai_responses(400, 413, 415, 501, 504, 507) | {200: {"description": "What was said.", "content": content}}


@router.post("/audio/transcriptions", openapi_extra=described(), response_class=Response, responses=_answers())
async def transcriptions(request: Request) -> Response:
    """Transcribe audio in its own language."""
    return await _transcript_response(request, "transcribe")


@router.post("/audio/translations", openapi_extra=described(), response_class=Response, responses=_answers())
async def translations(request: Request) -> Response:
    """Translate speech in audio into English text."""
    return await _transcript_response(request, "translate")


async def _transcript_response(request: Request, task: Task) -> Response:
    wanted: list[TranscriptionForm] = []
    job = await submitted(request, await received(request, partial(_order, task=task, wanted=wanted), OpenAIForm))
    has_speakers = wanted[0].response_format == "diarized_json"
    if wanted[0].stream:
        response: Response = streamed(request, job, has_speakers=has_speakers)
    else:
        response = await _rendered(job, wanted[0], task)
    response.headers["Location"] = f"{request.scope.get('root_path', '')}/jobs/{job.id}"
    return response


def _order(
    fields: multipart.Fields, upload: UploadedFile | None, *, task: Task, wanted: list[TranscriptionForm]
) -> JobRequest:
    if upload is None:
        raise HTTPException(422, "Send the audio as `file` in multipart/form-data.")
    own = understood(fields)
    has_speakers = own.response_format == "diarized_json"
    if has_speakers and task == "translate":
        raise HTTPException(422, "diarized_json is not for translations; ask for verbose_json, or for a transcription.")
    wanted.append(own)
    options = Options(
        language=own.language, task=task, vocabulary=own.vocabulary, speakers=has_speakers, legs=("whisper",)
    )
    return JobRequest(upload, options)


async def _rendered(job: Job, wanted: TranscriptionForm, task: Task) -> Response:
    if wanted.response_format == "diarized_json":
        return JSONResponse(diarized_json(await job.aresult(settings().serve_wait_s)))
    transcript = await job.atranscript(settings().serve_wait_s)
    match wanted.response_format:
        case "json":
            return JSONResponse({"text": transcript.text, "usage": _usage(transcript)})
        case "verbose_json":
            return JSONResponse(_verbose(transcript, wanted.timestamp_granularities or ["segment"], task))
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
        "usage": _usage(transcript),
    }
    if "segment" in granularities:
        found["segments"] = [it.model_dump(mode="json", exclude={"words", "language"}) for it in transcript.segments]
    if "word" in granularities:
        words = [word for segment in transcript.segments for word in segment.words]
        found["words"] = [{"word": it.word.strip(), "start": it.start_s, "end": it.end_s} for it in words]
    return found


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": transcript.audio_s}
