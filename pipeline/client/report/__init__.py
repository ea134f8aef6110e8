"""The report of a batch, `batch.html` and `batch.json`, with the failures first.

The page is a single file that works offline; its links are relative to the episodes' folders beside it.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from string import Template

from pipeline.client.episode_row import EpisodeRow
from pipeline.client.report.page import counts, plot_points, table_row
from pipeline.client.report.plot import Plot
from pipeline.errors import DuetError
from pipeline.state.batch_store import BatchStore
from pipeline.state.job_store import JobStore
from pipeline.storage import open_storage
from pipeline.types import JobState
from pipeline.types.batch_record import BatchRecord
from pipeline.types.report import BatchReport, LeftOut, ReportedEpisode
from pipeline.types.time_format import hms, iso

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
    storage = open_storage(record.destination)
    storage.put(JSON_NAME, _json(batches, record, rows))
    storage.put(HTML_NAME, _html(batches, record, rows).encode())
    return f"{storage.uri}/{HTML_NAME}"


def _rows(batches: BatchStore, record: BatchRecord, job_store: JobStore) -> Iterator[EpisodeRow]:
    yield from (EpisodeRow.of_rejected(it) for it in batches.rejected(record.id))
    entries = list(batches.entries(record.id))
    known = job_store.get_many(entry.job for entry in entries)
    yield from (EpisodeRow(entry.source, entry, it) for entry, it in zip(entries, known, strict=True))


def _json(batches: BatchStore, record: BatchRecord, rows: list[EpisodeRow]) -> bytes:
    return BatchReport(
        batch=record.id,
        created_at=iso(record.created_at),
        written_at=iso(time.time()),
        places=record.places,
        destination=record.destination,
        options=record.options,
        states={JobState(state): count for state, count in counts(rows).items()},
        episodes=tuple(ReportedEpisode.model_validate(row.to_json()) for row in rows),
        skipped=tuple(LeftOut(source=it.source, reason=it.reason) for it in batches.skipped(record.id)),
    ).to_json()


def _html(batches: BatchStore, record: BatchRecord, rows: list[EpisodeRow]) -> str:
    with ThreadPoolExecutor(THREADS) as threads:
        there = threads.map(_files, rows)
        table = "\n".join(table_row(row, record.destination, own) for row, own in zip(rows, there, strict=True))
    audio_s = sum(row.audio_s or 0.0 for row in rows)
    ended_at = max((row.record.ended_at for row in rows if row.record and row.record.ended_at), default=time.time())
    parts = {
        "style": files(__name__).joinpath("report.css").read_text(encoding="utf-8"),
        "batch": record.id,
        "episodes": f"{len(rows):,}",
        "audio": hms(audio_s),
        "took": hms(max(0.0, ended_at - record.created_at)),
        "when": iso(record.created_at)[:16].replace("T", " "),
        "counts": "".join(f'<li class="{name}"><b>{count:,}</b> {name}</li>' for name, count in counts(rows).items()),
        "skipped": f"{batches.count(record.id, 'skipped'):,}",
        "plot": Plot(plot_points(rows)).svg(),
        "rows": table,
    }
    return Template(files(__name__).joinpath("report.html").read_text(encoding="utf-8")).substitute(parts)


def _files(row: EpisodeRow) -> frozenset[str]:
    """Return the names of the files in an episode's folder; empty if it cannot be listed."""
    try:
        return frozenset(open_storage(row.uri).list()) if row.uri else frozenset()
    except DuetError:
        return frozenset()
