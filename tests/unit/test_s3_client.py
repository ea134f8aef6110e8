"""What S3 servers and their clients' settings can have wrong is said in a sentence, or works by itself."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pipeline.errors import StorageError
from pipeline.settings import settings
from pipeline.storage import Storage, open_storage
from tests.batches import bare_environment
from tests.tls import certificates

Answer = Callable[[BaseHTTPRequestHandler], int]
SEEN: list[dict[str, str]] = []
"""The headers of each request."""


@pytest.fixture(autouse=True)
def use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    set_variables = bare_environment(monkeypatch, tmp_path)
    set_variables(AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY="secret")
    SEEN.clear()
    yield set_variables
    settings.cache_clear()


@contextmanager
def server(answer: Answer = lambda _: 200, error: str = "", tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Run a server that answers with a status, and with an error if that is none of success."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            SEEN.append({name.lower(): value for name, value in self.headers.items()} | {"path": self.path})
            status = answer(self)
            body = error.encode() if status >= 300 else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"0"')
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = do_DELETE = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None: ...

    with Server(("127.0.0.1", 0), Handler) as running:
        if tls:
            running.socket = tls.wrap_socket(running.socket, server_side=True)
        Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http{'s' if tls else ''}://127.0.0.1:{running.server_port}"
        running.shutdown()


def error_of(code: str, more: str = "") -> str:
    return f"<Error><Code>{code}</Code><Message>On purpose.</Message>{more}</Error>"


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    certificates(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    return context


def opened(use: Callable[..., None], url: str, **more: str) -> Storage:
    use(DUET_S3_ENDPOINT_URL=url, **more)
    return open_storage("s3://podcasts/show")


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (400, error_of("AuthorizationHeaderMalformed", "<Region>garage</Region>"), "set AWS_REGION=garage"),
        (301, error_of("PermanentRedirect"), "the bucket is somewhere else; set AWS_REGION"),
        (403, error_of("RequestTimeTooSkewed"), "this machine's clock is wrong; set it by NTP"),
        (403, error_of("InvalidObjectState"), "it is archived; restore it"),
        (400, error_of("KMS.DisabledException"), "its encryption key cannot be used"),
        (403, error_of("SecondLevelDomainForbidden"), "addressing_style = virtual"),
        (501, error_of("NotImplemented"), "set AWS_REQUEST_CHECKSUM_CALCULATION=when_required"),
    ],
)
def test_what_a_server_refuses_is_said_with_what_to_do(
    use: Callable[..., None], status: int, error: str, said: str
) -> None:
    with server(lambda _: status, error) as url:
        storage = opened(use, url)
        for act in (storage.get, lambda name: storage.put(name, b"x")):
            with pytest.raises(StorageError, match=said):
                act("ep.mp3")


def test_a_region_that_the_server_names_is_used(use: Callable[..., None]) -> None:
    def answer(request: BaseHTTPRequestHandler) -> int:
        return 200 if "/garage/s3" in request.headers["Authorization"] else 400

    with server(answer, error_of("AuthorizationHeaderMalformed", "<Region>garage</Region>")) as url:
        opened(use, url).put("ep.mp3", b"x")


def test_the_region_of_a_profile_is_kept_with_another_endpoint(use: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[default]\nregion = garage\n[profile other]\nregion = paris\n")
    with server() as url:
        opened(use, url).put("ep.mp3", b"x")
        opened(use, url, AWS_PROFILE="other").put("ep.mp3", b"x")
        opened(use, url, AWS_REGION="here").put("ep.mp3", b"x")

    assert [it["authorization"].split("/")[2] for it in SEEN] == ["garage", "paris", "here"]


def test_the_endpoint_of_a_profile_is_used_like_duets_own(use: Callable[..., None], tmp_path: Path) -> None:
    with server() as url:
        (tmp_path / "config").write_text(f"[default]\nendpoint_url = {url}\n")
        use()
        open_storage("s3://podcasts/show").put("ep.mp3", b"x")

    assert SEEN[0]["path"] == "/podcasts/show/ep.mp3"
    assert "/us-east-1/" in SEEN[0]["authorization"]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"AWS_PROFILE": "nope"}, r"profile \(nope\) could not be found; check AWS_PROFILE"),
        ({"DUET_S3_ENDPOINT_URL": "foo"}, "Invalid endpoint: foo; check DUET_S3_ENDPOINT_URL"),
        ({"AWS_REGION": "eu west!"}, "'eu west!' doesn't match a supported format; check"),
        ({"AWS_REQUEST_CHECKSUM_CALCULATION": "maybe"}, "but got maybe; check"),
    ],
)
def test_settings_that_cannot_be_used_are_said(use: Callable[..., None], variables: dict[str, str], said: str) -> None:
    use(**{"DUET_S3_ENDPOINT_URL": "http://127.0.0.1:1"} | variables)

    with pytest.raises(StorageError, match=said):
        open_storage("s3://podcasts/show")


def test_a_bucket_that_can_have_no_such_name_is_said(use: Callable[..., None]) -> None:
    use()
    with pytest.raises(StorageError, match="no bucket or object can have this name"):
        open_storage("s3://My bucket!/show").get("ep.mp3")


def test_a_certificate_that_nobody_vouches_for_is_said(
    use: Callable[..., None], context: ssl.SSLContext, tmp_path: Path
) -> None:
    with server(tls=context) as url:
        with pytest.raises(StorageError, match=r"certificate of https://.* is refused .*; set AWS_CA_BUNDLE"):
            opened(use, url).get("ep.mp3")
        with pytest.raises(StorageError, match="AWS_CA_BUNDLE names cannot be read"):
            opened(use, url, AWS_CA_BUNDLE=str(tmp_path / "none.pem")).get("ep.mp3")
        opened(use, url, AWS_CA_BUNDLE=str(tmp_path / "authority.pem")).put("ep.mp3", b"x")


def test_a_server_without_tls_is_said(use: Callable[..., None]) -> None:
    with server() as url, pytest.raises(StorageError, match="speaks no TLS; write http://"):
        opened(use, url.replace("http:", "https:")).get("ep.mp3")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({}, False), ({"AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported"}, True)],
)
def test_over_tls_another_server_gets_no_trailers_unless_asked_for(
    use: Callable[..., None], context: ssl.SSLContext, tmp_path: Path, variables: dict[str, str], expected: bool
) -> None:
    with server(tls=context) as url:
        storage = opened(use, url, AWS_CA_BUNDLE=str(tmp_path / "authority.pem"), **variables)
        storage.put("ep.mp3", b"x")
        storage.put("ep.py", Path(__file__))

    for sent in SEEN:
        assert (sent.get("content-encoding") == "aws-chunked") is expected
        assert ("x-amz-trailer" in sent) is expected
        assert sent["x-amz-content-sha256"].startswith("STREAMING") is expected, "else the signature has the SHA-256"
