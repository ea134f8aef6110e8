"""Routes of questions about an episode that has ended: asked, listed and answered."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, HTTPException, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pipeline.client.questions import Questions
from pipeline.http.auth import caller
from pipeline.http.job_routes import Known
from pipeline.http.problem_responses import responses
from pipeline.http.redis_clients import job_store
from pipeline.types import CustomAnswer, OwnQuestion
from pipeline.types.question import AskedQuestion, QuestionState
from pipeline.types.time_format import iso

router = APIRouter(tags=["jobs"], dependencies=[Depends(caller)])
Id = Annotated[str, Path(pattern=r"^[0-9a-f]{8}$", description="A question's id.", examples=["0123abcd"])]


class QuestionForm(BaseModel):
    """A question about an episode."""

    model_config = ConfigDict(extra="forbid")

    question: OwnQuestion = Field(examples=["Who pays for the library?"])


class QuestionView(BaseModel):
    """A question with its progress and, in the end, its answer."""

    id: str = Field(examples=["0123abcd"])
    question: str
    state: QuestionState
    reason: str = Field(description="Reason of a failed or skipped question.")
    asked_at: str
    ended_at: str | None
    done_s: float = Field(description="Seconds of audio that have been listened to.")
    total_s: float
    answer: CustomAnswer | None = Field(description="The answer, and the sentences that say it, with their times.")
    model: str
    links: dict[str, str] = Field(
        description="Addresses of the question and of the player, at the moment at which the answer is said.",
        examples=[{"self": "/jobs/0123456789abcdef-01234567/questions/0123abcd"}],
    )


class QuestionList(BaseModel):
    """All questions about an episode, in the order in which they were asked."""

    questions: list[QuestionView]


@router.post("/jobs/{job}/questions", status_code=202, responses=responses(400, 404, 409, 502))
async def ask_question(request: Request, response: Response, record: Known, form: QuestionForm) -> QuestionView:
    """Ask Voxtral about an episode that has ended; it listens to the audio again, before all waiting episodes.

    The same words are the same question: one with an answer is returned with status 200. A job's own audio is needed,
    or a web address or bucket from which it came.
    """
    asked = await to_thread.run_sync(lambda: Questions(record, job_store()).ask(form.question))
    if asked.state == "answered":
        response.status_code = 200
    shown = _view(asked, request)
    response.headers["Location"] = shown.links["self"]
    return shown


@router.get("/jobs/{job}/questions", responses=responses(404, 502))
async def list_questions(request: Request, record: Known) -> QuestionList:
    """List the questions about an episode, with their answers."""
    found = await to_thread.run_sync(lambda: Questions(record, job_store()).all())
    return QuestionList(questions=[_view(asked, request) for asked in found])


@router.get("/jobs/{job}/questions/{question}", responses=responses(404, 502))
async def get_question(request: Request, record: Known, question: Id) -> QuestionView:
    """Return a question about an episode, with its answer once there is one."""
    found = await to_thread.run_sync(lambda: Questions(record, job_store()).get(question))
    if found is None:
        raise HTTPException(404, f"Nobody has asked question {question!r} about job {record.spec.job}.")
    return _view(found, request)


def _view(asked: AskedQuestion, request: Request) -> QuestionView:
    job = f"{request.scope.get('root_path', '')}/jobs/{asked.job}"
    links = {"self": f"{job}/questions/{asked.id}"}
    if asked.answer is not None and asked.answer.start_s is not None:
        links["player"] = f"{job}/player#t={asked.answer.start_s:g}"
    return QuestionView(
        **asked.model_dump(include={"id", "question", "state", "reason", "done_s", "total_s", "model"}),
        asked_at=iso(asked.asked_at),
        ended_at=iso(asked.ended_at) if asked.ended_at else None,
        answer=asked.answer,
        links=links,
    )
