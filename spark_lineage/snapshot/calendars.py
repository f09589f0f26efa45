"""The calendar that the dates and times of a Parquet file are in: Spark 2 wrote the Julian one where that was in use, and so does
Spark 3 where it is told to."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow.parquet as pq

_VERSION = b"org.apache.spark.version"
_DATES = b"org.apache.spark.legacyDateTime", b"3.0.0"
_INT96 = b"org.apache.spark.legacyINT96", b"3.1.0"
"""What says that Spark kept the old calendar, and the release that was the first not to; of times in 96 bits and of all others."""


def old_calendar(metadata: Mapping[bytes, bytes] | None, has_int96: bool, has_others: bool = True) -> str | None:
    """What in a file's metadata makes Spark read it as of the old calendar; None where nothing does. `has_int96`: times in 96 bits
    are wanted of it, `has_others`: dates or other times.

    The rule is `DataSourceUtils.getRebaseSpec` of Spark 4.1, which compares releases as texts. A file without a release is Spark's
    by none, and is read as it is (`spark.sql.parquet.datetimeRebaseModeInRead` is CORRECTED).
    """
    held = metadata or {}
    written = held.get(_VERSION)
    for key, first in [_DATES] * has_others + [_INT96] * has_int96:
        if key in held:
            return key.decode()
        if written is not None and written < first:
            return f"Spark {written.decode(errors='replace')}"
    return None


def calendar_of(parquet: pq.ParquetFile) -> str | None:
    """As `old_calendar`, of an open file: it is of no matter where the file has no dates and no times."""
    columns = [parquet.schema.column(at) for at in range(len(parquet.schema))]
    int96 = [column.physical_type == "INT96" for column in columns]
    others = [column.logical_type.type in ("DATE", "TIMESTAMP") for column in columns]
    return old_calendar(parquet.metadata.metadata, any(int96), any(others))
