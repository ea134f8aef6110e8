"""The diarization error rate on cases worked out by hand."""

import pytest

from tests.diarization_error import Turn, diarization_error

REFERENCE: list[Turn] = [("a", 0.0, 10.0), ("b", 10.0, 20.0)]


@pytest.mark.parametrize(
    ("found", "missed", "false_alarm", "confusion"),
    [
        ([("x", 10.0, 20.0), ("y", 0.0, 10.0)], 0.0, 0.0, 0.0),  # names do not matter
        ([("x", 0.0, 20.0)], 0.0, 0.0, 0.5),
        ([("x", 0.0, 10.0)], 0.5, 0.0, 0.0),
        ([("x", 0.0, 10.0), ("y", 10.0, 25.0)], 0.0, 0.25, 0.0),
        ([("x", 0.0, 12.0), ("y", 12.0, 20.0)], 0.0, 0.0, 0.1),
        ([("x", 0.0, 10.0), ("y", 10.0, 20.0), ("z", 0.0, 5.0)], 0.0, 0.25, 0.0),
        ([], 1.0, 0.0, 0.0),
    ],
)
def test_errors_without_a_collar(found: list[Turn], missed: float, false_alarm: float, confusion: float) -> None:
    # When
    error = diarization_error(REFERENCE, found, collar_s=0.0)

    # Then
    assert error.missed == pytest.approx(missed, abs=1e-3)
    assert error.false_alarm == pytest.approx(false_alarm, abs=1e-3)
    assert error.confusion == pytest.approx(confusion, abs=1e-3)


def test_a_boundary_within_the_collar_is_no_error() -> None:
    assert diarization_error(REFERENCE, [("x", 0.0, 10.2), ("y", 10.2, 20.0)]).rate == 0.0


def test_two_at_once_count_twice() -> None:
    # Given: 10 s of one, of which 5 s with another, of whom nothing is found
    reference = [("a", 0.0, 10.0), ("b", 0.0, 5.0)]

    # Then
    assert diarization_error(reference, [("x", 0.0, 10.0)], collar_s=0.0).missed == pytest.approx(1 / 3, abs=1e-3)
