"""The home page's session: the key is entered once and kept in a cookie that no script can read."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from pipeline.http.auth import ANYBODY, COOKIE, Caller, caller, check_same_site, known
from pipeline.http.problem_responses import responses

router = APIRouter(prefix="/session", tags=["home page"])


class SessionKey(BaseModel):
    """A key as a person enters it."""

    key: str = Field(max_length=200)


class Session(BaseModel):
    """The owner of the session."""

    name: str
    needs_key: bool


@router.get("", responses=responses())
async def get_session(found: Annotated[Caller, Depends(caller)]) -> Session:
    """Return the owner of the browser's key, or that no key is needed; 401 where one is."""
    return Session(name=found.name, needs_key=found.id != ANYBODY)


@router.post("", responses=responses(400))
async def begin_session(request: Request, response: Response, given: SessionKey) -> Session:
    """Store a key in a cookie until the browser is closed."""
    check_same_site(request)
    found = await known(request, given.key.strip())
    response.set_cookie(
        COOKIE, given.key.strip(), httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return Session(name=found.name, needs_key=found.id != ANYBODY)


@router.delete("", status_code=204, responses=responses())
async def end_session(request: Request, response: Response) -> None:
    """Forget the key."""
    check_same_site(request)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")
