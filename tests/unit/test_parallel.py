"""Batches side by side: in order, evenly shared, and over when something is raised."""

import threading
from collections.abc import Iterator

import pytest
import torch

from workers.whisper.inference.parallel import parallel_batches_of, run_parallel, split_evenly

TIMEOUT_S = 30.0


@pytest.fixture(autouse=True)
def cores() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_two_are_at_work_at_once_and_results_come_in_order() -> None:
    # Given work whose first piece ends only when the second has begun
    second = threading.Event()

    def work(item: int) -> tuple[int, int]:
        if item == 1:
            second.set()
        assert second.wait(TIMEOUT_S)
        return item, torch.get_num_threads()

    # Then both were there at once, each on half of the cores
    assert list(run_parallel(work, range(5), 2)) == [(item, 1) for item in range(5)]
    assert torch.get_num_threads() == 2


def test_what_is_done_is_given_away_before_more_comes() -> None:
    given: list[int] = []

    def items() -> Iterator[int]:
        for item in range(6):
            assert item - len(given) <= 3, "more is waiting than two at work and one behind them"
            yield item

    for result in run_parallel(lambda item: item, items(), 2):
        given.append(result)
    assert given == list(range(6))


@pytest.mark.parametrize("lanes", [1, 2])
def test_an_error_is_raised_where_the_results_are_used_and_nothing_more_is_begun(lanes: int) -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 1:
            raise ValueError("broken")
        return item

    results = run_parallel(work, range(100), lanes)

    assert next(results) == 0
    with pytest.raises(ValueError, match="broken"):
        next(results)
    assert len(begun) <= 1 + 2 * lanes
    assert torch.get_num_threads() == 2


def test_leaving_off_early_leaves_no_thread_behind() -> None:
    results = run_parallel(lambda item: item, range(100), 2)
    next(results)
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane")]


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(0, []), (1, [1]), (5, [2, 3]), (16, [8, 8]), (17, [8, 8, 1]), (20, [8, 8, 2, 2])],
)
def test_the_last_batches_are_as_long_for_every_lane(count: int, sizes: list[int]) -> None:
    batches = list(split_evenly(iter(range(count)), 2, lambda: 8))
    assert [len(batch) for batch in batches] == sizes
    assert [item for batch in batches for item in batch] == list(range(count))


def test_one_device_of_its_own_does_one_batch_at_a_time() -> None:
    assert parallel_batches_of(torch.device("cuda")) == 1
    assert parallel_batches_of(torch.device("mps")) == 1
    assert parallel_batches_of(torch.device("cpu")) == 2
    torch.set_num_threads(1)
    assert parallel_batches_of(torch.device("cpu")) == 1
