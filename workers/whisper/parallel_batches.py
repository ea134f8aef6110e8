"""Batches side by side on a CPU: while one waits for memory, the other calculates."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice, pairwise
from typing import TypeVar

import torch

In = TypeVar("In")
Out = TypeVar("Out")

LANES = 2
"""Encoding is arithmetic, and a decoding step mostly reads memory: two of them at different points fill both."""


def lanes_of(device: torch.device) -> int:
    """Return how many batches a device works on at once."""
    return min(LANES, torch.get_num_threads()) if device.type == "cpu" else 1


def in_lanes(function: Callable[[In], Out], items: Iterable[In], lanes: int) -> Generator[Out]:
    """Yield the function's result for each item, in order; some are at work at once, each on its share of the cores.

    What the function raises is raised here. Closing it early waits for what is at work, and begins nothing more.
    """
    if lanes < 2:
        yield from map(function, items)
        return
    cores = torch.get_num_threads()

    def run(item: In) -> Out:
        torch.set_num_threads(cores // lanes)  # of this thread's products
        return function(item)

    pool = ThreadPoolExecutor(lanes, thread_name_prefix="lane")
    pending: deque[Future[Out]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(run, item))
            while pending and (len(pending) > lanes or pending[0].done()):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(cores)  # MKL has one number for all threads


def shared_out(items: Iterator[In], lanes: int, most: Callable[[], int]) -> Iterator[list[In]]:
    """Yield batches of at most `most()` items, so that the last ones are as long for every lane."""
    while group := list(islice(items, lanes * most())):
        count = min(lanes, len(group))
        bounds = [round(i * len(group) / count) for i in range(count + 1)]
        yield from (group[start:end] for start, end in pairwise(bounds))
