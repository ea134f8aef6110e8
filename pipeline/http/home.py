"""`GET /`: the home page and its assets, as files without a build step."""

from importlib.resources import files

from fastapi import APIRouter, HTTPException, Response

from pipeline.storage import content_type

router = APIRouter(include_in_schema=False)
PAGE = files("pipeline.http").joinpath("page")
PARTS = frozenset(
    it.name for it in PAGE.iterdir() if it.name.endswith((".css", ".js")) and not it.name.startswith("docs.")
)
KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".html": content_type("home.html")}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}


@router.get("/")
def home() -> Response:
    """Return the home page."""
    return _file("home.html")


@router.get("/page/{name}")
def part(name: str) -> Response:
    """Return an asset of the home page."""
    if name not in PARTS:
        raise HTTPException(404, f"The page has no part {name!r}.")
    return _file(name)


def _file(name: str) -> Response:
    kind = KINDS[name[name.rindex(".") :]]
    return Response(PAGE.joinpath(name).read_bytes(), media_type=kind, headers=HEADERS)
