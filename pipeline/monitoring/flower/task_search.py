"""The order and search of Flower's tasks: a job's legs beside their merge, all of an episode at a click."""

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote

from flower.utils.search import SearchPage, TaskSearchEngine

_NAME = re.compile(r"name:\w+ · (.+)", re.DOTALL)
"""The search behind a task's name, which `format_task` has made."""
_LENGTH = re.compile(r" · [\d:]+$")


class JobSearch(TaskSearchEngine):  # type: ignore[misc]  # flower has no types
    """Flower's search; sorted by time, the tasks of a job stay together, at the time of the last one."""

    def search(
        self,
        tasks: Any,
        query: str = "",
        *,
        sort_by: str | None = None,
        descending: bool = False,
        offset: int = 0,
        limit: int | None = None,
        **filters: Any,
    ) -> SearchPage:
        """Return one page of the tasks that fit, as Flower's own search does."""
        query = siblings(query)
        if sort_by != "received":
            own = {"sort_by": sort_by, "descending": descending, "offset": offset, "limit": limit}
            return super().search(tasks, query, **own, **filters)
        page = super().search(tasks, query, **filters)
        known = getattr(tasks, "data", tasks)
        ids = by_job({it: known[it].received or 0.0 for it in page.task_ids if it in known}, descending)
        first = max(offset, 0)
        shown = islice(ids, first, None if limit is None else first + max(limit, 0))
        return SearchPage(list(shown), page.filtered_count, page.total_count)


def by_job(received: dict[str, float], descending: bool) -> Iterator[str]:
    """Yield task ids by the last arrival among the tasks of each job, then by their own arrival."""
    jobs: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    for task, at in received.items():
        jobs[task.partition(".")[0]].append((at, task))
    for _, job in sorted(((max(own)[0], job) for job, own in jobs.items()), reverse=descending):
        yield from (task for _, task in sorted(jobs[job], reverse=descending))


def siblings(query: str) -> str:
    """Return the search for all tasks of an episode if a query is a name that `format_task` has made."""
    found = _NAME.fullmatch(query.strip())
    if not found:
        return query
    title = _LENGTH.sub("", found[1])
    terms = [it.replace("\\", "\\\\").replace('"', '\\"') for it in dict.fromkeys((title, quote(title)))]
    return " OR ".join(f'"args:{it}"' for it in terms)
