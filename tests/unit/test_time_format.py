"""Times as people and captions write them."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.types.time_format import hms, iso, timestamp

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
    ("milliseconds", "expected"),
    [
        (0, "00:00:00.000"),
        (123_456, "00:02:03.456"),
        (60_000, "00:01:00.000"),
        (3_600_000, "01:00:00.000"),
        (HUNDRED_HOURS_S * 1000, "100:00:00.000"),
    ],
)
def test_a_timestamp_as_captions_have_it(milliseconds: int, expected: str) -> None:
    assert timestamp(milliseconds, ".") == expected


def test_the_decimal_mark_is_the_one_asked_for() -> None:
    assert timestamp(1500, ",") == "00:00:01,500"


@settings(derandomize=True, deadline=None)
@given(st.integers(0, HUNDRED_HOURS_S * 1000 - 1))
def test_a_timestamp_reads_back_to_the_same_millisecond(milliseconds: int) -> None:
    fields = re.fullmatch(r"(\d\d):([0-5]\d):([0-5]\d)\.(\d{3})", timestamp(milliseconds, "."))

    assert fields
    hours, minutes, whole, rest = map(int, fields.groups())
    assert (hours * 3600 + minutes * 60 + whole) * 1000 + rest == milliseconds


@settings(derandomize=True, deadline=None)
@given(st.integers(0, HUNDRED_HOURS_S * 1000 - 1), st.integers(0, HUNDRED_HOURS_S * 1000 - 1))
def test_timestamps_sort_as_their_times_do(one: int, other: int) -> None:
    earlier, later = sorted((one, other))

    assert timestamp(earlier, ".") <= timestamp(later, ".")


@pytest.mark.parametrize(
    ("epoch_s", "expected"),
    [(0, "1970-01-01T00:00:00.000+00:00"), (1_767_225_599.9994, "2025-12-31T23:59:59.999+00:00")],
)
def test_a_time_of_day_is_in_utc_to_the_millisecond(epoch_s: float, expected: str) -> None:
    assert iso(epoch_s) == expected
