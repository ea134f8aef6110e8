"""Routes of the speakers of an episode that has ended: their names."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Body, Depends
from pydantic import BaseModel, Field

from pipeline.client.naming import MOST_NAME, name_speakers
from pipeline.http.auth import caller
from pipeline.http.job_routes import Known
from pipeline.http.problem_responses import responses
from pipeline.http.redis_clients import job_store
from pipeline.types import EpisodeResult, Speaker

router = APIRouter(tags=["jobs"], dependencies=[Depends(caller)])
Names = Annotated[
    dict[str, str | None],
    Body(
        description=f"Name of each speaker by id, at most {MOST_NAME} characters; null removes a name.",
        examples=[{"S1": "Ada Example", "S2": None}],
    ),
]


class SpeakerList(BaseModel):
    """The speakers of an episode, in the order of their first words."""

    job: str = Field(examples=["0123456789abcdef-01234567"])
    speakers: list[Speaker]


@router.patch("/jobs/{job}/speakers", responses=responses(400, 404, 409, 502))
async def patch_speakers(record: Known, names: Names) -> SpeakerList:
    """Set or remove names of speakers in the result of a job that has ended, and in all of its files.

    Speakers that are not named here keep their names. A name from a user stays when the episode is processed again.
    """
    named = await to_thread.run_sync(lambda: name_speakers(record.spec.uri, names, job_store(), record.spec))
    return _list(named)


def _list(result: EpisodeResult) -> SpeakerList:
    return SpeakerList(job=result.job, speakers=list(result.transcript.speakers if result.transcript else ()))
