"""Addresses of audio and of shows on the web, as people paste them; no worker is needed."""

from base64 import b64encode
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline import submit_all
from pipeline.state.job_store import JobStore
from pipeline.types import Options
from tests.batches import ID3, own_settings
from tests.proxy import start_proxy
from tests.services import start_valkey
from tests.web import Site, start_site
from tests.wild.case import Case


@dataclass(frozen=True)
class Link:
    """An address, and what the server has there."""

    address: str
    """`{site}` is the server's address, `{host}` its host and port."""
    path: str
    """Path of the request that must arrive."""
    content: bytes = ID3
    media_type: str = "audio/mpeg"
    breaks_after: int | None = None
    """Bytes after which the first answer breaks off; the second is of a part that the server does not name."""
    login: str = ""
    """User and password without which the server answers 401."""


BY_PROXY = "podcasts.example.invalid"
"""A host that only the proxy of the environment can find."""
CASES = (
    Case("address", "query", Link("{site}/ep.mp3?id=1&x=%20", "/ep.mp3?id=1&x=%20"), "taken: ep"),
    Case("address", "fragment", Link("{site}/mark.mp3#t=30", "/mark.mp3"), "taken: mark"),
    Case("address", "blanks", Link("{site}/my show/ep 2.mp3", "/my%20show/ep%202.mp3"), "taken: ep-2"),
    Case("address", "other letters", Link("{site}/café.mp3", "/caf%C3%A9.mp3"), "taken: cafe"),
    Case("address", "upper-case scheme", Link("HTTP://{host}/up.mp3", "/up.mp3"), "taken: up"),
    Case("address", "no ending", Link("{site}/listen/42", "/listen/42"), "taken: 42"),
    Case("address", "no ending, no type", Link("{site}/raw", "/raw", media_type="binary/octet-stream"), "taken: raw"),
    Case(
        "address",
        "user and password",
        Link("http://me:p%40ss@{host}/own.mp3", "/own.mp3", login="me:p@ss"),
        "taken: own",
    ),
    Case("address", "wrong password", Link("http://me:secret@{host}/x.mp3", "/x.mp3", login="me:p@ss"), "answers 401"),
    Case("address", "upper-case ending", Link("{site}/EP.MP3", "/EP.MP3"), "taken: ep"),
    Case("address", "video", Link("{site}/watch", "/watch", media_type="video/mp4"), "taken: watch"),
    Case("address", "type of text", Link("{site}/odd", "/odd", media_type="text/plain"), "taken: odd"),
    Case("address", "scheme of podcast apps", Link("feed:{site}/app", "/app"), "taken: app"),
    Case(
        "address", "breaks off", Link("{site}/cut.mp3", "/cut.mp3", ID3 + bytes(5000), breaks_after=3000), "taken: cut"
    ),
    Case("address", "by a proxy", Link(f"http://{BY_PROXY}/p.mp3", "/p.mp3"), "taken: p"),
    Case("address", "private, by a proxy", Link("http://169.254.169.254/x.mp3", "/"), "is not a public address"),
    Case("address", "page that is no feed", Link("{site}/page", "/page", b"<html></html>", "text/html"), "rejected: "),
    Case("address", "PDF called.mp3", Link("{site}/a.mp3", "/a.mp3", b"%PDF-1.7\n" * 9), "rejected: "),
    Case("address", "no host", Link("https:///ep.mp3", "/"), "rejected: "),
    Case("address", "another scheme", Link("gopher://{host}/ep.mp3", "/"), "rejected: "),
)


def answers(cases: tuple[Case, ...], folder: Path) -> dict[Case, str]:
    """Submit each address to a broker without workers."""
    with ExitStack() as stack:
        url = stack.enter_context(start_valkey(folder))
        stack.enter_context(own_settings(url, folder / "cache", DUET_ALLOWED_HOSTS="127.0.0.1"))
        JobStore()
        site = stack.enter_context(start_site())
        proxy = stack.enter_context(start_proxy(**{BY_PROXY: site.url.partition("://")[2]}))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("HTTP_PROXY", proxy.url)
        patch.setenv("NO_PROXY", "127.0.0.1")
        return {case: _answer(case, site, folder / "out") for case in cases}


def _answer(case: Case, site: Site, to: Path) -> str:
    link: Link = case.input
    content = link.content + str(case).encode() if link.content == ID3 else link.content
    site.files[link.path] = content
    site.types[link.path] = link.media_type
    if link.breaks_after:
        site.breaks_after[link.path] = link.breaks_after
        site.headers[link.path] = {"Content-Range": ""}
    if link.login:
        site.logins[link.path] = f"Basic {b64encode(link.login.encode()).decode()}"
    address = link.address.format(site=site.url, host=site.url.partition("://")[2])
    batch = submit_all([address], to, Options(legs=("whisper",)))
    taken = [f"taken: {job.spec.episode.slug}" for job in batch]
    found = "; ".join([*taken, *(f"rejected: {it.reason}" for it in batch.rejected)])
    assert "secret" not in found
    return found
