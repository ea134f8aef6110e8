"""Storage in a bucket of a real S3 server, and of servers that fail."""

import hashlib
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Thread

import pytest

from pipeline.errors import StorageError, TransientError
from pipeline.settings import settings
from pipeline.storage import Storage, open_storage
from pipeline.storage.s3 import S3Storage
from tests.batches import bare_environment
from tests.services import S3Server, free_ports, start_s3

pytestmark = pytest.mark.xdist_group("s3")  # one server for all of them

PART_BYTES = 8 * 1024 * 1024
"""Above this size boto3 uploads in parts."""
SOUND = b"sound" * 20
CONTENT_TYPES = {
    "transcript.json": "application/json",
    "transcript.txt": "text/plain; charset=utf-8",
    "transcript.srt": "application/x-subrip",
    "transcript.vtt": "text/vtt",
    "notes.md": "text/markdown; charset=utf-8",
}

OPERATIONS: dict[str, Callable[[Storage], object]] = {
    "put": lambda storage: storage.put("result.json", b"{}"),
    "put a file": lambda storage: storage.put("ep.py", Path(__file__)),
    "get": lambda storage: storage.get("result.json"),
    "exists": lambda storage: storage.exists("result.json"),
    "list": lambda storage: storage.list(),
    "delete": lambda storage: storage.delete("result.json"),
    "local_path": lambda storage: storage.local_path("result.json"),
    "check_writable": lambda storage: storage.check_writable(),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with start_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(autouse=True)
def configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Set variables of the environment, which holds nothing else that has to do with S3."""
    set_variables = bare_environment(monkeypatch, tmp_path)
    set_variables(DUET_CACHE_DIR=str(tmp_path / "cache"))
    yield set_variables
    settings.cache_clear()


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let boto3 try again at once."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)


@pytest.fixture
def storage(server: S3Server, configure: Callable[..., None], request: pytest.FixtureRequest) -> S3Storage:
    configure(**server.environment)
    place = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]
    opened = open_storage(f"s3://{server.bucket}/{place}/ep")
    assert isinstance(opened, S3Storage)
    return opened


@contextmanager
def http_server(status: int, body: bytes, *, length: int | None = None) -> Iterator[str]:
    """Run a server that gives everybody the same answer, which may be shorter than it says."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # so that it answers `Expect: 100-continue`

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.send_header("ETag", '"0"')
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = do_DELETE = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def at(endpoint_url: str, configure: Callable[..., None], **variables: str) -> Storage:
    configure(DUET_S3_ENDPOINT_URL=endpoint_url, AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY="secret", **variables)
    return open_storage("s3://podcasts/show")


def test_what_is_put_can_be_got(storage: S3Storage) -> None:
    assert not storage.exists("result.json")

    storage.put("result.json", b"{}")

    assert storage.exists("result.json")
    assert storage.get("result.json") == b"{}"


def test_an_empty_object_is_an_object(storage: S3Storage) -> None:
    storage.put("transcript.txt", b"")

    assert storage.exists("transcript.txt")
    assert storage.get("transcript.txt") == b""


def test_a_newer_object_takes_the_place_of_the_older(storage: S3Storage) -> None:
    storage.put("result.json", b"a longer, older one")
    storage.put("result.json", b"new")

    assert storage.get("result.json") == b"new"


def test_a_large_file_arrives_whole(storage: S3Storage, tmp_path: Path) -> None:
    data = hashlib.shake_256(b"an episode").digest(PART_BYTES + 12_345)
    (tmp_path / "ep.mp3").write_bytes(data)

    storage.put(".work/audio.mp3", tmp_path / "ep.mp3")

    assert storage.get(".work/audio.mp3") == data
    assert storage.local_path(".work/audio.mp3").read_bytes() == data


@pytest.mark.parametrize("as_file", [False, True])
def test_an_object_has_its_content_type(storage: S3Storage, tmp_path: Path, as_file: bool) -> None:
    (tmp_path / "source").write_bytes(b"x")

    for name in CONTENT_TYPES:
        storage.put(name, tmp_path / "source" if as_file else b"x")

    heads = {
        name: storage.client.head_object(Bucket=storage.bucket, Key=storage.prefix + name) for name in CONTENT_TYPES
    }
    assert {name: head["ContentType"] for name, head in heads.items()} == CONTENT_TYPES


@pytest.mark.parametrize("as_file", [False, True])
def test_an_object_is_sent_with_a_checksum(storage: S3Storage, tmp_path: Path, as_file: bool) -> None:
    (tmp_path / "source").write_bytes(SOUND)
    sent: list[str | None] = []
    storage.client.meta.events.register(
        "before-send.s3.PutObject",
        lambda request, **_: sent.append(request.headers.get("x-amz-sdk-checksum-algorithm")),
    )

    storage.put("ep.mp3", tmp_path / "source" if as_file else SOUND)

    assert [it.decode() if isinstance(it, bytes) else it for it in sent] == ["CRC32"]


def test_names_are_listed_without_the_prefix_and_in_order(storage: S3Storage) -> None:
    for name in ("b.txt", "a.txt", ".work/2.json", ".work/1.json", "ab/c.txt"):
        storage.put(name, b"x")

    assert storage.list() == [".work/1.json", ".work/2.json", "a.txt", "ab/c.txt", "b.txt"]
    assert storage.list("a") == ["a.txt", "ab/c.txt"]
    assert storage.list(".work/") == [".work/1.json", ".work/2.json"]
    assert storage.list("nothing/") == []


def test_a_list_holds_nothing_of_a_neighbour(storage: S3Storage) -> None:
    neighbour = open_storage(f"{storage.uri}isode")
    neighbour.put("result.json", b"theirs")
    storage.put("result.json", b"ours")

    assert storage.list() == ["result.json"]


def test_the_pages_of_a_long_list_are_joined(storage: S3Storage) -> None:
    names = [f"{number}.json" for number in range(5)]
    for name in names:
        storage.put(name, b"x")
    storage.client.meta.events.register(
        "provide-client-params.s3.ListObjectsV2", lambda params, **_: params | {"MaxKeys": 2}
    )

    assert storage.list() == names


def test_a_deleted_object_is_gone(storage: S3Storage) -> None:
    storage.put("result.json", b"{}")

    storage.delete("result.json")

    assert not storage.exists("result.json")
    assert storage.list() == []


def test_deleting_what_is_not_there_is_no_error(storage: S3Storage) -> None:
    storage.delete("result.json")


def test_a_check_leaves_nothing_behind(storage: S3Storage) -> None:
    storage.check_writable()

    assert storage.list() == []


def test_any_name_comes_back(storage: S3Storage) -> None:
    names = [
        "with space.txt",
        "Über.txt",
        "a+b&c=d.txt",
        "50%.txt",
        "#12?.txt",
        "a..b.txt",
        "e\u0301.txt",
        "n\nl.txt",
        "c\x01.txt",
    ]

    for name in names:
        storage.put(name, name.encode())

    assert storage.list() == sorted(names)
    for name in names:
        assert storage.get(name) == storage.local_path(name).read_bytes() == name.encode()


@pytest.mark.parametrize("prefix", ["show", "deep/er/show", "Season #1", "What now?", "50% off", "Über uns"])
def test_any_prefix_is_the_one_that_was_named(storage: S3Storage, prefix: str) -> None:
    opened = open_storage(f"{storage.uri}/{prefix}")

    opened.put("result.json", b"here")

    assert opened.get("result.json") == b"here"
    assert storage.list() == [f"{prefix}/result.json"]


def test_a_bucket_needs_no_prefix(storage: S3Storage) -> None:
    whole = open_storage(f"s3://{storage.bucket}")
    storage.put("result.json", b"here")

    assert f"{storage.prefix}result.json" in whole.list()
    assert whole.uri == f"s3://{storage.bucket}"


def test_no_name_leads_out(storage: S3Storage) -> None:
    acts = (storage.get, storage.exists, storage.delete, storage.local_path, lambda name: storage.put(name, b""))
    for name in ("../secret", "a/../../secret", "..", "/etc/passwd"):
        for act in acts:
            with pytest.raises(StorageError, match="leads out of"):
                act(name)


def test_a_local_copy_is_made_once(storage: S3Storage) -> None:
    storage.put("ep.mp3", SOUND)
    first = storage.local_path("ep.mp3")
    made_at = first.stat().st_mtime_ns

    again = open_storage(storage.uri).local_path("ep.mp3")

    assert again == first
    assert again.stat().st_mtime_ns == made_at
    assert again.suffix == ".mp3"
    assert again.is_relative_to(settings().cache_dir)


def test_a_changed_object_is_copied_again(storage: S3Storage) -> None:
    storage.put("ep.mp3", b"old")
    old = storage.local_path("ep.mp3")

    storage.put("ep.mp3", b"new")
    new = storage.local_path("ep.mp3")

    assert (old.read_bytes(), new.read_bytes()) == (b"old", b"new")


def test_two_objects_of_the_same_content_have_a_copy_each_or_share_one(storage: S3Storage) -> None:
    storage.put("a.mp3", SOUND)
    storage.put("b.mp3", SOUND)

    assert storage.local_path("a.mp3").read_bytes() == storage.local_path("b.mp3").read_bytes() == SOUND


def test_many_may_copy_at_once(storage: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given workers of the same process id, as in containers that share a cache, that all end their download together.
    storage.put("ep.mp3", SOUND)
    together = Barrier(2)
    download = storage.client.download_file

    def download_and_wait(*args: str) -> None:
        download(*args)
        together.wait(10)

    monkeypatch.setattr(storage.client, "download_file", download_and_wait)

    with ThreadPoolExecutor(2) as pool:
        copies = [it.result(20) for it in [pool.submit(storage.local_path, "ep.mp3") for _ in range(2)]]

    assert [it.read_bytes() for it in copies] == [SOUND, SOUND]


def test_nothing_unfinished_stays_in_the_cache(storage: S3Storage) -> None:
    storage.put("ep.mp3", SOUND)
    copy = storage.local_path("ep.mp3")

    assert [it for it in settings().cache_dir.rglob("*") if it.is_file()] == [copy]


def test_a_cache_that_cannot_be_written_is_told(
    storage: S3Storage, configure: Callable[..., None], tmp_path: Path
) -> None:
    storage.put("ep.mp3", SOUND)
    (tmp_path / "file").touch()
    configure(DUET_CACHE_DIR=str(tmp_path / "file"))

    with pytest.raises(StorageError, match="file"):
        storage.local_path("ep.mp3")


@pytest.mark.parametrize("operation", ["get", "local_path"])
def test_an_object_that_is_not_there(storage: S3Storage, operation: str) -> None:
    with pytest.raises(StorageError, match=rf"{storage.uri}/result\.json is not there\."):
        OPERATIONS[operation](storage)


@pytest.mark.parametrize("operation", ["put", "put a file", "get", "list", "check_writable"])
def test_a_bucket_that_is_not_there_is_named(storage: S3Storage, operation: str) -> None:
    elsewhere = open_storage("s3://no-such-bucket/show")

    with pytest.raises(StorageError, match="there is no bucket 'no-such-bucket'; create it or name another one"):
        OPERATIONS[operation](elsewhere)


def test_nothing_is_in_a_bucket_that_is_not_there(storage: S3Storage) -> None:
    elsewhere = open_storage("s3://no-such-bucket/show")

    assert not elsewhere.exists("result.json")
    with pytest.raises(StorageError, match="there is no bucket 'no-such-bucket'; create it or name another one"):
        elsewhere.local_path("result.json")


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_wrong_keys_are_told(server: S3Server, configure: Callable[..., None], operation: str, variable: str) -> None:
    configure(**server.environment | {variable: "wrong"})
    refused = open_storage(f"s3://{server.bucket}/show")

    with pytest.raises(StorageError, match=r"S3 refuses the credentials \(.*check AWS_ACCESS_KEY_ID"):
        OPERATIONS[operation](refused)


@pytest.mark.parametrize("operation", ["put", "put a file", "get", "exists", "list"])
def test_keys_that_are_not_set_are_told(server: S3Server, configure: Callable[..., None], operation: str) -> None:
    configure(DUET_S3_ENDPOINT_URL=server.endpoint_url)

    with pytest.raises(StorageError, match="there are no S3 credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET"):
        OPERATIONS[operation](open_storage(f"s3://{server.bucket}/show"))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.usefixtures("no_pauses")
def test_without_a_server_it_may_work_later(configure: Callable[..., None], operation: str) -> None:
    endpoint = f"http://127.0.0.1:{free_ports(1)[0]}"

    with pytest.raises(TransientError, match=rf"{endpoint} does not answer .*check DUET_S3_ENDPOINT_URL"):
        OPERATIONS[operation](at(endpoint, configure))


@pytest.mark.usefixtures("no_pauses")
def test_a_server_that_never_answers_is_given_up_in_the_time_set(configure: Callable[..., None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        storage = at(f"http://127.0.0.1:{silent.getsockname()[1]}", configure, DUET_S3_TIMEOUT_S="0.1")

        with pytest.raises(TransientError, match=r"does not answer \(ReadTimeoutError\)"):
            storage.get("result.json")


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.usefixtures("no_pauses")
def test_a_server_that_is_busy_may_work_later(configure: Callable[..., None], operation: str) -> None:
    slow_down = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"

    with http_server(503, slow_down) as endpoint, pytest.raises(TransientError, match="not able to answer now"):
        OPERATIONS[operation](at(endpoint, configure))


@pytest.mark.parametrize("operation", ["get", "local_path"])
@pytest.mark.usefixtures("no_pauses")
def test_a_download_that_breaks_off_may_work_later(configure: Callable[..., None], operation: str) -> None:
    with http_server(200, SOUND, length=len(SOUND) + 1000) as endpoint, pytest.raises(TransientError):
        OPERATIONS[operation](at(endpoint, configure))

    assert not [it for it in settings().cache_dir.rglob("*") if it.is_file()]


def test_copies_stay_within_the_limit_and_one_that_is_read_stays(
    storage: S3Storage, configure: Callable[..., None]
) -> None:
    # Given room for two episodes, and three in the bucket
    configure(DUET_CACHE_LIMIT_BYTES="25")
    for name in ("a.mp3", "b.mp3", "c.mp3"):
        storage.put(name, name[:1].encode() * 10)

    # When the oldest is read while the others are fetched
    with storage.held_path("a.mp3") as held:
        others = [storage.local_path(name) for name in ("b.mp3", "c.mp3")]

        # Then it stays, and of the others the one that was used longest ago has gone
        assert held.read_bytes() == b"a" * 10
        assert [it.exists() for it in others] == [False, True]

    # And what was removed is fetched again when it is asked for
    with storage.held_path("b.mp3") as again:
        assert again.read_bytes() == b"b" * 10
    kept = [it.stat().st_size for it in (settings().cache_dir / "audio").iterdir()]
    assert sum(kept) <= 25


def test_an_episode_is_forgotten_on_this_machine_too(storage: S3Storage) -> None:
    storage.put("ep.mp3", SOUND)
    copy = storage.local_path("ep.mp3")

    assert storage.forget_copies("ep.mp3") == 1

    assert not copy.exists()
