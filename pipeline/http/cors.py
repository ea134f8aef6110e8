"""Cross-origin requests (CORS) of browsers: pages of the origins that the settings name may use the server."""

from fastapi import Request
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from pipeline.settings import settings

METHODS = ("GET", "POST", "PATCH", "DELETE")
EXPOSED = ("Location", "Retry-After", "X-Request-ID")


def with_cors(application: ASGIApp) -> ASGIApp:
    """Return an application that answers preflights and lets pages of allowed origins read its responses.

    Browsers send no cookie with such requests, so that a page needs a key of its own.
    """
    origins = settings().serve_cors_origins
    if not origins:
        return application
    return CORSMiddleware(
        application,
        origins,
        METHODS,
        ["*"],
        expose_headers=EXPOSED,
        allow_private_network=True,
        allow_credentials=False,
    )


def is_foreign(request: Request) -> bool:
    """Whether a page of another origin makes a browser send the request."""
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        return True
    return request.headers.get("sec-fetch-site") == "cross-site"


def is_named(request: Request) -> bool:
    """Whether the settings name the origin of the request; `*` names none, so that any page needs a key."""
    return request.headers.get("origin", "*") in set(settings().serve_cors_origins) - {"*"}
