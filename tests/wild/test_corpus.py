"""Each case of the corpus through its door."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tests.wild.case import MOST_BYTES, Case, Door
from tests.wild.doors import DOORS

Answers = Callable[[Door], dict[Case, str]]


def _parameters() -> list[Any]:
    """Return each case with its door; those of one door run in one process, which sends them in together."""
    return [
        pytest.param(
            door, case, id=f"{door.name}-{case.given[:60]}", marks=pytest.mark.xdist_group(f"wild-{door.name}")
        )
        for door in DOORS
        for case in door.cases
    ]


@pytest.fixture(scope="session")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Return the answers to all cases of a door, which are sent in when the first of them is asked for."""
    return cache(lambda door: door.answers(door.cases, tmp_path_factory.mktemp(door.name)))


@pytest.mark.parametrize(("door", "case"), _parameters())
def test_what_is_sent_in_has_the_answer_of_the_table(answers: Answers, door: Door, case: Case) -> None:
    assert case.answer in answers(door)[case]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_cases_have_names_of_their_own_and_files_are_small(door: Door) -> None:
    assert len({str(case) for case in door.cases}) == len(door.cases)
    sizes = {case.given: len(content) for case in door.cases if isinstance(content := case.content, bytes)}
    assert {name for name, size in sizes.items() if size > MOST_BYTES} == set()
