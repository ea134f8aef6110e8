"""Several windows at once on a CPU, each on cores of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

In = TypeVar("In")
Out = TypeVar("Out")


def side_by_side(function: Callable[[In], Out], items: Sequence[In]) -> list[Out]:
    """Return the function's results for each item, in order.

    A product shared among cores waits for the slowest of them, layer after layer; a window to each core
    waits once.
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
