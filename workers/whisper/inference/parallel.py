"""Parallelism within an engine: prefetch, parallel batches, and one window per core."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice, pairwise
from typing import TypeVar

import torch

from workers.memory.activations import batches_at_once

T = TypeVar("T")
In = TypeVar("In")
Out = TypeVar("Out")


def parallel_batches_of(device: torch.device) -> int:
    """Return the number of parallel batches on a device."""
    return min(batches_at_once(device.type), torch.get_num_threads())


def run_parallel(function: Callable[[In], Out], items: Iterable[In], parallel: int) -> Generator[Out]:
    """Yield the function's result for each item, in order; `parallel` calls run at once and share the cores.

    Exceptions of the function are raised here. Closing the generator waits for running calls and starts no more.
    """
    if parallel < 2:
        yield from map(function, items)
        return
    cores = torch.get_num_threads()

    def run(item: In) -> Out:
        torch.set_num_threads(cores // parallel)  # of this thread's products
        return function(item)

    pool = ThreadPoolExecutor(parallel, thread_name_prefix="batch")
    pending: deque[Future[Out]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(run, item))
            while pending and (len(pending) > parallel or pending[0].done()):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(cores)  # MKL has one number for all threads


def split_evenly(items: Iterator[In], parallel: int, most: Callable[[], int]) -> Iterator[list[In]]:
    """Yield batches of at most `most()` items; the last items are split evenly among the parallel batches."""
    while group := list(islice(items, parallel * most())):
        count = min(parallel, len(group))
        bounds = [round(i * len(group) / count) for i in range(count + 1)]
        yield from (group[start:end] for start, end in pairwise(bounds))


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(items: Iterator[T], size: int) -> Generator[T]:
    """Yield the items of an iterator that runs in a thread, at most `size` items ahead.

    Exceptions of the iterator are raised here, after the items before them. Closing the generator ends the thread.
    """
    waiting: queue.Queue[T | _End] = queue.Queue(size)
    stopped = threading.Event()

    def put(item: T | _End) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as error:  # raised again in the consumer
            put(_End(error))
        else:
            put(_End(None))

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        thread.join()


def map_parallel(function: Callable[[In], Out], items: Sequence[In]) -> list[Out]:
    """Return the function's result for each item, in order.

    A product that is shared among cores waits for the slowest core in every layer. One window per core waits once.
    """
    cores = torch.get_num_threads()
    threads = min(cores, len(items))
    if threads < 2:
        return [function(item) for item in items]

    def run(item: In) -> Out:
        torch.set_num_threads(cores // threads)  # of this thread's products
        with torch.inference_mode():
            return function(item)

    try:
        with ThreadPoolExecutor(threads, thread_name_prefix="window") as pool:
            return list(pool.map(run, items))
    finally:
        torch.set_num_threads(cores)  # MKL has one number for all threads
