"""Odd names, feeds and answers cost themselves alone: whatever is beside them is submitted, and nothing hangs."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
import typer
from hypothesis import HealthCheck, given, settings, strategies

import pipeline.settings
from beat.maintenance import close_abandoned_batches, scan_inboxes
from pipeline import Batch, Submitted, submit_all, submit_feed, submit_folder
from pipeline.cli import job_options
from pipeline.cli.batch_arguments import Background
from pipeline.client.batch_progress import BatchProgress
from pipeline.client.batch_submission import BatchSubmission
from pipeline.client.inbox import Inbox
from pipeline.client.retry import begin_again
from pipeline.client.submitter import Submitter
from pipeline.errors import AddressError, BrokerError, DuetError, StorageError, UnexpectedError
from pipeline.sources import Found, Source, find, find_one
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JobStore
from pipeline.storage import as_uri
from pipeline.types import JobSpec, JobState
from tasks.base.audio_file import local_audio
from tests.batches import ID3, end_jobs, own_settings, records, write_audio
from tests.web import Site, start_site

PATIENCE_S = 60.0
LATIN_1 = b"caf\xe9.mp3"
OFTEN = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NAMES = strategies.binary(min_size=1, max_size=255).filter(
    lambda name: b"\0" not in name and b"/" not in name and name not in (b".", b"..")
)
ENDINGS = strategies.sampled_from([b".mp3", b".wav", b"", b".part", b".MP3"])
TEXTS = strategies.text(max_size=60) | strategies.sampled_from(["http://[bad", "\u202e", "²", "9" * 5000])


def read_at(spec: JobSpec) -> Path:
    """Return where a worker reads an episode's audio."""
    with local_audio(spec) as path:
        return path


@pytest.fixture
def job_store(valkey: str, tmp_path: Path) -> Iterator[JobStore]:
    with own_settings(valkey, tmp_path / "cache", DUET_ALLOWED_HOSTS="127.0.0.1"):
        job_store = JobStore()
        job_store.redis.flushdb()
        yield job_store


@pytest.fixture
def site() -> Iterator[Site]:
    with start_site() as site:
        site.files = {f"/{name}.mp3": ID3 + name.encode() for name in ("one", "two")}
        yield site


@pytest.fixture
def show(tmp_path: Path) -> Path:
    """Two episodes; by their names what a test adds comes between them."""
    write_audio(tmp_path / "show", "a.mp3", "z.mp3")
    return tmp_path / "show"


def put(folder: Path, name: bytes, content: bytes = b"") -> Path:
    path = Path(os.fsdecode(os.path.join(os.fsencode(folder), name)))  # noqa: PTH118  # of bytes
    path.write_bytes(content or ID3 + name)
    return path


def in_time(do: Callable[[], Any]) -> Any:
    """Do something in a thread of its own, and fail where that hangs."""
    told: list[Any] = []

    def run() -> None:
        try:
            told.append(do())
        except BaseException as error:
            told.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert told, "it hangs"
    if isinstance(told[0], BaseException):
        raise told[0]
    return told[0]


def names_of(batch: Batch) -> list[str]:
    return sorted(Path(entry.source).name for entry in batch.entries())


def feed_of(*items: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" '
        'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" '
        'xmlns:podcast="https://podcastindex.org/namespace/1.0"><channel><title>Show</title>'
        f"{''.join(items)}</channel></rss>"
    ).encode()


def item(url: str, *more: str) -> str:
    own = "".join(more)
    return f"<item><title>{escape(url)}</title><enclosure url={quoteattr(url)} type='audio/mpeg'/>{own}</item>"


@pytest.mark.parametrize("name", [LATIN_1, b"m" * 247 + b".mp3", "ж".encode() * 125 + b".mp3", b"#1? [live].mp3"])
def test_a_file_of_any_name_is_an_episode_like_others(
    job_store: JobStore, show: Path, tmp_path: Path, name: bytes
) -> None:
    # Given a folder with a file of an odd name between two others
    odd = put(show, name)

    # When it is submitted
    batch = in_time(lambda: submit_folder(show, tmp_path / "out"))

    # Then all three are at work, and the pools find each in its place
    assert names_of(batch) == sorted(["a.mp3", "z.mp3", name.decode(errors="replace")])
    specs = [job.spec for job in batch]
    assert {read_at(spec) for spec in specs} == {show / "a.mp3", show / "z.mp3", odd}
    assert all(spec.audio_uri.isascii() and spec.uri.isascii() for spec in specs)
    assert batch.record.is_submitted


def test_an_episode_whose_name_is_not_utf8_can_be_retried_and_reported(
    job_store: JobStore, show: Path, tmp_path: Path
) -> None:
    put(show, LATIN_1)
    batch = submit_all([show, os.fsdecode(os.fsencode(show) + b"/\xff.mp3")], tmp_path / "out")
    end_jobs(job_store, [job.id for job in batch], JobState.FAILED)

    again = [begin_again(record, job_store) for record in records(job_store)]
    report = batch.write_report()

    assert len(again) == 3
    assert [it.reason for it in batch.rejected] == [f"No such file or folder: {show}/\N{REPLACEMENT CHARACTER}.mp3."]
    assert "caf\N{REPLACEMENT CHARACTER}.mp3" in Path(report.removeprefix("file://")).read_text()


def test_a_link_that_leads_out_of_the_allowed_roots_is_refused_whatever_it_is_called(
    job_store: JobStore, show: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, b"secret.mp3")
    link = Path(os.fsdecode(os.fsencode(show) + b"/caf\xe9.mp3"))
    link.symlink_to(tmp_path / "secret.mp3")
    monkeypatch.setenv("DUET_ALLOWED_ROOTS", f"{show},{tmp_path / 'out'}")
    pipeline.settings.settings.cache_clear()

    batch = submit_folder(show, tmp_path / "out")

    assert names_of(batch) == ["a.mp3", "z.mp3"]
    assert "outside of the places that jobs may read from" in batch.rejected[0].reason


@OFTEN
@given(names=strategies.lists(strategies.builds(lambda a, b: a[: 255 - len(b)] + b, NAMES, ENDINGS), max_size=5))
def test_whatever_files_are_called_each_is_submitted_rejected_or_left_out(
    job_store: JobStore, tmp_path_factory: pytest.TempPathFactory, names: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("show")
    write_audio(folder, "a.mp3", "z.mp3")
    for name in {*names} - {b".", b".."}:
        put(folder, name)

    batch = in_time(lambda: submit_folder(folder, folder.with_name("out")))

    there = len(list(folder.iterdir()))
    assert len(batch) + len(batch.rejected) + len(batch.skipped) == there
    assert {"a.mp3", "z.mp3"} <= {*names_of(batch)}
    assert batch.record.is_submitted


@OFTEN
@given(heads=strategies.lists(strategies.binary(max_size=64), max_size=5))
def test_whatever_files_begin_with_each_is_submitted_rejected_or_left_out(
    job_store: JobStore, tmp_path_factory: pytest.TempPathFactory, heads: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("show")
    write_audio(folder, "a.mp3", "z.mp3")
    for number, head in enumerate(heads):
        (folder / f"m{number}{'.mp3' if number % 2 else ''}").write_bytes(head)

    batch = in_time(lambda: submit_folder(folder, folder.with_name("out")))

    assert len(batch) + len(batch.rejected) + len(batch.skipped) == 2 + len(heads)
    assert {"a.mp3", "z.mp3"} <= {*names_of(batch)}


@pytest.mark.parametrize(
    ("odd", "is_lost"),
    [
        (item("http://[bad/a.mp3"), True),
        (item("http://host:99999/a.mp3"), True),
        (item("gopher://host/a.mp3"), True),
        (item("/two.mp3", "<link>http://[bad</link>"), False),
        (item("/two.mp3", "<podcast:chapters url='http://[bad'/>"), False),
        (item("/two.mp3", "<podcast:transcript url='http://[bad'/>"), False),
        (item("/two.mp3", "<pubDate>Fri, 31 Dec 9999 23:59:59 -2300</pubDate>"), False),
        (item("/two.mp3", "<pubDate>Mon, 01 Jan 0001 00:00:00 +1400</pubDate>"), False),
        (item("/two.mp3", f"<itunes:season>{'9' * 5000}</itunes:season>"), False),
        (item("/two.mp3", "<itunes:episode>²</itunes:episode>"), False),
    ],
)
def test_an_odd_entry_of_a_feed_costs_at_most_itself(
    job_store: JobStore, site: Site, tmp_path: Path, odd: str, is_lost: bool
) -> None:
    site.files["/feed.xml"] = feed_of(odd, item("/one.mp3"))

    batch = in_time(lambda: submit_feed(f"{site.url}/feed.xml", tmp_path / "out"))

    assert names_of(batch) == (["one.mp3"] if is_lost else ["one.mp3", "two.mp3"])
    assert [it.reason.endswith("is no address.") for it in batch.rejected] == [True] * is_lost


@OFTEN
@given(
    urls=strategies.lists(TEXTS | TEXTS.map(lambda it: f"{it}.mp3"), max_size=4),
    fields=strategies.dictionaries(
        strategies.sampled_from(["pubDate", "link", "guid", "itunes:season", "itunes:episode", "description"]), TEXTS
    ),
)
def test_whatever_a_feed_says_its_good_episodes_are_submitted(
    job_store: JobStore, tmp_path_factory: pytest.TempPathFactory, urls: list[str], fields: dict[str, str]
) -> None:
    xml = str.maketrans("", "", "".join(map(chr, [*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF])))
    more = [f"<{name}>{escape(text.translate(xml))}</{name}>" for name, text in fields.items()]
    odd = [item(url.translate(xml), *more) for url in urls]
    with start_site() as site:
        site.files = {"/one.mp3": ID3 + b"one", "/two.mp3": ID3 + b"two"}
        site.files["/feed.xml"] = feed_of(item("/one.mp3"), *odd, item("/two.mp3"))

        batch = in_time(lambda: submit_feed(f"{site.url}/feed.xml", tmp_path_factory.mktemp("out")))

    assert {"one.mp3", "two.mp3"} <= {*names_of(batch)}
    assert len(batch) + len(batch.rejected) + len(batch.skipped) >= 2
    assert batch.record.is_submitted


@OFTEN
@given(place=strategies.text(max_size=40) | strategies.builds("{}://{}".format, TEXTS, TEXTS))
def test_whatever_a_place_is_called_it_is_refused_in_a_sentence(job_store: JobStore, place: str) -> None:
    with pytest.raises(DuetError):
        list(find(place if "://" in place else f"nowhere/{place}"))


@OFTEN
@given(text=strategies.text(strategies.characters(exclude_categories=[]), max_size=40))
def test_whatever_is_asked_for_is_said_to_be_wrong_or_submitted(
    job_store: JobStore, tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("show")
    write_audio(folder, "a.mp3")
    with suppress(typer.Exit):
        options = job_options.read({"vocabulary": [text], "questions": [text]})
        assert len(in_time(lambda: submit_folder(folder, folder.with_name("out"), options))) == 1


class Odd:
    """A source such as nobody has foreseen."""

    name = "odd"

    def __getattr__(self, name: str) -> Any:
        raise ZeroDivisionError("an oddity")


def test_an_error_that_nobody_foresaw_is_one_rejection_and_its_traceback_is_in_the_log(
    job_store: JobStore, show: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    odd: Any = Odd()
    submitter = Submitter(str(tmp_path / "out"), job_store=job_store)
    batch = BatchStore(job_store.redis).create([str(show)], submitter.destination, {}).id
    found: list[Found] = [find_one(show / "a.mp3"), odd, find_one(show / "z.mp3")]

    count = in_time(BatchSubmission(found, submitter, batch).run)

    assert (count.new, count.rejected) == (2, 1)
    (rejected,) = Batch(batch).rejected
    assert rejected.reason == "odd cannot be used: ZeroDivisionError (an oddity); the log has the details."
    assert "Traceback" in caplog.text
    assert Batch(batch).record.is_submitted


def test_what_cannot_be_put_onto_the_queues_costs_nothing_else_of_its_page(
    job_store: JobStore, show: Path, tmp_path: Path
) -> None:
    class Fussy(Submitter):
        def enqueue(self, prepared: Any) -> Any:
            if any(it.source.endswith("m.mp3") for it in prepared):
                raise ZeroDivisionError
            return super().enqueue(prepared)

    write_audio(show, "m.mp3")
    submitter = Fussy(str(tmp_path / "out"), job_store=job_store)
    batch = BatchStore(job_store.redis).create([str(show)], submitter.destination, {}).id

    count = in_time(BatchSubmission(find(show), submitter, batch).run)

    assert (count.new, count.rejected) == (2, 1)
    assert names_of(Batch(batch)) == ["a.mp3", "z.mp3"]


def test_a_search_that_breaks_off_is_said_and_what_it_had_found_is_submitted(
    job_store: JobStore, show: Path, tmp_path: Path
) -> None:
    def searched() -> Iterator[Source]:
        yield find_one(show / "a.mp3")
        raise ZeroDivisionError

    submitter = Submitter(str(tmp_path / "out"), job_store=job_store)
    batch = BatchStore(job_store.redis).create([str(show)], submitter.destination, {}).id

    count = in_time(BatchSubmission(searched(), submitter, batch).run)

    assert (count.new, count.rejected) == (1, 1)
    assert Batch(batch).record.is_submitted


def test_what_ends_a_submission_in_the_background_is_raised_in_the_foreground(
    job_store: JobStore, show: Path, tmp_path: Path
) -> None:
    def fail(_: Submitted) -> None:
        raise ZeroDivisionError

    submitter = Submitter(str(tmp_path / "out"), job_store=job_store)
    batch = BatchStore(job_store.redis).create([str(show)], submitter.destination, {}).id
    background = Background(BatchSubmission(find(show), submitter, batch, on_progress=fail))

    def wait() -> None:
        while not background.is_over:
            time.sleep(0.01)

    with pytest.raises(UnexpectedError, match="ZeroDivisionError"):
        in_time(wait)
    assert Batch(batch).record.abandoned_at, "and nobody waits for more of its batch"


def test_a_batch_whose_client_is_gone_is_closed_by_the_clock(job_store: JobStore, show: Path, tmp_path: Path) -> None:
    # Given a client that says no more that it is there, and one that does
    batches = BatchStore(job_store.redis)
    lost = batches.create([str(show)], as_uri(tmp_path / "out"), {}).id
    job_store.redis.pexpire(f"duet:batch:{lost}:owner", 1)
    alive = batches.create([str(show)], as_uri(tmp_path / "out"), {}).id
    watch = BatchProgress(lost, job_store)
    watch.refresh()
    assert not watch.is_over

    # When its mark has run out and the clock looks
    deadline = time.monotonic() + PATIENCE_S
    while batches.close_abandoned() != [lost]:
        assert time.monotonic() < deadline
        time.sleep(0.05)

    # Then whoever waits for it goes on, and the other one is left alone
    assert watch.is_over
    assert Batch(lost).wait(timeout=PATIENCE_S).is_over
    assert Batch(lost).record.abandoned_at
    assert not Batch(alive).record.is_submitted


def test_following_a_batch_is_over_only_when_all_that_was_left_out_is_told(
    job_store: JobStore, show: Path, tmp_path: Path
) -> None:
    (show / "notes.txt").write_text("Notes.")
    (show / "empty.mp3").touch()
    batch = submit_folder(show, tmp_path / "out")
    end_jobs(job_store, [job.id for job in batch])
    watch = BatchProgress(batch.id, job_store)

    watch.refresh()
    assert not watch.is_over, "what is no episode was not told"
    assert [Path(it.source).name for it in watch.left_out()] == ["notes.txt"]

    assert watch.is_over
    assert (watch.sums.episodes, watch.sums.left_out.total()) == (3, 1)


def test_a_client_that_stood_still_and_goes_on_has_its_batch_open_again(job_store: JobStore, tmp_path: Path) -> None:
    batches = BatchStore(job_store.redis)
    batch = batches.create(["show"], as_uri(tmp_path), {}).id
    job_store.redis.delete(f"duet:batch:{batch}:owner")
    close_abandoned_batches()
    assert Batch(batch).record.abandoned_at

    batches.renew(batch)
    close_abandoned_batches()

    assert not Batch(batch).record.is_submitted
    assert not Batch(batch).record.abandoned_at


def test_a_batch_that_is_interrupted_is_waited_for_no_longer(job_store: JobStore, show: Path, tmp_path: Path) -> None:
    submitter = Submitter(str(tmp_path / "out"), job_store=job_store)
    batch = BatchStore(job_store.redis).create([str(show)], submitter.destination, {}).id
    background = Background(BatchSubmission(find(show), submitter, batch, in_flight=1))

    background.stop()

    assert Batch(batch).record.abandoned_at
    end_jobs(job_store, [job.id for job in Batch(batch)])
    assert Batch(batch).wait(timeout=PATIENCE_S).is_over


def test_an_odd_file_in_an_inbox_is_taken_and_stops_no_other(job_store: JobStore, show: Path, tmp_path: Path) -> None:
    odd = [put(show, name) for name in (LATIN_1, b"caf\xe8.mp3", b"m" * 251 + b".mp3")]
    (Path(os.fsdecode(os.fsencode(show) + b"/\xff"))).mkdir()
    odd.append(put(Path(os.fsdecode(os.fsencode(show) + b"/\xff")), b"below.mp3"))
    inbox = Inbox(str(show), str(tmp_path / "out"), job_store)

    assert inbox.scan(100.0, 10.0) == 0
    assert inbox.scan(120.0, 10.0) == 2 + len(odd)
    assert inbox.scan(140.0, 10.0) == 0

    specs = [record.spec for record in records(job_store)]
    assert {read_at(spec) for spec in specs} == {show / "a.mp3", show / "z.mp3", *odd}
    assert {spec.uri.rpartition("/")[0] for spec in specs} == {
        as_uri(tmp_path / "out"),
        f"{as_uri(tmp_path / 'out')}/%FF",
    }


def test_an_inbox_that_cannot_be_looked_into_stops_no_other(
    job_store: JobStore, show: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUET_INBOX", f"http://[bad,s3://,{show}")
    monkeypatch.setenv("DUET_INBOX_SETTLE_S", "0.001")
    monkeypatch.setenv("DUET_INBOX_TO", str(tmp_path / "out"))
    pipeline.settings.settings.cache_clear()

    scan_inboxes()
    scan_inboxes()

    assert sorted(Path(it.spec.episode.source).name for it in records(job_store)) == ["a.mp3", "z.mp3"]


def test_an_empty_destination_is_none(job_store: JobStore, show: Path) -> None:
    with pytest.raises(StorageError, match="is empty"):
        submit_folder(show, "")


def test_one_address_that_is_none_is_said(job_store: JobStore) -> None:
    with pytest.raises(AddressError):
        find_one("http://[bad")


def test_a_broker_that_is_away_ends_a_submission_and_is_no_rejection(
    job_store: JobStore, show: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitter = Submitter(str(tmp_path / "out"), job_store=job_store)
    batch = BatchStore(job_store.redis).create([str(show)], submitter.destination, {}).id
    monkeypatch.setattr(job_store, "get", lambda _: (_ for _ in ()).throw(BrokerError("It is away.")))

    with pytest.raises(BrokerError, match="It is away"):
        in_time(BatchSubmission(find(show), submitter, batch).run)
    assert not Batch(batch).rejected
