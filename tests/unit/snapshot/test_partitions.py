"""Columns that folders name, as Spark 4.1.4 gave them for folders of these names (`spark.read.parquet`, the session in UTC)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from spark_lineage.errors import SnapshotError
from spark_lineage.snapshot.partitions import NO_VALUE, partition_of, type_of, value_of

INT, LONG, DOUBLE, TEXT, DATE = pa.int32(), pa.int64(), pa.float64(), pa.string(), pa.date32()
DAY = "2024-01-02"
TIME = "2024-01-01 10:11:12"
LARGE = "12345678901234567890"


def digits(precision: int) -> pa.DataType:
    return pa.decimal128(precision, 0)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        *((text, INT, int(text)) for text in ("1", "+1", "007", "-0", "2147483647", "-2147483648", "0" * 43 + "1", "20240101")),
        *((text, LONG, int(text)) for text in ("2147483648", "-2147483649", "9223372036854775807", "-9223372036854775808")),
        ("9223372036854775808", digits(19), Decimal(2**63)),
        (LARGE, digits(20), Decimal(LARGE)),
        ("-" + "9" * 38, digits(38), Decimal(1 - 10**38)),
        ("1.", digits(1), Decimal(1)),
        ("1e3", digits(4), Decimal(1000)),
        ("1E0", digits(1), Decimal(1)),
        ("1.0e1", digits(2), Decimal(10)),
        ("1.e5", digits(6), Decimal(100_000)),
        ("0e5", digits(6), Decimal(0)),
        ("1e37", digits(38), Decimal(10**37)),
        ("9" * 39, DOUBLE, 1e39),
        ("1e38", DOUBLE, 1e38),
        ("1e2147483648", DOUBLE, float("inf")),
        *((text, DOUBLE, 1.0) for text in ("1.0", "1d", "1F", " 1", "1 ", "10e-1")),
        *((text, DOUBLE, 0.5) for text in (".5", "00.5", "5e-1d")),
        ("-Infinity", DOUBLE, float("-inf")),
        *((text, TEXT, text) for text in ("nan", "inf", "NaNd", "1_0", ".", "1e", "++1", "0x10", "1L", "true", "\u00a01", "1d1")),
        (DAY, DATE, dt.date(2024, 1, 2)),
        ("1582-10-10", DATE, dt.date(1582, 10, 10)),
        *((text, TEXT, text) for text in ("2024-W01-1", "2024-1-1", "2024-02-30", "10000-01-01", DAY + " ", DAY + "T", "2024-01")),
        *((text, TEXT, text) for text in (TIME + ".12", TIME + ".123456", TIME + "Z", "2024-01-01T10:11:12", DAY + " 24:00:00")),
        ("%31", TEXT, "1"),
        ("2024%2D01%2D01", TEXT, "2024-01-01"),
        ("a%20b%", TEXT, "a b%"),
        ("%C3%BC", TEXT, "Ã¼"),
        (NO_VALUE, pa.null(), None),
    ],
)  # fmt: skip
def test_one_value(text: str, kind: pa.DataType, value: Any) -> None:
    assert type_of("p", [text]) == kind
    assert value_of(text, kind) == value


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (("1", "3000000000"), LONG),
        (("1", "1."), digits(10)),
        (("3000000000", "1.", "1"), digits(20)),
        (("1", LARGE), digits(20)),
        (("1.", LARGE), digits(20)),
        (("1", "1.5"), DOUBLE),
        (("1", "1.5", "3000000000"), TEXT),
        (("3000000000", "1.5"), TEXT),
        ((LARGE, "1.5"), TEXT),
        (("1", DAY), TEXT),
        (("1.5", DAY), TEXT),
        ((TIME, "x"), TEXT),
        ((TIME, "1"), TEXT),
        ((DAY, "2024-W01-1"), TEXT),
    ],
)
def test_values_of_several_types(texts: tuple[str, ...], kind: pa.DataType) -> None:
    for some in (texts, (*texts[::-1], NO_VALUE)):
        assert type_of("p", some) == kind
    assert type_of("p", [NO_VALUE, texts[0]]) == type_of("p", texts[:1]) if texts[0] != TIME else True


def test_text_keeps_what_the_folder_is_called() -> None:
    assert value_of("007", type_of("p", ["007", "x"])) == "007"


@pytest.mark.parametrize("texts", [(TIME,), (TIME + ".1", DAY), ("2024-01-01 10%3A11%3A12", NO_VALUE)])
def test_times_are_left_to_spark(texts: tuple[str, ...]) -> None:
    with pytest.raises(
        SnapshotError, match=r"the partition column p has '2024-01-01 10:11:12.*time zone of the session.*--ignore-column p"
    ):
        type_of("p", texts)


@pytest.mark.parametrize(
    "text", ["0x1p3", "0000-01-01", "-2024-01-01", "+10000-01-01", "+10000-01-01 10%3A11%3A12", "٣", "१२.", "\uff11"]
)
def test_what_only_spark_reads(text: str) -> None:
    with pytest.raises(SnapshotError, match="which only Spark reads as it does"):
        type_of("p", [text])


def test_folders() -> None:
    assert partition_of(["lake", "a=1", "B%3D=x=y"]) == (("lake",), {"a": "1", "B=": "x=y"})
    assert partition_of(["a=1", "deeper"]) == ((), {"a": "1"})
    assert partition_of(["a=1", "between", "b=2"]) == (("a=1", "between"), {"b": "2"})
    assert partition_of(["deeper"])[1] == {}
    for folders, words in (
        (["a="], "without a value"),
        (["=1"], "without a name"),
        (["a=1", "A=2"], "name the column A twice"),
    ):
        with pytest.raises(SnapshotError, match=words):
            partition_of(folders)
