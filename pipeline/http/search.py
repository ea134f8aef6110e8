"""`/search`: full-text search in all transcripts of the broker's jobs."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from pipeline.http.auth import caller
from pipeline.http.problem_responses import responses
from pipeline.http.redis_clients import job_store
from pipeline.http.search_words import marked_parts
from pipeline.http.transcript_index import Hit, TranscriptIndex

router = APIRouter(tags=["jobs"], dependencies=[Depends(caller)])


class SearchHit(BaseModel):
    """A segment of an episode that contains the words."""

    job: str
    name: str = Field(description="The episode's title, or its file name.")
    show: str = Field(description="Name of the show; empty if unknown.")
    start_s: float
    speaker: str | None = Field(description="Name of the speaker, or `Speaker 1`; null if not told apart.")
    parts: list[str] = Field(description="The segment's text in parts; every second part is a match.")


class SearchResults(BaseModel):
    """The hits in the transcripts that are indexed so far."""

    places: list[SearchHit]
    count: int = Field(description="Number of all places.")
    unread: int = Field(description="Number of transcripts not indexed yet; repeat the request to search them too.")


@router.get("/search", responses=responses())
async def search(
    request: Request,
    q: Annotated[str, Query(min_length=1, max_length=200, description="Words that must all occur.")],
    limit: Annotated[int, Query(ge=1, le=100)] = 30,
    offset: Annotated[int, Query(ge=0, le=10**6, description="Number of best places to skip.")] = 0,
) -> SearchResults:
    """Search all transcripts for segments with all words, ignoring case and accents; the last may be a prefix.

    Segments with the words as a phrase come first, and words in quotes are a phrase.
    """
    unread, (count, hits) = await to_thread.run_sync(_search, request.app.state.index, q, limit, offset)
    records = await to_thread.run_sync(job_store().get_many, [hit.job for hit in hits])
    places = [
        SearchHit(
            job=hit.job,
            name=record.title,
            show=record.show,
            start_s=hit.start_s,
            speaker=hit.speaker,
            parts=marked_parts(hit.excerpt, q),
        )
        for hit, record in zip(hits, records, strict=True)
        if record
    ]
    return SearchResults(places=places, count=count, unread=unread)


def _search(index: TranscriptIndex, words: str, limit: int, offset: int) -> tuple[int, tuple[int, list[Hit]]]:
    return index.fill(job_store()), index.search(words, limit, offset)
