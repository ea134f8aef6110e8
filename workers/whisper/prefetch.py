"""Doing the next piece of work in a thread while the last one is used."""

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

T = TypeVar("T")


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterator[T], size: int) -> Generator[T]:
    """Yield the items of an iterator that runs in a thread, at most `size` of them ahead.

    What the iterator raises is raised here, after the items before it. Leaving off early ends the
    thread.
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
        except BaseException as error:  # raised again where the items are used
            put(_End(error))
        else:
            put(_End(None))

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        thread.join()
