"""What Spark wrote, as Delta, Parquet and ORC, held against each other without a JVM."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from every_type import DDL, rows_of

from spark_lineage.snapshot.diff import Options, diff
from spark_lineage.snapshot.difference import ColumnDifference


def test_the_same_rows_in_every_format(spark: Any, tmp_path: Path) -> None:
    frame = spark.createDataFrame(rows_of(Random(3), 200), DDL).drop("low").coalesce(2)
    frame.drop("dti").write.format("delta").option("delta.columnMapping.mode", "name").save(f"{tmp_path}/delta")
    frame.write.parquet(f"{tmp_path}/parquet")
    spark.conf.set("spark.sql.parquet.outputTimestampType", "INT96")
    try:
        frame.drop("da").write.parquet(f"{tmp_path}/old")  # dates are as ever
    finally:
        spark.conf.unset("spark.sql.parquet.outputTimestampType")
    frame.drop("ts", "tn", "dti", "da").write.orc(f"{tmp_path}/orc")
    for other, left_out in (("parquet", ("dti",)), ("old", ("dti", "da")), ("orc", ("ts", "tn", "da"))):
        found = diff(None, f"{tmp_path}/delta", f"{tmp_path}/{other}", Options(ignored=left_out))
        assert (found.equal, found.schema) == (True, ()), other
        assert (found.here.rows, found.there.rows) == (200, 200)
    assert diff(None, f"{tmp_path}/parquet", f"{tmp_path}/old", Options(ignored=("da",))).schema == (), "also intervals"


def test_columns_that_were_renamed_dropped_and_added(spark: Any, tmp_path: Path) -> None:
    table = f"delta.`{tmp_path}/t`"
    spark.sql(f"CREATE TABLE {table} (id BIGINT, a STRING, b STRUCT<x: INT, y: INT>) USING delta TBLPROPERTIES('delta.columnMapping.mode'='name', 'delta.enableDeletionVectors'='true')")  # fmt: skip
    spark.sql(f"INSERT INTO {table} SELECT id, 'a' || id, named_struct('x', CAST(id AS INT), 'y', 0) FROM range(0, 9, 1, 1)")
    spark.sql(f"ALTER TABLE {table} RENAME COLUMN a TO c")
    spark.sql(f"ALTER TABLE {table} DROP COLUMN b.y")
    spark.sql(f"DELETE FROM {table} WHERE id = 3")
    dropped = diff(None, f"{tmp_path}/t@1", f"{tmp_path}/t", Options(key=("id",)))
    assert (dropped.only_here, dropped.only_there, dropped.changed, dropped.sample_here) == (1, 0, 0, (({"x": 3}, 3),))
    assert [(one.column, one.here, one.there) for one in dropped.schema] == [
        ("a", "string", None),
        ("b.y", "integer", None),
        ("c", None, "string"),
    ]
    spark.sql(f"ALTER TABLE {table} DROP COLUMN c")
    spark.sql(f"ALTER TABLE {table} ADD COLUMN a STRING")
    again = diff(None, f"{tmp_path}/t@1", f"{tmp_path}/t", Options(key=("id",), ignored=("b",)))
    assert (again.changed, again.differing) == (8, (ColumnDifference(column="a", rows=8),)), "its old values are not its own"
