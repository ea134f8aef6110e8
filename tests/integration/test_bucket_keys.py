"""Objects of any key and in any condition: each is read where it lies, or refused alone."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from pipeline import Batch, submit_folder
from pipeline.client.episode_audio import is_there
from pipeline.client.inbox import Inbox
from pipeline.client.retention.job_files import clear_copies
from pipeline.errors import AudioError, StorageError, TransientError
from pipeline.settings import settings as duet_settings
from pipeline.sources import Rejected, Skipped, find
from pipeline.sources.access import check_source
from pipeline.sources.bucket import BucketObject
from pipeline.sources.digest_cache import Digests
from pipeline.state.job_store import JobStore
from pipeline.storage import open_object, open_storage
from pipeline.storage.s3 import S3Storage
from pipeline.types import JobSpec
from tasks.base.audio_file import local_audio
from tests.batches import ID3, own_settings, records
from tests.faulty_s3 import FaultyS3, faulty_s3
from tests.services import AWS, start_aws

pytestmark = pytest.mark.xdist_group("bucket-keys")
KEYS = [
    "/lead.mp3", "a//b.mp3", "a/../up.mp3", "../x.mp3", "./dot.mp3", "q?x=1#f%20+ y.mp3", "b\\s.mp3", "e\u0301.mp3",
    "\u00e9.mp3", "blank .mp3 ", "%2e%2e/p.mp3", "*[x].mp3", "CON.mp3", "\u202egnp.mp3", "a.mp3/b.mp3", "~.mp3",
    "x" * 900 + ".mp3", "y." + "z" * 300, "control\x01.mp3", "-rf.mp3", "emoji 😀.mp3",
]  # fmt: skip


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyS3]:
    """A server that keeps keys as they are, as AWS does, behind one that may refuse."""
    with start_aws(tmp_path_factory.mktemp("aws")) as url, faulty_s3(url) as proxy:
        yield proxy


@pytest.fixture
def job_store(valkey: str, s3: FaultyS3, tmp_path: Path) -> Iterator[JobStore]:
    with own_settings(valkey, tmp_path / "cache", DUET_S3_ENDPOINT_URL=s3.endpoint_url, **AWS):
        job_store = JobStore()
        job_store.redis.flushdb()
        yield job_store


@pytest.fixture
def bucket(job_store: JobStore, request: pytest.FixtureRequest) -> S3Storage:
    """A bucket of the test's own."""
    name = f"b{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]}"
    found = open_storage(f"s3://{name}")
    assert isinstance(found, S3Storage)
    found.client.create_bucket(Bucket=name)
    return found


def use(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    duet_settings.cache_clear()


def put(bucket: S3Storage, key: str, content: bytes | None = None) -> None:
    own = ID3 + key.encode() if content is None else content
    bucket.client.put_object(Bucket=bucket.bucket, Key=key, Body=own)


def read_at(spec: JobSpec) -> bytes:
    """Return what a worker reads."""
    with local_audio(spec) as path:
        return path.read_bytes()


def keys_of(batch: Batch, bucket: S3Storage) -> list[str]:
    return sorted(entry.source.removeprefix(f"{bucket.uri}/") for entry in batch.entries())


def test_each_key_is_an_episode_that_the_pools_read_where_it_lies(bucket: S3Storage, tmp_path: Path) -> None:
    for key in KEYS:
        put(bucket, key)

    batch = submit_folder(bucket.uri, tmp_path / "out")

    assert keys_of(batch, bucket) == sorted(KEYS)
    assert not batch.rejected
    for spec in (job.spec for job in batch):
        assert spec.audio_uri == spec.episode.source
        assert read_at(spec) == ID3 + spec.audio_uri.removeprefix(f"{bucket.uri}/").encode()
        assert is_there(spec.audio_uri)
        assert clear_copies(spec) == 1


@pytest.mark.parametrize("key", KEYS)
def test_each_key_can_be_named(bucket: S3Storage, key: str) -> None:
    put(bucket, key)

    (found,) = find(f"{bucket.uri}/{key}")

    assert isinstance(found, BucketObject)
    assert found.name == f"{bucket.uri}/{key}"


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("/", ["/a/x.mp3"]), ("a", ["a//x.mp3", "a/x.mp3"]), ("a/", ["a//x.mp3", "a/x.mp3"]), ("a//", ["a//x.mp3"])],
)
def test_each_prefix_can_be_named(bucket: S3Storage, prefix: str, expected: list[str]) -> None:
    for key in ("/a/x.mp3", "a//x.mp3", "a/x.mp3", "ab/x.mp3"):
        put(bucket, key)

    assert [it.name.removeprefix(f"{bucket.uri}/") for it in find(f"{bucket.uri}/{prefix}")] == expected  # type: ignore[union-attr]


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=strategies.text(
        strategies.characters(codec="utf-8", exclude_characters="\n\r\0") | strategies.sampled_from("/.?#%+ \\"),
        min_size=1,
        max_size=80,
    ).filter(lambda it: not it.endswith("/"))
)
def test_whatever_a_key_is_it_comes_back_from_its_uri(bucket: S3Storage, key: str) -> None:
    put(bucket, key)
    try:
        (found,) = find(f"{bucket.uri}/{key}")
        storage, name = open_object(found.name)  # type: ignore[union-attr]
        episode = found.read(Digests(duet_settings().cache_dir / "digests.sqlite"))  # type: ignore[union-attr]

        assert episode.source == f"{bucket.uri}/{key}"
        assert name == key
        assert storage.exists(name)
        with storage.held_path(name) as path:
            assert path.read_bytes() == ID3 + key.encode()
        assert storage.forget_copies(name) == 1
    finally:
        bucket.client.delete_object(Bucket=bucket.bucket, Key=key)


def test_folders_and_empty_objects_are_no_episodes(bucket: S3Storage) -> None:
    put(bucket, "show/", b"")
    put(bucket, "show/live.mp3/", b"")
    put(bucket, "show/empty.mp3", b"")
    put(bucket, "show/ep.mp3")

    found = list(find(bucket.uri))

    assert [it.reason for it in found if isinstance(it, Skipped)] == ["it is a folder"] * 2
    assert [it.source for it in found if isinstance(it, Rejected)] == [f"{bucket.uri}/show/empty.mp3"]
    assert len(found) == 4


def test_a_key_leads_out_of_no_root(bucket: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, DUET_ALLOWED_ROOTS=f"{bucket.uri}/allowed")

    for key in ("allowed/x.mp3", "allowed/a/../x.mp3", "allowed//x.mp3"):
        check_source(f"{bucket.uri}/{key}")
    for key in ("allowed/../x.mp3", "allowed/a/../../x.mp3", "x.mp3", "allowed2/x.mp3", "/allowed/x.mp3"):
        with pytest.raises(AudioError, match="outside"):
            check_source(f"{bucket.uri}/{key}")


def test_an_inbox_keeps_keys_and_no_key_leads_out_of_its_results(
    bucket: S3Storage, job_store: JobStore, tmp_path: Path
) -> None:
    keys = ["in//a.mp3", "in/../../b.mp3", "in/Show #1/c.mp3", "in/d.mp3"]
    for key in keys:
        put(bucket, key)
    inbox = Inbox(f"{bucket.uri}/in", str(tmp_path / "out"), job_store)
    inbox.scan(100.0, 10.0)

    assert inbox.scan(120.0, 10.0) == len(keys)

    folders = {it.spec.audio_uri.rpartition("/")[2]: it.spec.uri.rpartition("/")[0] for it in records(job_store)}
    out = (tmp_path / "out").as_uri()
    assert folders == {"a.mp3": out, "b.mp3": out, "c.mp3": f"{out}/Show%20%231", "d.mp3": out}
    assert inbox.forget_gone() == 0
    bucket.client.delete_object(Bucket=bucket.bucket, Key="in//a.mp3")
    assert inbox.forget_gone() == 1


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "InvalidObjectState", "it is archived; restore it"),
        (403, "AccessDenied", "S3 refuses the credentials (AccessDenied)"),
        (400, "KMS.DisabledException", "its encryption key cannot be used"),
        (404, "NoSuchKey", "is not there"),
        (500, "InternalError", "S3 is not able to answer now"),
    ],
)
@pytest.mark.parametrize("key", ["m.mp3", "m"])
def test_an_object_that_cannot_be_read_is_refused_alone(
    bucket: S3Storage,
    s3: FaultyS3,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    status: int,
    code: str,
    said: str,
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    for it in ("a.mp3", key, "z.mp3"):
        put(bucket, it)

    with s3.fault("error", method="GET", key=rf"{bucket.bucket}/{key}$", status=status, code=code):
        batch = submit_folder(bucket.uri, tmp_path / "out")

    assert keys_of(batch, bucket) == ["a.mp3", "z.mp3"]
    assert [it.source for it in batch.rejected] == [f"{bucket.uri}/{key}"]
    assert said in batch.rejected[0].reason


def test_an_object_can_be_read_by_who_may_not_list(bucket: S3Storage, s3: FaultyS3) -> None:
    put(bucket, "show/ep.mp3")

    with s3.fault("error", method="GET", key="list-type", status=403, code="AccessDenied"):
        (found,) = find(f"{bucket.uri}/show/ep.mp3")
        with pytest.raises(StorageError, match="S3 refuses the credentials"):
            list(find(f"{bucket.uri}/show"))

    assert isinstance(found, BucketObject)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (501, "NotImplemented"),
        (400, "InvalidArgument"),
        (411, "MissingContentLength"),
    ],
)
@pytest.mark.parametrize("size_bytes", [10, 9 << 20])
def test_a_server_that_refuses_checksums_gets_none(
    bucket: S3Storage,
    s3: FaultyS3,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size_bytes: int,
    status: int,
    code: str,
) -> None:
    (tmp_path / "audio").write_bytes(b"a" * size_bytes)
    with faulty_s3(s3.endpoint_url) as fussy:
        use(monkeypatch, DUET_S3_ENDPOINT_URL=fussy.endpoint_url)
        with fussy.fault("error", header="x-amz-checksum", method="PUT|POST", status=status, code=code) as refused:
            for name in ("one", "two"):
                storage = open_storage(bucket.uri)
                storage.put(name, tmp_path / "audio")
                assert storage.get(name) == b"a" * size_bytes

    assert refused.seen == 1, "a server that does so always is asked once"


def test_a_server_that_refuses_to_say_checksums_is_asked_for_none(
    bucket: S3Storage, s3: FaultyS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, "ep")
    with faulty_s3(s3.endpoint_url) as fussy:
        use(monkeypatch, DUET_S3_ENDPOINT_URL=fussy.endpoint_url)
        with fussy.fault("error", header="x-amz-checksum", method="GET", status=501, code="NotImplemented") as refused:
            (found,) = find(bucket.uri)
            storage, name = open_object(f"{bucket.uri}/ep")
            assert storage.local_path(name).read_bytes() == storage.get(name) == ID3 + b"ep"

    assert isinstance(found, BucketObject)
    assert refused.seen == 1


def test_damaged_data_is_no_reason_to_send_no_checksums(bucket: S3Storage, s3: FaultyS3) -> None:
    with (
        s3.fault("error", method="PUT", status=400, code="BadDigest") as damaged,
        pytest.raises(TransientError, match="is not what was sent"),
    ):
        bucket.put("ep.mp3", ID3)
    assert damaged.seen == 1
