"""Names of files in a folder and in an inbox, any bytes that a file system takes; no worker is needed."""

import os
from contextlib import ExitStack
from pathlib import Path

from pipeline import submit_folder
from pipeline.client.inbox import Inbox
from pipeline.state.job_store import JobStore
from pipeline.types import JobSpec
from tasks.base.audio_file import local_audio
from tests.batches import ID3, own_settings, records
from tests.services import start_valkey
from tests.wild.case import Case

CASES = (
    Case("name", "not UTF-8", b"Caf\xe9.ogg", "taken as 'Caf\N{REPLACEMENT CHARACTER}.ogg', results in 'caf-"),
    Case("name", "no letter at all", b"\xff\xfe.mp3", "taken as"),
    Case("name", "255 bytes", b"m" * 251 + b".mp3", "taken as 'mmm"),
    Case("name", "84 Chinese characters", "播".encode() * 83 + b".mp3", "taken as '播播"),
    Case("name", "marks of addresses", b"Show #1 100% [live]? a=b&c.mp3", "taken as 'Show #1 100% [live]? a=b&c.mp3'"),
    Case("name", "looks quoted", b"a%20b.mp3", "taken as 'a%20b.mp3'"),
    Case("name", "marks that Windows refuses", rb'a:b*c"d<e>f|g\h.mp3', "taken as 'a:b*c\"d<e>f|g\\\\h.mp3'"),
    Case("name", "reserved on Windows", b"CON.mp3", "results in 'con-"),
    Case("name", "dots and blanks at the end", b"episode . .mp3", "taken as 'episode . .mp3'"),
    Case("name", "emoji", "🎙️ Folge 7 👩‍👩‍👧.mp3".encode(), "taken as '🎙️ Folge 7 "),
    Case("name", "right to left", "\u202eחדשות.mp3".encode(), "taken as"),
    Case("name", "accent as a mark of its own", "Cafe\u0301.mp3".encode(), "results in 'cafe-"),
    Case("name", "line break", b"one\ntwo.mp3", "taken as 'one\\ntwo.mp3'"),
    Case("name", "dash first", b"--force.mp3", "taken as '--force.mp3'"),
    Case("name", "an address", b"https:__x.org_?a=1#b.mp3", "taken as 'https:__x.org_?a=1#b.mp3'"),
    Case("folder", "marks of addresses", b"Show #1?/ep.mp3", "taken as 'ep.mp3'"),
    Case("folder", "not UTF-8", b"Caf\xe9/ep.mp3", "taken as 'ep.mp3'"),
)


def answers(cases: tuple[Case, ...], folder: Path) -> dict[Case, str]:
    """Put all files into one folder, which is first submitted and then watched as an inbox."""
    place = folder / "Shows #1 50%"
    place.mkdir()
    for case in cases:
        path = Path(os.fsdecode(os.path.join(os.fsencode(place), case.input)))  # noqa: PTH118  # of bytes
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(ID3 + case.input)
    with ExitStack() as stack:
        url = stack.enter_context(start_valkey(folder))
        stack.enter_context(own_settings(url, folder / "cache"))
        store = JobStore()
        submit_folder(place, folder / "Results #1")
        submitted = _answers(cases, store)
        store.redis.flushdb()
        inbox = Inbox(str(place), str(folder / "Results #2"), store)
        inbox.scan(0.0, 0.0)
        inbox.scan(1.0, 0.0)
        watched = _answers(cases, store)
    return {it: submitted[it] if submitted[it] == watched[it] else f"{submitted[it]}; {watched[it]}" for it in cases}


def _answers(cases: tuple[Case, ...], store: JobStore) -> dict[Case, str]:
    """Return the answer to each case; the worker finds a job's audio by its own bytes."""
    by_content = {_heard(record.spec): record.spec for record in records(store)}
    return {case: _answer(by_content.get(ID3 + case.input)) for case in cases}


def _heard(spec: JobSpec) -> bytes:
    with local_audio(spec) as path:
        return path.read_bytes()


def _answer(spec: JobSpec | None) -> str:
    if spec is None:
        return "not taken"
    name = spec.episode.source.rpartition("/")[2]
    return f"taken as {name!r}, results in {spec.uri.rpartition('/')[2]!r}"
