from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from spark_lineage.errors import QueryError
from spark_lineage.query.moment import from_microseconds, microseconds, moment

NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
"""A Wednesday."""


def end_of(day: int, month: int = 3) -> datetime:
    return datetime(2026, month, day, 23, 59, 59, 999_999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", NOW),
        ("2026-03-01", end_of(1)),
        ("20260301", end_of(1)),
        ("2026-03-01T14:30", datetime(2026, 3, 1, 14, 30, tzinfo=UTC)),
        ("2026-03-01 14:30:05", datetime(2026, 3, 1, 14, 30, 5, tzinfo=UTC)),
        ("2026-03-01T14:30:00Z", datetime(2026, 3, 1, 14, 30, tzinfo=UTC)),
        ("2026-03-01 14:30+02:00", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("today", end_of(4)),
        ("Yesterday", end_of(3)),
        ("tuesday", end_of(3)),
        ("last Tuesday", end_of(3)),
        ("wednesday", end_of(25, 2)),
        ("90 minutes ago", NOW - timedelta(minutes=90)),
        ("1 hour ago", NOW - timedelta(hours=1)),
        ("2 days ago", NOW - timedelta(days=2)),
        ("3 weeks ago", NOW - timedelta(weeks=3)),
    ],
)
def test_a_time_is_read_as_people_write_it(text: str, meant: datetime) -> None:
    assert moment(text, NOW) == meant


def test_dates_and_times_of_python_are_taken() -> None:
    assert moment(None, NOW) == NOW
    assert moment(date(2026, 3, 1), NOW) == end_of(1)
    assert moment(datetime(2026, 3, 1, 8), NOW) == datetime(2026, 3, 1, 8, tzinfo=UTC)
    tokyo = timezone(timedelta(hours=9))
    assert moment(datetime(2026, 3, 1, 8, tzinfo=tokyo), NOW) == datetime(2026, 2, 28, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01", "2 fortnights ago", "01.03.2026", "9999999999999 days ago", "1000000 days ago"]
)
def test_anything_else_is_refused_with_the_forms_that_are_known(text: str) -> None:
    with pytest.raises(QueryError, match="2 hours ago"):
        moment(text, NOW)


def test_microseconds_are_exact() -> None:
    time = datetime(2026, 3, 1, 14, 30, 0, 123_457, tzinfo=UTC)
    assert from_microseconds(microseconds(time)) == time
