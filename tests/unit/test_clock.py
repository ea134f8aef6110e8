"""Times as people and captions write them."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clock import hms, iso, timestamp

HUNDRED_HOURS_S = 360_000


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0:00"),
        (9.4, "0:09"),
        (59.6, "1:00"),
        (123, "2:03"),
        (3599.4, "59:59"),
        (3599.6, "1:00:00"),
        (3723, "1:02:03"),
        (360_000, "100:00:00"),
    ],
)
def test_a_length_as_people_write_it(seconds: float, expected: str) -> None:
    assert hms(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "00:00:00.000"),
        (123.456, "00:02:03.456"),
        (59.9996, "00:01:00.000"),
        (3599.9999, "01:00:00.000"),
        (0.0004, "00:00:00.000"),
        (HUNDRED_HOURS_S, "100:00:00.000"),
    ],
)
def test_no_field_of_a_timestamp_overflows(seconds: float, expected: str) -> None:
    assert timestamp(seconds, ".") == expected


def test_the_decimal_mark_is_the_one_asked_for() -> None:
    assert timestamp(1.5, ",") == "00:00:01,500"


@settings(derandomize=True, deadline=None)
@given(st.floats(min_value=0, max_value=HUNDRED_HOURS_S - 1))
def test_a_timestamp_reads_back_to_half_a_millisecond(seconds: float) -> None:
    fields = re.fullmatch(r"(\d\d):([0-5]\d):([0-5]\d)\.(\d{3})", timestamp(seconds, "."))

    assert fields
    hours, minutes, whole, milliseconds = map(int, fields.groups())
    assert abs(hours * 3600 + minutes * 60 + whole + milliseconds / 1000 - seconds) < 0.000501


@settings(derandomize=True, deadline=None)
@given(st.floats(0, HUNDRED_HOURS_S - 1), st.floats(0, HUNDRED_HOURS_S - 1))
def test_timestamps_sort_as_their_times_do(one: float, other: float) -> None:
    earlier, later = sorted((one, other))

    assert timestamp(earlier, ".") <= timestamp(later, ".")


@pytest.mark.parametrize(
    ("epoch_s", "expected"),
    [(0, "1970-01-01T00:00:00.000+00:00"), (1_767_225_599.9994, "2025-12-31T23:59:59.999+00:00")],
)
def test_a_time_of_day_is_in_utc_to_the_millisecond(epoch_s: float, expected: str) -> None:
    assert iso(epoch_s) == expected
