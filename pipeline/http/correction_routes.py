"""Routes of corrections of an episode that has ended, and of the replacement rules of its shows."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from pipeline.client.correcting import correct, corrections_of, undo
from pipeline.client.replacements import set_rules
from pipeline.http.auth import Caller, caller
from pipeline.http.job_routes import Known
from pipeline.http.problem_responses import responses
from pipeline.http.redis_clients import job_store
from pipeline.results.corrections.files import read_rules
from pipeline.storage import open_storage
from pipeline.types.corrections import MOST_CHANGES, MOST_RULES, Change, Correction, Rule

router = APIRouter(tags=["corrections"], dependencies=[Depends(caller)])
Id = Annotated[str, Path(pattern=r"^[0-9a-f]{12}$", description="A correction's id.", examples=["0123456789ab"])]
Asking = Annotated[Caller, Depends(caller)]


class CorrectionForm(BaseModel):
    """Changes of an episode's text; all are made, or none."""

    model_config = ConfigDict(extra="forbid")

    changes: list[Change] = Field(
        min_length=1,
        max_length=MOST_CHANGES,
        examples=[[{"kind": "words", "start_s": 12.34, "was": "Hub Spot", "becomes": "HubSpot"}]],
    )


class CorrectionList(BaseModel):
    """The corrections of an episode, in the order in which they are applied."""

    corrections: list[Correction]


class RuleForm(BaseModel):
    """All replacement rules of the server."""

    model_config = ConfigDict(extra="forbid")

    rules: list[Rule] = Field(
        max_length=MOST_RULES, examples=[[{"show": "Garden Hour", "was": "hub spot", "becomes": "HubSpot"}]]
    )


class RuleList(BaseModel):
    """The replacement rules of the server, which new episodes follow."""

    rules: list[Rule]


@router.get("/jobs/{job}/corrections", responses=responses(404, 502))
async def list_corrections(record: Known) -> CorrectionList:
    """List the corrections of an episode; one whose words are not there any more is not `applied`."""
    found = await to_thread.run_sync(lambda: corrections_of(open_storage(record.spec.uri), record.spec))
    return CorrectionList(corrections=found)


@router.patch("/jobs/{job}/corrections", responses=responses(400, 404, 409, 502))
async def patch_corrections(record: Known, form: CorrectionForm, by: Asking) -> CorrectionList:
    """Correct words, or titles of chapters, in the result of a job that has ended, and in all of its files.

    Words are found by their start and their text; another text there is a conflict (409). The corrections stay when
    the episode is processed again. `always` makes a rule for the show as well, or for all episodes without a show.
    """
    found = await to_thread.run_sync(lambda: correct(record.spec.uri, form.changes, job_store(), record.spec, by.name))
    return CorrectionList(corrections=found)


@router.delete("/jobs/{job}/corrections/{correction}", responses=responses(404, 409, 502))
async def undo_correction(record: Known, correction: Id) -> CorrectionList:
    """Undo one correction; 409 if a later one changes what it wrote."""
    found = await to_thread.run_sync(lambda: undo(record.spec.uri, correction, job_store(), record.spec))
    return CorrectionList(corrections=found)


@router.get("/replacements", responses=responses(502))
async def get_replacements(request: Request) -> RuleList:
    """List the replacement rules, such as `hub spot` to `HubSpot`, which new episodes of a show follow."""
    found = await to_thread.run_sync(read_rules, request.app.state.to)
    return RuleList(rules=list(found))


@router.put("/replacements", responses=responses(400, 502))
async def put_replacements(request: Request, form: RuleForm, by: Asking) -> RuleList:
    """Set all replacement rules; of several for the same words and show, the last counts."""
    rules = [it if it.by else it.model_copy(update={"by": by.name}) for it in form.rules]
    found = await to_thread.run_sync(lambda: set_rules(request.app.state.to, rules, job_store()))
    return RuleList(rules=list(found))
