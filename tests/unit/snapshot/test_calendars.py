"""Which files Spark reads as of the calendar of Spark 2."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spark_lineage.snapshot.calendars import calendar_of, old_calendar

VERSION, DATES, INT96 = b"org.apache.spark.version", b"org.apache.spark.legacyDateTime", b"org.apache.spark.legacyINT96"


@pytest.mark.parametrize(
    ("metadata", "has_int96", "old"),
    [
        (None, True, None),
        ({}, True, None),
        ({VERSION: b"2.4.8"}, False, "Spark 2.4.8"),
        ({VERSION: b"3.0.0"}, False, None),
        ({VERSION: b"3.0.3"}, True, "Spark 3.0.3"),
        ({VERSION: b"3.1.0"}, True, None),
        ({VERSION: b"4.1.4", DATES: b""}, False, DATES.decode()),
        ({VERSION: b"4.1.4", INT96: b""}, False, None),
        ({VERSION: b"4.1.4", INT96: b""}, True, INT96.decode()),
    ],
)
def test_metadata(metadata: dict[bytes, bytes] | None, has_int96: bool, old: str | None) -> None:
    assert old_calendar(metadata, has_int96) == old


def test_only_what_the_file_has_is_of_matter(tmp_path: Path) -> None:
    def of(column: pa.Array, release: str, **options: bool) -> str | None:
        table = pa.table({"x": column}).replace_schema_metadata({VERSION: release.encode()})
        pq.write_table(table, tmp_path / "f.parquet", **options)
        return calendar_of(pq.ParquetFile(tmp_path / "f.parquet"))

    times = pa.array([dt.datetime(1500, 1, 1)], pa.timestamp("us"))
    assert of(pa.array([1]), "2.4.8") is None
    assert of(pa.array([dt.date(1500, 1, 1)]), "2.4.8") == "Spark 2.4.8"
    assert of(pa.array([[dt.date(1500, 1, 1)]]), "2.4.8") == "Spark 2.4.8"
    assert of(times, "3.0.1") is None
    assert (
        of(pa.array([dt.datetime(1900, 1, 1)], pa.timestamp("us")), "3.0.1", use_deprecated_int96_timestamps=True)
        == "Spark 3.0.1"
    )
