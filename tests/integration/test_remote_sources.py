"""Episodes on a real web server and in a real S3 server."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline import Job, submit, submit_all, submit_feed, submit_folder
from pipeline.errors import AddressError, AudioError, StorageError, TransientError
from pipeline.settings import settings
from pipeline.sources.download import BLOCK_BYTES, Download
from pipeline.state.job_store import JobStore
from pipeline.storage import open_storage
from pipeline.types import MODEL_LEGS, JobState, ModelLeg, Options
from tests.batches import ID3, end_jobs, own_settings, records
from tests.services import S3Server, start_s3
from tests.web import Site, start_site

pytestmark = pytest.mark.xdist_group("remote-sources")
FEED = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"
     xmlns:podcast="https://podcastindex.org/namespace/1.0"><channel><title>The Garden Hour</title>
<itunes:author>Rosa Thorn</itunes:author><podcast:person>Rosa Thorn</podcast:person>
<item><title>Roses &amp; thorns/part 1</title><guid isPermaLink="false">ep-1</guid><link>/pages/1</link>
<description>&lt;p&gt;Pruning with Dharmesh Shah of HubSpot.&lt;/p&gt;</description>
<pubDate>Fri, 21 Mar 2025 07:00:00 -0700</pubDate>
<itunes:season>2</itunes:season><itunes:episode>10</itunes:episode>
<author>mail@example.org (Ines Author)</author><podcast:person role="guest">Dharmesh Shah</podcast:person>
<podcast:transcript url="/1.vtt" type="text/vtt"/>
<podcast:transcript url="/1.srt" type="application/srt" language="en"/>
<podcast:chapters url="/1.json" type="application/json+chapters"/>
<enclosure url="audio/1.mp3" length="79" type="audio/mpeg"/></item>
<item><title>Two</title><guid>ep-2</guid><enclosure url="/audio/2" length="9" type="audio/mpeg"/></item>
<item><title>An announcement</title><guid>ep-3</guid></item>
<item><title>Gone</title><guid>ep-4</guid><enclosure url="/audio/gone.mp3" type="audio/mpeg"/></item>
</channel></rss>"""


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with start_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def site() -> Iterator[Site]:
    with start_site() as site:
        site.files = {
            "/show/feed.xml": FEED.encode(),
            "/show/audio/1.mp3": ID3 + b"one" * 1000,
            "/audio/2": ID3 + b"two",
        }
        site.types = {"/show/feed.xml": "application/rss+xml"}
        yield site


@pytest.fixture
def job_store(valkey: str, s3: S3Server, tmp_path: Path) -> Iterator[JobStore]:
    variables = s3.environment | {"DUET_ALLOWED_HOSTS": "127.0.0.1"}
    with own_settings(valkey, tmp_path / "cache", **variables):
        job_store = JobStore()
        job_store.redis.flushdb()
        yield job_store


def test_a_feed_is_a_batch_and_says_what_it_knows_of_each_episode(
    job_store: JobStore, site: Site, tmp_path: Path
) -> None:
    batch = submit_feed(f"{site.url}/show/feed.xml", tmp_path / "out")

    specs = {job.spec.episode.slug: job.spec for job in batch}
    assert sorted(specs) == ["roses-thorns-part-1", "two"]
    publication = specs["roses-thorns-part-1"].episode.publication
    assert publication
    assert publication.model_dump(exclude={"feed", "link", "transcripts", "chapters"}) == {
        "show": "The Garden Hour",
        "title": "Roses & thorns/part 1",
        "guid": "ep-1",
        "published_at": "2025-03-21T14:00:00.000+00:00",
        "season": 2,
        "number": 10,
        "names": ("Dharmesh Shah", "HubSpot"),
        "people": (
            {"name": "Dharmesh Shah", "role": "guest"},
            {"name": "Rosa Thorn", "role": "host"},
            {"name": "Ines Author", "role": "author"},
        ),
    }
    assert [it.url for it in publication.transcripts] == [f"{site.url}/1.vtt", f"{site.url}/1.srt"]
    assert publication.chapters
    assert publication.chapters.url == f"{site.url}/1.json"
    assert [it.reason for it in batch.skipped] == ["it encloses no audio"]
    assert ["gone.mp3 was not found (404)" in it.reason for it in batch.rejected] == [True]


def test_what_a_feed_encloses_lies_beside_the_results_for_the_pools(
    job_store: JobStore, site: Site, tmp_path: Path
) -> None:
    batch = submit_feed(f"{site.url}/show/feed.xml", tmp_path / "out")

    for job in batch:
        folder, _, name = job.spec.audio_uri.rpartition("/")
        assert open_storage(folder).get(name).startswith(ID3)
    left = [file.name for file in (settings().cache_dir / "downloads").rglob("body")]
    assert len(left) == 1, "only the feed itself stays in the cache"


def test_a_feed_again_asks_for_the_feed_and_for_nothing_that_is_done(
    job_store: JobStore, site: Site, tmp_path: Path
) -> None:
    end_jobs(job_store, [job.id for job in submit_feed(f"{site.url}/show/feed.xml", tmp_path / "out")])
    job_store.redis.flushdb()
    site.requests.clear()

    batch = submit_feed(f"{site.url}/show/feed.xml", tmp_path / "out")

    assert [it.was_done for it in batch.entries()] == [True, True]
    assert not site.asked("/show/audio/1.mp3")
    assert not site.asked("/audio/2")
    assert "if-none-match" in site.asked("/show/feed.xml")[-1]


def test_an_address_of_audio_is_one_episode(job_store: JobStore, site: Site, tmp_path: Path) -> None:
    job = submit(f"{site.url}/show/audio/1.mp3", tmp_path / "out")

    assert job.spec.episode.source == f"{site.url}/show/audio/1.mp3"
    assert job.spec.episode.slug == "1"


def test_audio_without_an_ending_is_known_by_its_bytes(job_store: JobStore, site: Site, tmp_path: Path) -> None:
    assert submit(f"{site.url}/audio/2", tmp_path / "out").spec.episode.size_bytes == len(ID3) + 3


def test_done_audio_is_not_downloaded_again_until_it_changes(job_store: JobStore, site: Site, tmp_path: Path) -> None:
    url = f"{site.url}/show/audio/1.mp3"
    end_jobs(job_store, [submit(url, tmp_path / "out").id])

    submit(url, tmp_path / "out")
    assert len(site.asked("/show/audio/1.mp3")) == 1
    site.files["/show/audio/1.mp3"] = ID3 + b"another take"
    changed = submit(url, tmp_path / "out")

    assert len(site.asked("/show/audio/1.mp3")) == 2
    assert len(records(job_store)) == 2
    assert changed.spec.attempt == 1


def test_a_download_that_breaks_off_goes_on_where_it_was(job_store: JobStore, site: Site) -> None:
    body = ID3 + bytes(range(256)) * 4000
    site.files["/big.mp3"] = body
    site.breaks_after["/big.mp3"] = 300_000

    path = Download(f"{site.url}/big.mp3").fetch(limit_bytes=10_000_000)

    assert path.read_bytes() == body
    first, second = site.asked("/big.mp3")
    assert "range" not in first
    assert second["range"] == f"bytes={BLOCK_BYTES}-"
    assert second["if-range"]


def test_what_changed_while_it_was_downloaded_is_begun_anew(job_store: JobStore, site: Site) -> None:
    site.files["/big.mp3"] = ID3 + b"old" * 100_000
    site.breaks_after["/big.mp3"] = 100_000
    new = ID3 + b"new" * 100_000
    threading.Timer(0.3, site.files.__setitem__, ("/big.mp3", new)).start()

    assert Download(f"{site.url}/big.mp3").fetch(limit_bytes=10_000_000).read_bytes() == new


def test_a_busy_server_is_asked_again_and_then_given_up(job_store: JobStore, site: Site) -> None:
    site.statuses["/audio/2"] = [503, 429]
    assert Download(f"{site.url}/audio/2").fetch(limit_bytes=1000).read_bytes() == ID3 + b"two"

    site.files["/never.mp3"] = b""
    site.statuses["/never.mp3"] = [503] * 4
    with pytest.raises(TransientError, match=r"never\.mp3 answers 503, that it is busy\. It was tried 4 times"):
        Download(f"{site.url}/never.mp3").fetch(limit_bytes=1000)


@pytest.mark.parametrize("has_length", [True, False])
def test_what_is_too_large_is_not_downloaded(job_store: JobStore, site: Site, has_length: bool) -> None:
    site.files["/big.mp3"] = ID3 + bytes(5_000_000)
    site.lengthless = set() if has_length else {"/big.mp3"}

    with pytest.raises(AudioError, match="is larger than 1 MB; raise DUET_DOWNLOAD_LIMIT_BYTES"):
        Download(f"{site.url}/big.mp3").fetch(limit_bytes=1_000_000)


def test_a_page_is_no_episode(job_store: JobStore, site: Site, tmp_path: Path) -> None:
    site.files["/page"] = b"<!DOCTYPE html><html><body>Listen!</body></html>"
    site.files["/page.mp3"] = site.files["/page"]

    with pytest.raises(AudioError, match="is neither audio nor a podcast feed"):
        submit(f"{site.url}/page", tmp_path / "out")
    with pytest.raises(AudioError, match=r"page\.mp3 cannot be used: it is not audio but text/html"):
        submit(f"{site.url}/page.mp3", tmp_path / "out")


def test_addresses_that_are_not_public_are_refused_after_a_redirect_too(
    job_store: JobStore, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUET_ALLOWED_HOSTS", "localhost")
    settings.cache_clear()
    site.redirects["/jump.mp3"] = f"{site.url}/show/audio/1.mp3"

    with pytest.raises(AddressError, match=r"127\.0\.0\.1.* not a public address"):
        submit(f"{site.url}/show/audio/1.mp3", tmp_path / "out")
    with pytest.raises(AddressError, match="not a public address"):
        submit(f"{site.url.replace('127.0.0.1', 'localhost')}/jump.mp3", tmp_path / "out")


def test_a_prefix_is_a_batch_that_the_pools_read_where_it_is(job_store: JobStore, s3: S3Server, tmp_path: Path) -> None:
    bucket = open_storage(f"s3://{s3.bucket}/prefix")
    for name in ("1.mp3", "deep/2.ogg", "no-ending"):
        bucket.put(name, ID3 + name.encode())
    bucket.put("notes.txt", b"Show notes.")
    bucket.put("empty.mp3", b"")
    bucket.put(".hidden.mp3", ID3)

    batch = submit_folder(f"s3://{s3.bucket}/prefix", tmp_path / "out")

    assert sorted(job.spec.audio_uri.removeprefix(f"{bucket.uri}/") for job in batch) == [
        "1.mp3",
        "deep/2.ogg",
        "no-ending",
    ]
    assert [it.source for it in batch.rejected] == [f"{bucket.uri}/empty.mp3"]
    assert len(batch.skipped) == 2


def test_a_prefix_again_does_only_what_is_missing_and_reads_nothing_twice(
    job_store: JobStore, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = open_storage(f"s3://{s3.bucket}/again")
    bucket.put("1.mp3", ID3 + b"again 1")
    to = f"s3://{s3.bucket}/results-again"
    end_jobs(job_store, [job.id for job in submit_folder(bucket.uri, to)])
    job_store.redis.flushdb()
    bucket.put("2.mp3", ID3 + b"again 2")
    read: list[str] = []
    whole = type(bucket).blocks  # type: ignore[attr-defined]
    monkeypatch.setattr(type(bucket), "blocks", lambda self, name: read.append(name) or whole(self, name))

    batch = submit_folder(bucket.uri, to)

    assert [it.was_done for it in sorted(batch.entries(), key=lambda it: it.source)] == [True, False]
    assert read == ["2.mp3"]


def test_one_object_and_a_place_without_any(job_store: JobStore, s3: S3Server, tmp_path: Path) -> None:
    open_storage(f"s3://{s3.bucket}/one").put("ep.mp3", ID3 + b"one object")
    open_storage(f"s3://{s3.bucket}/one").put("ep.mp3.bak", ID3 + b"its backup")

    assert submit(f"s3://{s3.bucket}/one/ep.mp3", tmp_path / "out").spec.episode.slug == "ep"
    with pytest.raises(AudioError, match="holds nothing"):
        submit(f"s3://{s3.bucket}/nothing-here", tmp_path / "out")
    with pytest.raises(StorageError, match="no bucket 'no-such-bucket'"):
        submit("s3://no-such-bucket/ep.mp3", tmp_path / "out")


def test_files_go_along_to_a_bucket(job_store: JobStore, s3: S3Server, tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.mp3").write_bytes(ID3 + bytes([number]))

    batch = submit_all([tmp_path / "*.mp3"], f"s3://{s3.bucket}/along")

    for job in batch:
        folder, _, name = job.spec.audio_uri.rpartition("/")
        assert open_storage(folder).get(name) == Path(job.spec.episode.source).read_bytes()


def test_what_a_feed_says_reaches_the_queue_as_json(job_store: JobStore, site: Site, tmp_path: Path) -> None:
    submit_feed(f"{site.url}/show/feed.xml", tmp_path / "out")

    texts = [text for key in job_store.redis.keys("whisper*") for text in job_store.redis.lrange(key, 0, -1)]

    tasks = [json.loads(text)["headers"]["task"] for text in texts]
    assert Counter(tasks) == {"tasks.transcribe": 2, "tasks.diarize": 2}


def test_a_download_that_nobody_needs_is_not_kept(job_store: JobStore, site: Site, tmp_path: Path) -> None:
    # Given a server whose addresses are signed anew each time, so that only the bytes tell what is there
    for signature in ("1", "2"):
        site.files[f"/ep.mp3?signature={signature}"] = ID3 + b"signed" * 1000

    first = submit(f"{site.url}/ep.mp3?signature=1", tmp_path / "out")
    second = submit(f"{site.url}/ep.mp3?signature=2", tmp_path / "out")

    assert first.id == second.id
    assert [it for it in (settings().cache_dir / "downloads").rglob("*") if it.is_file()] == []


def test_a_download_whose_destination_refuses_is_not_kept(job_store: JobStore, site: Site, tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        submit(f"{site.url}/show/audio/1.mp3", "s3://no-such-bucket/out")

    assert [it for it in (settings().cache_dir / "downloads").rglob("*") if it.is_file()] == []


def test_audio_behind_a_token_is_brought_and_done_again_without_anybody_seeing_the_token(
    job_store: JobStore, site: Site, tmp_path: Path
) -> None:
    # Given an episode that only the whole address leads to, one of whose legs failed
    site.files["/private.mp3?auth=SECRET"] = ID3 + b"for subscribers"
    job = submit(f"{site.url}/private.mp3?auth=SECRET", tmp_path / "out")
    end_jobs(job_store, [job.id], JobState.FAILED)

    # When it is done once more
    again = Job(job.spec, job_store).retry()

    # Then the pools find its audio, and the token is nowhere
    assert again.spec.attempt == 2
    folder, _, name = again.spec.audio_uri.rpartition("/")
    assert open_storage(folder).get(name) == ID3 + b"for subscribers"
    texts = [
        text
        for key in job_store.redis.keys("*")
        if job_store.redis.type(key) == "list"
        for text in job_store.redis.lrange(key, 0, -1)
    ]
    kept = [file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert texts
    assert "SECRET" not in "".join(texts) + str(job_store.redis.hgetall(f"duet:job:{job.id}"))
    assert not any(b"SECRET" in it for it in kept)


def test_one_address_for_two_jobs_at_once_is_no_trouble_to_either(
    job_store: JobStore, site: Site, tmp_path: Path
) -> None:
    # Given both legs, asked for by two requests at the same time, again and again
    both_here = threading.Barrier(2, timeout=60)

    def ask(leg: ModelLeg, number: int) -> Job:
        both_here.wait()
        return submit(f"{site.url}/{number}.mp3", tmp_path / leg, Options(legs=(leg,)), job_store=job_store)

    for number in range(10):
        site.files[f"/{number}.mp3"] = ID3 + bytes([number]) * 300_000
        with ThreadPoolExecutor(2) as threads:
            jobs = list(threads.map(ask, MODEL_LEGS, [number] * 2))
        for job in jobs:
            folder, _, name = job.spec.audio_uri.rpartition("/")
            assert open_storage(folder).get(name) == site.files[f"/{number}.mp3"]
