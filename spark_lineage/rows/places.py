"""In which files of a table rows lie. Files are compared by their whole places, as Spark and Delta's log tell them, both decoded: in two folders
files may have one name."""

from __future__ import annotations

import re

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import StringType, StructField, StructType

from .local import local_frame

_SCHEME = "^[A-Za-z][A-Za-z0-9+.-]*:/*"
_PLACE, _FOUND, _FILE = "__lineage_place", "__lineage_found", "__lineage_file_of_row"
_PLACES = StructType([StructField(_PLACE, StringType())])


def in_some(rows: DataFrame, file: str, some: set[str], among: set[str]) -> DataFrame:
    """The rows that lie in one of some files: `file` is a column with Spark's own name of a row's file, `among` are all that there are."""
    if some == among:
        return rows
    few, are_meant = _fewer(some, among)
    return rows.join(F.broadcast(_frame(rows, few)), _key(file) == F.col(_PLACE), "left_semi" if are_meant else "left_anti")


def in_files(rows: DataFrame, file: str, places: set[str]) -> DataFrame:
    """The rows that lie in files at these places, which may be few of those that there are."""
    return rows.join(F.broadcast(_frame(rows, places)), _key(file) == F.col(_PLACE), "left_semi")


def telling(rows: DataFrame, file: str, some: set[str], among: set[str]) -> tuple[DataFrame, Column, tuple[str, ...]]:
    """The rows, what says of each whether it lies in one of some files, and the columns that they have more for that."""
    if some == among:
        return rows, F.lit(True), ()
    few, are_meant = _fewer(some, among)
    found = _frame(rows, few).withColumn(_FOUND, F.lit(True))
    named = rows.withColumn(_FILE, F.col(file))  # Spark 4.0 joins by no column that is hidden, as those of _metadata are
    joined = named.join(F.broadcast(found), _key(_FILE) == F.col(_PLACE), "left")
    return joined, F.col(_FOUND).isNotNull() if are_meant else F.col(_FOUND).isNull(), (_FILE, _PLACE, _FOUND)


def _fewer(some: set[str], among: set[str]) -> tuple[set[str], bool]:
    """The files, or all the others where these are fewer; whether they are those that are meant."""
    others = among - some
    return (some, True) if len(some) <= len(others) else (others, False)


def _frame(rows: DataFrame, places: set[str]) -> DataFrame:
    """A row for each: a condition that names them would grow with the table."""
    return local_frame(rows.sparkSession, [(re.sub(_SCHEME, "/", place),) for place in sorted(places)], _PLACES)


def _key(file: str) -> Column:
    """The place that is meant by a URI, which does not encode a plus sign. `s3a:` and `s3:` are one."""
    decoded = F.url_decode(F.replace(F.col(file), F.lit("+"), F.lit("%2B")))
    return F.regexp_replace(decoded, _SCHEME, "/")
