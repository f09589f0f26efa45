"""Rows of the driver as a frame, without a Python worker where that can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql.conversion import LocalDataToArrowConversion
from pyspark.sql.types import StructType

from ..errors import TraceError
from ..replay.executables import reads_what_was


def local_frame(spark: SparkSession, rows: Sequence[Any], schema: StructType) -> DataFrame:
    """By way of Arrow: `createDataFrame` of a list starts a job with Python workers. Some types have no way through Arrow."""
    try:
        table = LocalDataToArrowConversion.convert([tuple(row) for row in rows], schema, False)
        return spark.createDataFrame(table, schema)
    except Exception:  # whatever it is that it cannot convert, the other way says so, or can
        return spark.createDataFrame([tuple(row) for row in rows], schema)


def collected(frame: DataFrame) -> list[Row]:
    """The rows. Raises TraceError where one has a time that Python does not know."""
    try:
        return frame.collect()
    except PySparkException:
        raise
    except (ValueError, OverflowError) as error:
        raise TraceError(
            f"the rows have a date or a timestamp that Python cannot hold ({error}): it knows those from 0001-01-02 to 9999-12-31"
        ) from error


def as_then(spark: SparkSession) -> SparkSession:
    """A session with the settings, functions and views of this one, in which what was read then is read."""
    return reads_what_was(SparkSession(spark.sparkContext, spark._jsparkSession.cloneSession()))
