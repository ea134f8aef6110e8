"""Shell completion of batches and episodes."""

from pipeline.errors import DuetError


def batch_ids(incomplete: str) -> list[str]:
    """Return the ids of batches with a prefix, newest first; empty if there is no broker."""
    from pipeline.state.batch_store import BatchStore

    try:
        return [it for it in reversed(["last", *BatchStore().ids()]) if it.startswith(incomplete)]
    except DuetError:
        return []


def episodes(incomplete: str) -> list[str]:
    """Return the names of episodes with a prefix in the default results folder."""
    from pipeline.client.library import PLACE, names

    try:
        return [name for name in names(PLACE) if name.startswith(incomplete)]
    except DuetError:
        return []
