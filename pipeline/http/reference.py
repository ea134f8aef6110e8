"""`GET /docs`: the API reference in Swagger UI, without files of other servers."""

from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, HTTPException, Response

from pipeline.http.home import KINDS, PAGE

router = APIRouter(include_in_schema=False)
OWN = ("docs.html", "docs.js")
THEIRS = ("swagger-ui-bundle.js", "swagger-ui.css")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI uses inline styles, and no script but its own."""
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}


@router.get("/docs")
def docs() -> Response:
    """Return the page of the API reference."""
    return _file("docs.html")


@router.get("/docs/{name}")
def part(name: str) -> Response:
    """Return an asset of the page."""
    if name not in (*OWN[1:], *THEIRS):
        raise HTTPException(404, f"The page has no part {name!r}.")
    return _file(name)


def _file(name: str) -> Response:
    place: Any = PAGE if name in OWN else _swagger_ui()
    return Response(place.joinpath(name).read_bytes(), media_type=KINDS[name[name.rindex(".") :]], headers=HEADERS)


@cache
def _swagger_ui() -> Any:
    """Return the folder of Swagger UI's files, from a package so that no browser loads them from a CDN."""
    return files("fastapi_offline").joinpath("static")
