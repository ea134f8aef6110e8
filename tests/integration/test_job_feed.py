"""The feed of job changes that server-sent events are made of."""

import asyncio
from contextlib import suppress
from typing import Any

from pipeline.http.job_feed import JobFeed
from pipeline.state.job_store import JobStore


def test_a_subscriber_that_goes_away_leaves_nothing_behind(job_store: JobStore) -> None:
    async def follow_and_go() -> set[asyncio.Task[Any]]:
        # Given a subscriber that waits for the next change
        records = JobFeed().follow_all(None)
        waiting = asyncio.ensure_future(anext(records))
        while len(asyncio.all_tasks()) < 4:  # this one, the subscriber, what wakes it, and the feed
            await asyncio.sleep(0)

        # When it goes away
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        await records.aclose()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        return (await asyncio.wait(left, timeout=10))[1] if left else set()

    assert asyncio.run(follow_and_go()) == set()
