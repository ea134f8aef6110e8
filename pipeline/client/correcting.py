"""Corrections that a reader makes to an episode that has ended: words, and titles of chapters."""

import secrets
import time
from collections.abc import Sequence

from pipeline.client.published_results import PublishedResult, open_published, read_published
from pipeline.client.replacements import add_rules
from pipeline.errors import ChangedMeanwhileError, MessageError, UnknownCorrectionError
from pipeline.results.corrections.corrector import Corrected, Corrector, corrected
from pipeline.results.corrections.files import read_corrections, root_of, write_corrections
from pipeline.state.job_store import JobStore
from pipeline.storage import Storage
from pipeline.types import JobSpec
from pipeline.types.corrections import MOST_CHANGES, MOST_CORRECTIONS, MOST_RULE, Change, Correction, Rule
from pipeline.types.time_format import hms, iso

EXACT_S = 0.06
"""Accuracy in seconds of the times that players and people write."""


def corrections_of(storage: Storage, spec: JobSpec | None = None) -> list[Correction]:
    """Return the corrections of an episode's public result, in the order in which they are applied.

    Raises:
        JobFailedError: there is no readable result, or another job's.
        StorageError: the file of corrections is damaged.
    """
    read_published(storage, spec)
    return _shown(read_corrections(storage))


def correct(
    uri: str, changes: Sequence[Change], job_store: JobStore, spec: JobSpec | None = None, by: str = ""
) -> list[Correction]:
    """Change the text of an episode, write its files again, and return all of its corrections.

    All of the changes are made, or none.

    Args:
        uri: URI of the episode's folder.
        changes: the changes, each of the text as those before it leave it.
        job_store: the job store.
        spec: the job whose result it must be; None: any.
        by: name of the person who asks for them.

    Raises:
        BrokerError: the broker does not answer.
        ChangedMeanwhileError: the text at the time of a change is another.
        JobAtWorkError: the job has not ended, or another writes to the folder.
        JobFailedError: the folder has no readable result, or another job's.
        MessageError: there are no changes or too many, or one of them is invalid.
        StorageError, TransientError: storage rejects the request, or cannot answer at the moment.
    """
    _check(changes)
    with open_published(uri, job_store, spec) as published:
        before = read_corrections(published.storage)
        if len(before) + len(changes) > MOST_CORRECTIONS:
            raise MessageError(f"{uri} has {len(before):,} corrections, and {MOST_CORRECTIONS:,} are the most.")
        corrector = Corrector(published.result)
        corrector.take(before)
        for change in changes:
            if not corrector.apply(change, EXACT_S):
                raise ChangedMeanwhileError(_why_not(change, corrector.text_at(change)))
            corrector.note(_made(change, by))
        rules = [Rule(show=published.result.show, was=it.was, becomes=it.becomes, by=by) for it in changes if it.always]
        corrector.follow(rules)
        if rules:
            add_rules(root_of(uri), rules, job_store)
        return _write(published, corrector.finish())


def undo(uri: str, correction: str, job_store: JobStore, spec: JobSpec | None = None) -> list[Correction]:
    """Take back one correction of an episode, write its files again, and return the corrections that are left.

    Args:
        uri: URI of the episode's folder.
        correction: its id.
        job_store: the job store.
        spec: the job whose result it must be; None: any.

    Raises:
        ChangedMeanwhileError: a later correction is of the text that this one wrote.
        UnknownCorrectionError: there is no such correction.
        BrokerError, JobAtWorkError, JobFailedError, StorageError, TransientError: as for `correct`.
    """
    with open_published(uri, job_store, spec) as published:
        before = read_corrections(published.storage)
        gone = next((it for it in _shown(before) if it.id == correction), None)
        if gone is None:
            raise UnknownCorrectionError(f"There is no correction {correction!r} of {uri}; it may have been undone.")
        # A rule would change the same words again when the episode is processed again.
        mark = (gone.model_copy(update={"undone": True, "applied": False}),) if gone.rule else ()
        done = corrected(published.result, (*mark, *(it for it in before if it is not gone)))
        held = {it.id for it in before if it.applied}
        for it in done.corrections:
            if it.id in held and it is not gone and not it.applied and not it.undone:
                raise ChangedMeanwhileError(
                    f"Correction {it.id} at {hms(it.start_s)} ({it.was!r} to {it.becomes!r}) changes what this one "
                    "wrote; undo that one first."
                )
        return _write(published, done)


def _write(published: PublishedResult, done: Corrected) -> list[Correction]:
    published.check_held()
    write_corrections(done.corrections, published.storage)
    published.replace(done.result)
    return _shown(done.corrections)


def _shown(corrections: Sequence[Correction]) -> list[Correction]:
    return [it for it in corrections if not it.undone]


def _made(change: Change, by: str) -> Correction:
    fields = change.model_dump(exclude={"always"})
    return Correction(**fields, id=secrets.token_hex(6), by=by, at=iso(time.time()))


def _check(changes: Sequence[Change]) -> None:
    if not changes:
        raise MessageError("Give at least one change.")
    if len(changes) > MOST_CHANGES:
        raise MessageError(f"At most {MOST_CHANGES:,} changes can be made at once, and these are {len(changes):,}.")
    for it in changes:
        if it.kind == "chapter" and not it.becomes:
            raise MessageError(f"The chapter at {hms(it.start_s)} needs a title.")
        if it.always and (it.kind != "words" or max(len(it.was), len(it.becomes)) > MOST_RULE):
            raise MessageError(
                f"Only words, at most {MOST_RULE} characters of them, can be replaced always; "
                f"the change at {hms(it.start_s)} is another one."
            )


def _why_not(change: Change, present: str) -> str:
    what = "chapter" if change.kind == "chapter" else "text"
    if " ".join(present.split()) == " ".join(change.was.split()):
        return f"The {what} {change.was!r} does not begin at {change.start_s:.2f} s; load the episode and correct that."
    now = f"is {present!r} now" if present else "is not there"
    return f"The {what} at {hms(change.start_s)} {now}, not {change.was!r}; load the episode and correct that."
