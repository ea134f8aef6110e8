"""Who calls: a key as bearer token or in the page's cookie; without any key, this machine alone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from pipeline.broker import readable_errors
from pipeline.http.broker import client
from pipeline.http.keys import KEYS, ApiKey, id_of
from pipeline.http.limits import slot, wait_s
from pipeline.settings import settings

COOKIE = "duet_key"
LOOPBACK = frozenset(["localhost", "127.0.0.1", "::1"])
ANYBODY = "anybody"
"""Who calls where there are no keys."""
_bearer = HTTPBearer(auto_error=False, description="A key of `duet keys add`.")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="The same key, as the home page keeps it.")


@dataclass(frozen=True)
class Caller:
    """Who makes a request, and how much that one may do."""

    id: str
    name: str
    requests_per_minute: int
    at_once: int


async def caller(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    cookie: Annotated[str | None, Security(_cookie)],
) -> Caller:
    """Return who makes a request, which counts as one; 401, 403 or 429 where it may not be made."""
    if bearer is None:
        check_same_site(request)  # a browser sends the cookie, or reaches this machine, whatever page it shows
    found = await known(request, bearer.credentials if bearer else cookie or "")
    if again_s := await wait_s(client(), found.id, found.requests_per_minute):
        raise HTTPException(
            429,
            f"This key may make {found.requests_per_minute} requests a minute; try again in {again_s} s.",
            {"Retry-After": str(again_s)},
        )
    return found


async def known(request: Request, key: str) -> Caller:
    """Return whose key it is; 401 where there is none, or it is not needed and another is given."""
    with readable_errors():
        async with client().pipeline(transaction=False) as pipe:
            pipe.hget(KEYS, id_of(key))
            pipe.hlen(KEYS)
            kept, count = await pipe.execute()
    if not count and request.app.state.is_loopback and _is_asked_here(request):
        return _caller(ANYBODY, "anybody on this machine", None, None)
    own = ApiKey.from_json(kept) if kept else None
    if own is None or not own.fits(key):
        sentence = "This key is not known, or was revoked." if key else "A key is needed, as a bearer token."
        raise HTTPException(401, f"{sentence} `duet keys add NAME` makes one.", {"WWW-Authenticate": "Bearer"})
    return _caller(own.id, own.name, own.requests_per_minute, own.at_once)


def check_same_site(request: Request) -> None:
    """Refuse (403) what a page of another site has a browser ask."""
    origin = request.headers.get("origin")
    is_foreign = origin is not None and origin.partition("://")[2] != request.headers.get("host")
    if is_foreign or request.headers.get("sec-fetch-site") == "cross-site":
        raise HTTPException(403, "Pages of other sites may not use this server through a browser; send a key.")


async def place(request: Request, found: Annotated[Caller, Depends(caller)]) -> AsyncIterator[Caller]:
    """Hold one of the caller's places until the request is answered; 429 where all are taken."""
    async with slot(client(), found.id, found.at_once) as is_held:
        if not is_held:
            raise HTTPException(
                429,
                f"This key may have {found.at_once} requests at work at once; try again when one is answered.",
                {"Retry-After": "1"},
            )
        request.state.caller = found.id
        yield found


def _is_asked_here(request: Request) -> bool:
    """Whether the address that was asked for is this machine's: a name that leads here may be anyone's."""
    host = request.headers.get("host", "")
    return (host.removeprefix("[").partition("]")[0] if host.startswith("[") else host.partition(":")[0]) in LOOPBACK


def _caller(key: str, name: str, requests_per_minute: int | None, at_once: int | None) -> Caller:
    return Caller(
        key,
        name,
        requests_per_minute or settings().serve_requests_per_minute,
        at_once or settings().serve_at_once,
    )
