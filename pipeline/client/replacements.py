"""Replacement rules of a destination, for the new episodes of its shows."""

from collections.abc import Callable, Iterable, Sequence

from pipeline.errors import MessageError
from pipeline.results.corrections.files import REPLACEMENTS, read_rules
from pipeline.state.job_store import JobStore
from pipeline.state.redis import readable_errors
from pipeline.storage import open_storage
from pipeline.storage.allowed_roots import check_destination
from pipeline.types.corrections import MOST_RULES, Rule, Rules

LOCK_S = 60.0
"""Seconds after which the lock on the rules is taken to be a dead process's."""


def add_rules(place: str, rules: Sequence[Rule], job_store: JobStore) -> tuple[Rule, ...]:
    """Add rules to a destination, by its URI, and return all; a rule replaces that for the same words and show.

    Raises:
        BrokerError: the broker does not answer.
        MessageError: there would be too many.
        StorageError, TransientError: storage rejects the request, or cannot answer at the moment.
    """
    new = {it.key for it in rules}
    return _change(place, job_store, lambda before: (*(it for it in before if it.key not in new), *rules))


def remove_rules(place: str, show: str, words: Iterable[str], job_store: JobStore) -> tuple[Rule, ...]:
    """Remove the rules for some words of a show, and return those that are left.

    Raises:
        MessageError: there is no such rule.
        BrokerError, StorageError, TransientError: as for `add_rules`.
    """
    gone = {Rule(show=show, was=it, becomes="").key for it in words}

    def without(before: tuple[Rule, ...]) -> tuple[Rule, ...]:
        if missing := gone - {it.key for it in before}:
            raise MessageError(f"There is no rule for {min(missing)[1]!r} {_for(show)} in {place}.")
        return tuple(it for it in before if it.key not in gone)

    return _change(place, job_store, without)


def set_rules(place: str, rules: Sequence[Rule], job_store: JobStore) -> tuple[Rule, ...]:
    """Set all rules of a destination, by its URI, and return them; of several for the same words, the last counts.

    Raises:
        BrokerError, MessageError, StorageError, TransientError: as for `add_rules`.
    """
    return _change(place, job_store, lambda _: tuple({it.key: it for it in rules}.values()))


def _change(
    place: str, job_store: JobStore, change: Callable[[tuple[Rule, ...]], tuple[Rule, ...]]
) -> tuple[Rule, ...]:
    check_destination(place)
    with readable_errors(), job_store.redis.lock(f"duet:replacements:{place}", timeout=LOCK_S):
        rules = change(read_rules(place))
        if len(rules) > MOST_RULES:
            raise MessageError(f"There are at most {MOST_RULES:,} rules; remove some of those in {place}.")
        open_storage(place).put(REPLACEMENTS, Rules(rules=rules).to_json())
    return rules


def _for(show: str) -> str:
    return f"for {show!r}" if show else "for all shows"
