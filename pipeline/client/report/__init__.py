"""The report of a batch, `batch.html` and `batch.json`, with the failures first.

The page is a single file that works offline; its links are relative to the episodes' folders beside it.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from pipeline.client.episode_row import EpisodeRow
from pipeline.client.report.about import About, read_about
from pipeline.client.report.page import render
from pipeline.client.report.totals import missed, totals
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JobStore
from pipeline.storage import open_storage
from pipeline.types import JobState
from pipeline.types.batch_record import BatchRecord
from pipeline.types.report import BatchReport, LeftOut, ReportedEpisode
from pipeline.types.time_format import iso

THREADS = 8
JSON_NAME, HTML_NAME = "batch.json", "batch.html"
WORST_FIRST = (
    JobState.FAILED,
    JobState.CANCELLED,
    JobState.SUBMITTED,
    JobState.RUNNING,
    JobState.TRANSCRIBED,
    JobState.PARTIAL,
    JobState.COMPLETED,
)


def write_report(batch: str, job_store: JobStore) -> str:
    """Write both files to the batch's destination, replacing those of earlier batches; return the page's URI.

    Raises:
        StorageError, TransientError: the destination rejects the request, or cannot answer at the moment.
        BrokerError: the broker does not answer.
    """
    batches = BatchStore(job_store.redis)
    record = batches.get(batch)
    rows = sorted(_rows(batches, record, job_store), key=lambda row: (WORST_FIRST.index(row.state), row.name))
    with ThreadPoolExecutor(THREADS) as threads:
        abouts = list(threads.map(read_about, rows))
    report = _report(batches, record, rows, abouts)
    storage = open_storage(record.destination)
    storage.put(JSON_NAME, report.to_json())
    storage.put(HTML_NAME, render(report, rows, abouts, storage.uri).encode())
    return f"{storage.uri}/{HTML_NAME}"


def _rows(batches: BatchStore, record: BatchRecord, job_store: JobStore) -> Iterator[EpisodeRow]:
    yield from (EpisodeRow.of_rejected(it) for it in batches.rejected(record.id))
    entries = list(batches.entries(record.id))
    known = job_store.get_many(entry.job for entry in entries)
    yield from (EpisodeRow(entry.source, entry, it) for entry, it in zip(entries, known, strict=True))


def _report(
    batches: BatchStore, record: BatchRecord, rows: Sequence[EpisodeRow], abouts: Sequence[About]
) -> BatchReport:
    ended_at = max((row.record.ended_at for row in rows if row.record and row.record.ended_at), default=time.time())
    return BatchReport(
        batch=record.id,
        created_at=iso(record.created_at),
        written_at=iso(time.time()),
        places=record.places,
        destination=record.destination,
        options=record.options,
        states=dict(Counter(row.state for row in rows)),
        totals=totals(rows, (it.words for it in abouts), max(0.0, ended_at - record.created_at)),
        missed=tuple(missed(rows)),
        episodes=tuple(reported_episode(row, it) for row, it in zip(rows, abouts, strict=True)),
        skipped=tuple(LeftOut(source=it.source, reason=it.reason) for it in batches.skipped(record.id)),
    )


def reported_episode(row: EpisodeRow, about: About) -> ReportedEpisode:
    """Return a row of `batch.json`."""
    published = row.record.spec.episode.publication if row.record else None
    return ReportedEpisode.model_validate(
        row.to_json()
        | {
            "show": row.record.show if row.record else "",
            "published_at": published.published_at if published else None,
            "summary": about.summary,
            "topics": about.topics,
            "words": about.words,
        }
    )
