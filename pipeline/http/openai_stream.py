"""OpenAI's stream of a transcription: server-sent events with the text of each segment as it is transcribed.

Source: `TranscriptionStreamEvent` of the package `openai`.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from anyio import to_thread
from fastapi import HTTPException, Request
from fastapi.responses import StreamingResponse

from pipeline.client.job import Job
from pipeline.errors import DuetError, WaitTimeoutError
from pipeline.http.diarized_json import diarized_json
from pipeline.http.openai_errors import openai_error
from pipeline.http.problem_responses import explained
from pipeline.http.redis_clients import job_store
from pipeline.settings import settings
from pipeline.types import JobState, Segment, Transcript

logger = logging.getLogger(__name__)
KEEP_ALIVE_S = 15.0
"""Seconds after which a comment is sent, since proxies close connections on which nothing comes."""
LOOK_S = 0.5
"""Seconds between two looks for new segments."""
POSITIONS_PER_S = 50
"""Positions of Whisper's encoder for a second of audio, which count as the tokens of the input."""


def streamed(request: Request, job: Job, *, has_speakers: bool) -> StreamingResponse:
    """Return the response that streams a job's text, or its segments with speakers once the job has ended."""
    events = _diarized(job) if has_speakers else _text(job)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(_safely(request, job, events), media_type="text/event-stream", headers=headers)


async def _safely(request: Request, job: Job, events: AsyncGenerator[dict[str, Any]]) -> AsyncIterator[bytes]:
    """Yield the events as bytes; an error, for which it is too late to be a status, is the last one."""
    try:
        async with aclosing(_kept_alive(job, events)) as found:
            async for event in found:
                yield b"data: " + json.dumps(event).encode() + b"\n\n" if event else b": waiting\n\n"
    except (DuetError, HTTPException) as error:
        yield _error(*explained(request, error))
    except Exception as error:
        logger.exception("The stream of job %s broke off.", job.id)
        yield _error(500, f"Unexpected {type(error).__name__}; the server's log has the details.")


def _error(status: int, message: str) -> bytes:
    return b"event: error\ndata: " + json.dumps({"type": "error"} | openai_error(status, message)).encode() + b"\n\n"


async def _kept_alive(job: Job, events: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[dict[str, Any] | None]:
    """Yield the events, and None while none comes.

    Raises:
        WaitTimeoutError: none has come for `DUET_SERVE_WAIT_S`.
    """
    limit_s = settings().serve_wait_s
    async with aclosing(events):
        while True:
            waited_s, coming = 0.0, asyncio.ensure_future(anext(events, None))
            try:
                while not (await asyncio.wait({coming}, timeout=min(KEEP_ALIVE_S, limit_s - waited_s)))[0]:
                    waited_s += KEEP_ALIVE_S
                    if waited_s >= limit_s:
                        raise WaitTimeoutError(
                            f"Nothing new of job {job.id} has come for {limit_s:g} s; it goes on, and "
                            f"/jobs/{job.id} shows its state."
                        )
                    yield None
                if (event := coming.result()) is None:
                    return
            finally:
                coming.cancel()
                await asyncio.wait({coming})
            yield event


async def _text(job: Job) -> AsyncGenerator[dict[str, Any]]:
    """Yield each segment's text as soon as the fast leg has stored it, and in the end all of it."""
    count = 0
    async with aclosing(_live(job)) as batches:
        async for new in batches:
            for segment in new:
                yield _delta(segment, is_first=count == 0)
                count += 1
    transcript = await job.atranscript(0.0)
    for segment in transcript.segments[count:]:
        yield _delta(segment, is_first=count == 0)
        count += 1
    yield _done(transcript)


async def _live(job: Job) -> AsyncGenerator[Sequence[Segment]]:
    """Yield new segments until there is a transcript, or none will come."""
    jobs, count = job_store(), 0
    while True:
        record = await to_thread.run_sync(jobs.get, job.id)
        if record is None or record.has_reached(JobState.TRANSCRIBED):
            return
        if new := await to_thread.run_sync(jobs.segments, job.spec, count):
            count += len(new)
            yield new
        await asyncio.sleep(LOOK_S)


async def _diarized(job: Job) -> AsyncGenerator[dict[str, Any]]:
    """Yield the segments with their speakers, which are known at the end of the job, and in the end the text."""
    for segment in diarized_json(await job.aresult(settings().serve_wait_s))["segments"]:
        yield segment
    yield _done(await job.atranscript(0.0))


def _delta(segment: Segment, *, is_first: bool) -> dict[str, Any]:
    return {"type": "transcript.text.delta", "delta": segment.text.lstrip() if is_first else segment.text}


def _done(transcript: Transcript) -> dict[str, Any]:
    heard = round(transcript.audio_s * POSITIONS_PER_S)
    said = sum(len(segment.tokens) for segment in transcript.segments)
    usage = {"type": "tokens", "input_tokens": heard, "output_tokens": said, "total_tokens": heard + said}
    return {
        "type": "transcript.text.done",
        "text": transcript.text,
        "usage": usage | {"seconds": transcript.audio_s},
    }
