"""Authentication: an API key as bearer token or in the page's cookie; without keys, loopback only."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from pipeline.http.cors import is_foreign, is_named
from pipeline.http.limits import slot, wait_s
from pipeline.http.redis_clients import client
from pipeline.settings import settings
from pipeline.state.api_keys import KEYS, OPEN, ApiKey, ApiKeysSeen, id_of, valid_ones
from pipeline.state.redis import readable_errors

COOKIE = "duet_key"
LOOPBACK = frozenset(["localhost", "127.0.0.1", "::1"])
FORWARDING = frozenset(["forwarded", "via", "true-client-ip", "cf-connecting-ip", "x-client-ip", "x-real-ip"])
"""Headers that only a proxy sends, besides `X-Forwarded-...`; a client behind a proxy may be anyone."""
ADD = "`duet keys add NAME` makes one"
ANYBODY = "anybody"
"""Id of all callers of a server without keys."""
_bearer = HTTPBearer(auto_error=False, description="A key of `duet keys add`.")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="The same key in the cookie that the home page sets.")


@dataclass(frozen=True)
class Caller:
    """The caller of a request, and its limits."""

    id: str
    name: str
    requests_per_minute: int
    at_once: int


async def caller(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    cookie: Annotated[str | None, Security(_cookie)],
) -> Caller:
    """Return the caller of a request, which counts against its limit; 401, 403 or 429 if it is refused."""
    if bearer is None:
        check_same_site(request)  # a page of any site can make a browser send the cookie or reach this machine
    own = "" if cookie is None or is_foreign(request) else cookie
    found = await known(request, bearer.credentials if bearer else own)
    if again_s := await wait_s(client(), found.id, found.requests_per_minute):
        raise HTTPException(
            429,
            f"This key may make {found.requests_per_minute} requests a minute; try again in {again_s} s.",
            {"Retry-After": str(again_s)},
        )
    return found


async def known(request: Request, key: str) -> Caller:
    """Return the owner of a key, or the anonymous caller where no key is needed; 401 otherwise."""
    with readable_errors():
        async with client().pipeline(transaction=False) as pipe:
            pipe.hget(KEYS, id_of(key))
            pipe.hlen(KEYS)
            pipe.exists(OPEN)
            text, count, is_opened = await pipe.execute()
    seen: ApiKeysSeen = request.app.state.keys_seen
    seen.note(count=count, is_opened=bool(is_opened))
    own = ApiKey.from_json(text) if text else None
    if own is not None and own.fits(key):
        request.state.is_known = True
        return _caller(own.id, own.name, own.requests_per_minute, own.at_once)
    reason = _reason_key_needed(request) if request.app.state.is_private else "Only a key opens this server."
    if not reason and (is_opened or not (count or seen.any)):
        request.state.is_known = True
        check_same_site(request)  # an unknown key does not exempt a browser from the check
        return _caller(ANYBODY, "anybody on this machine", None, None)
    raise HTTPException(401, await _refusal(key, reason, seen), {"WWW-Authenticate": "Bearer"})


async def _refusal(key: str, reason: str, seen: ApiKeysSeen) -> str:
    if key:
        return f"This key is not known, or was revoked. {ADD}."
    if reason:
        return f"A key is needed, as a bearer token. {reason} {ADD}."
    with readable_errors():
        kept = await client().hvals(KEYS)
    if valid_ones(kept):
        return f"A key is needed, as a bearer token. {ADD}."
    gone = "every key was revoked" if kept else "this server had keys and its broker has none now"
    return f"A key is needed, and {gone}. {ADD}; `duet keys open` lets this machine in without one."


def check_same_site(request: Request) -> None:
    """Refuse (403) requests that a page of another site makes a browser send, unless the settings name that site."""
    if is_foreign(request) and not is_named(request):
        raise HTTPException(403, "Pages of other sites may not use this server through a browser; send a key.")


async def place(request: Request, found: Annotated[Caller, Depends(caller)]) -> AsyncIterator[Caller]:
    """Reserve one of the caller's concurrent requests until the response; 429 if all are in use."""
    async with slot(client(), found.id, found.at_once) as is_held:
        if not is_held:
            raise HTTPException(
                429,
                f"This key may have {found.at_once} requests at work at once; try again when one is answered.",
                {"Retry-After": "1"},
            )
        request.state.caller = found.id
        yield found


def _reason_key_needed(request: Request) -> str:
    """Return the reason why a request without a key is not from this machine itself; empty if it is.

    Any host name may resolve to this machine, and a proxied request may come from anyone. A proxy that neither adds
    a header nor passes the host name on is recognized by HTTP/1.0, which nginx uses by default.
    """
    host = request.headers.get("host", "")
    name = host.removeprefix("[").partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name not in LOOPBACK:
        return "Without one only this machine may ask, by an address of its own."
    passed_on = any(it in FORWARDING or it.startswith("x-forwarded-") for it in request.headers)
    if passed_on or request.scope["http_version"] == "1.0":
        return "This came through a proxy: make a key first."
    if not _is_loopback(request.client.host if request.client else ""):
        return "Without one only this machine may ask."
    return ""


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _caller(key: str, name: str, requests_per_minute: int | None, at_once: int | None) -> Caller:
    return Caller(
        key,
        name,
        requests_per_minute or settings().serve_requests_per_minute,
        at_once or settings().serve_at_once,
    )
