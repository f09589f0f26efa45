"""Columns that folders named `column=value` are: names, types and values as Spark infers them.

The rules are those of `PartitioningUtils` of Spark 4.1 (`parsePartition`, `inferPartitionColumnValue`, `findWiderTypeForPartitionColumn`)
with its default settings. What means something else in each session, or cannot be held here, is left to Spark.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from ..errors import SnapshotError

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE]([+-]?[0-9]+))?")
_DOUBLE = re.compile(r"[+-]?(?:NaN|Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fFdD]?)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} (?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9])?")
_FEW = re.compile(
    r"[+-]?0[xX][0-9a-fA-F.]+[pP][+-]?[0-9]+[fFdD]?"  # doubles in hexadecimal digits
    r"|(?:0000|[+-][0-9]{4,})-[0-9]{2}-[0-9]{2}(?: .*)?"  # years that Python has not
    r"|(?=.*[^\x00-\x7f])[+-]?[\d.]+(?:[eE][+-]?\d+)?"  # digits of other scripts
)
"""What Spark may take for a value that is none here."""
_ESCAPED = re.compile(r"%([0-9a-fA-F]{2})")
_TIMES = pa.timestamp("us", "UTC")
_MOST_DIGITS = 38
_DIGITS = {pa.int32(): 10, pa.int64(): 20}


def partition_of(folders: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """The folders above those that name columns, and the columns with their texts as they are escaped: of the innermost folders
    that follow each other. Raises SnapshotError."""
    named = list(folders)
    while named and "=" not in named[-1]:
        named.pop()
    end = len(named)
    while named and "=" in named[-1]:
        named.pop()
    columns: dict[str, str] = {}
    for folder in folders[len(named) : end]:
        name, _, text = folder.partition("=")
        if not name or not text:
            raise SnapshotError(
                f"the folder {folder} names a column without {'a value' if name else 'a name'}: Spark reads none such"
            )
        if _unescaped(name).lower() in (one.lower() for one in columns):
            raise SnapshotError(
                f"the folders {'/'.join(folders)} name the column {_unescaped(name)} twice: Spark reads none such"
            )
        columns[_unescaped(name)] = text
    return tuple(named), columns


def type_of(name: str, texts: Collection[str]) -> pa.DataType:
    """The type of the column of that name with these texts. Raises SnapshotError where it is left to Spark."""
    kinds: dict[pa.DataType, str] = {}
    for text in texts:
        kind = _inferred(text)
        if kind is None:
            raise SnapshotError(_left(name, text, "which only Spark reads as it does"))
        kinds.setdefault(kind, text)
    kind = _widest(set(kinds))
    if kind == _TIMES:
        raise SnapshotError(_left(name, kinds[_TIMES], "a time that means what the time zone of the session says"))
    return kind


def value_of(text: str, kind: pa.DataType) -> Any:
    """The value of a text in a column of that type."""
    if text == NO_VALUE:
        return None
    if pat.is_integer(kind):
        return int(text)
    if pat.is_decimal(kind):
        return Decimal(int(Decimal(text)))
    if pat.is_floating(kind):
        trimmed = _trimmed(text)
        return float(trimmed if trimmed[-1] in "Ny" else trimmed.rstrip("fFdD"))
    return dt.date.fromisoformat(text) if pat.is_date(kind) else _unescaped(text)


def _inferred(text: str) -> pa.DataType | None:
    """The type of one text by itself; None where only Spark tells."""
    if text == NO_VALUE:
        return pa.null()
    if _FEW.fullmatch(_trimmed(_unescaped(text))):
        return None
    if _INTEGER.fullmatch(text):
        for bits, kind in ((31, pa.int32()), (63, pa.int64())):
            if -(1 << bits) <= int(text) < 1 << bits:
                return kind
    number = _NUMBER.fullmatch(text)
    if number:
        digits, scale = number[1].replace(".", "").lstrip("0") or "0", len(number[1].partition(".")[2]) - int(number[2] or 0)
        if scale <= 0 and len(digits) - scale <= _MOST_DIGITS:
            return pa.decimal128(len(digits) - scale, 0)
    if _DOUBLE.fullmatch(_trimmed(text)):
        return pa.float64()
    if _TIME.fullmatch(_unescaped(text)) and _is_time(_unescaped(text)):
        return _TIMES
    return pa.date32() if _DATE.fullmatch(text) and _is_time(text) else pa.string()


def _widest(kinds: set[pa.DataType]) -> pa.DataType:
    """The type that holds values of all of these, without loss; text where there is none."""
    kinds = kinds - {pa.null()}
    if len(kinds) <= 1:
        return kinds.pop() if kinds else pa.null()
    digits = [kind.precision if pat.is_decimal(kind) else _DIGITS.get(kind, 0) for kind in kinds]
    if all(digits) and kinds - _DIGITS.keys():
        return pa.decimal128(max(digits), 0)
    for pair, kind in (
        ({pa.int32(), pa.int64()}, pa.int64()),
        ({pa.int32(), pa.float64()}, pa.float64()),
        ({pa.date32(), _TIMES}, _TIMES),
    ):
        if kinds == pair:
            return kind
    return pa.string()


def _left(name: str, text: str, why: str) -> str:
    return f"the partition column {name} has {_unescaped(text)!r}, {why}: it is left to Spark; --ignore-column {name} leaves it out"


def _unescaped(text: str) -> str:
    """As Spark has it: each `%` and two digits are the character of that number, not a byte of UTF-8."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _trimmed(text: str) -> str:
    """As `Double.parseDouble` of Java does it."""
    return text.strip("".join(map(chr, range(0x21))))


def _is_time(text: str) -> bool:
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
