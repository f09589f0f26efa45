"""Values of Arrow as Python has them, and what Python does not have: dates and times before year 1 and after 9999."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097
"""After which the Gregorian calendar repeats itself."""
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_EPOCH = date(1970, 1, 1)


def python_value(value: pa.Scalar, separator: str = "T") -> Any:
    """As `as_py` has it; a date or a time that Python does not have, also within nested values, is a text of ISO 8601 with the sign
    of the year, as Spark writes it. An instant is in UTC."""
    try:
        return value.as_py()
    except OverflowError:
        pass
    if isinstance(value, pa.StructScalar):
        return {name: python_value(part) for name, part in value.items()}
    if isinstance(value, pa.MapScalar):
        return [(python_value(entry["key"]), python_value(entry["value"])) for entry in value.values]
    if isinstance(value, (pa.DictionaryScalar, pa.ExtensionScalar)):
        return python_value(value.value, separator)
    if pat.is_date(value.type):
        return _date(value.value if pat.is_date32(value.type) else value.value // 86_400_000)
    if pat.is_timestamp(value.type):
        return _time(value.value, value.type, separator)
    return [python_value(one) for one in value.values]


def _time(number: int, kind: pa.TimestampType, separator: str) -> str:
    seconds, rest = divmod(number, _PER_SECOND[kind.unit])
    days, seconds = divmod(seconds, 86_400)
    of_day = datetime.min + timedelta(seconds=seconds, microseconds=rest * 1_000_000 // _PER_SECOND[kind.unit])
    return f"{_date(days)}{separator}{of_day.time().isoformat()}{'+00:00' if kind.tz else ''}"


def _date(days: int) -> str:
    """The year with a sign where it has more than four digits or is below 0, as `java.time.LocalDate` writes it."""
    cycles, days = divmod(days, _CYCLE_DAYS)
    within = _EPOCH + timedelta(days=days)
    year = within.year + cycles * _CYCLE_YEARS
    sign = "-" if year < 0 else "+" if year > 9999 else ""
    return f"{sign}{abs(year):04}-{within:%m-%d}"
