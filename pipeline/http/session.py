"""The home page's session: a key that is entered once and stored in a cookie that no script can read."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from pipeline.http.auth import ANYBODY, COOKIE, Caller, caller, check_same_site, known
from pipeline.http.problem_responses import responses

router = APIRouter(prefix="/session", tags=["home page"])


class SessionKey(BaseModel):
    """An API key, as entered by the user."""

    key: str = Field(max_length=200)


class Session(BaseModel):
    """The owner of the session."""

    name: str
    needs_key: bool


@router.get("", responses=responses())
async def get_session(found: Annotated[Caller, Depends(caller)]) -> Session:
    """Return the owner of the session's key, and whether a key is needed; 401 if it is missing."""
    return Session(name=found.name, needs_key=found.id != ANYBODY)


@router.post("", responses=responses(400))
async def begin_session(request: Request, response: Response, given: SessionKey) -> Session:
    """Check a key and store it in a cookie until the browser is closed."""
    check_same_site(request)
    found = await known(request, given.key.strip())
    response.set_cookie(
        COOKIE, given.key.strip(), httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return Session(name=found.name, needs_key=found.id != ANYBODY)


@router.delete("", status_code=204, responses=responses())
async def end_session(request: Request, response: Response) -> None:
    """Delete the session cookie."""
    check_same_site(request)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")
