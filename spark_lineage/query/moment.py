"""Points in time as people write them.

Times without an offset are UTC, as all times in the lineage tables are. A day alone means the end of that day, so that
what ran in its course is in it.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from ..errors import QueryError

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
FORMS = (
    "2024-05-01, 2024-05-01T14:30, 2024-05-01 14:30:00+02:00, now, today, yesterday, tuesday (the last one), "
    "3 minutes ago, 2 hours ago, 5 days ago, 1 week ago"
)

_AGO = re.compile(r"(\d+)\s*(minute|hour|day|week)s?\s+ago")


def moment(value: str | date | datetime | None, now: datetime | None = None) -> datetime:
    """The point in time that `value` means; None is `now`. Raises `QueryError` for text of no known form."""
    now = now or datetime.now(UTC)
    if value is None:
        return now
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, date):
        return _end_of(value)
    if not isinstance(value, str):
        raise _not_understood(value)
    return _from_text(value.strip().lower(), value, now)


def beginning(value: str | date | datetime, now: datetime | None = None) -> datetime:
    """The same, where a day alone means its beginning: what ran since then. Raises `QueryError`."""
    found = moment(value, now)
    return datetime.combine(found.date(), time.min, tzinfo=UTC) if found.timetz().replace(tzinfo=None) == time.max else found


def microseconds(value: datetime) -> int:
    """Microseconds since the epoch, exactly."""
    return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def from_microseconds(value: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)


def _from_text(text: str, original: str, now: datetime) -> datetime:
    if text == "now":
        return now
    if text in ("today", "yesterday"):
        return _end_of(now.date() - timedelta(days=text == "yesterday"))
    weekday = text.removeprefix("last ")
    if weekday in WEEKDAYS:
        back = (now.weekday() - WEEKDAYS.index(weekday)) % 7 or 7
        return _end_of(now.date() - timedelta(days=back))
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(**{ago[2] + "s": int(ago[1])})
        if re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", text):
            return _end_of(date.fromisoformat(text))
        return _utc(datetime.fromisoformat(text.upper()))
    except (ValueError, OverflowError):
        raise _not_understood(original) from None


def _not_understood(value: object) -> QueryError:
    return QueryError(f"{value!r} is no point in time that is understood here; write it like one of: {FORMS}")


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time.max, tzinfo=UTC)
