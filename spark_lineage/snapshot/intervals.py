"""Durations as Delta's table properties have them: `interval 1 week`, `30 days`, `interval 1 day 12 hours`."""

from __future__ import annotations

import re
from datetime import timedelta

from ..errors import SnapshotError

_UNITS = {
    "week": timedelta(weeks=1), "day": timedelta(days=1), "hour": timedelta(hours=1), "minute": timedelta(minutes=1),
    "second": timedelta(seconds=1), "millisecond": timedelta(milliseconds=1), "microsecond": timedelta(microseconds=1),
}  # fmt: skip
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+?)s?(?=\s|\d|$)\s*")


def duration(text: str) -> timedelta:
    """What Spark takes it for. Raises SnapshotError for what it would refuse too: months and years, which have no fixed length."""
    rest = text.strip().lower().removeprefix("interval").strip()
    total, at = timedelta(0), 0
    while at < len(rest):
        part = _PART.match(rest, at)
        if part is None or part[2] not in _UNITS:
            break
        total += float(part[1]) * _UNITS[part[2]]
        at = part.end()
    if at < len(rest) or not rest:
        raise SnapshotError(f"{text!r} is no duration of a Delta table: set the property to something like 'interval 30 days'")
    return total


def interval(days: int) -> str:
    """As Spark and delta-rs both read it."""
    return f"interval {days} days"
