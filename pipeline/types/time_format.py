"""Formatting of times for display, captions and JSON."""

from datetime import UTC, datetime


def hms(seconds: float) -> str:
    """Return `1:02:03`, or `2:03` below an hour."""
    whole = round(seconds)
    minutes, s = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{s:02d}" if hours else f"{minutes}:{s:02d}"


def clock_time(seconds: float) -> str:
    """Return `01:02:03`."""
    return timestamp(round(seconds) * 1000, ".").partition(".")[0]


def timestamp(milliseconds: int, decimal_mark: str) -> str:
    """Return `00:02:03.456`."""
    hours, milliseconds = divmod(milliseconds, 3_600_000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    whole, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02d}:{minutes:02d}:{whole:02d}{decimal_mark}{milliseconds:03d}"


def iso(epoch_s: float) -> str:
    """Return a time in seconds since the epoch as ISO 8601 in UTC."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds")
