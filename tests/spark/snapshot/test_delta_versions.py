"""Versions of tables that Spark wrote: read without a JVM they have the checksum that Spark computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from every_type import DDL, rows_of
from pyspark.sql import functions as F  # noqa: N812 (its usual name)

from spark_lineage.errors import SnapshotError
from spark_lineage.snapshot.delta import sums_of_file, version_of
from spark_lineage.snapshot.spark import sums_of_frame
from spark_lineage.snapshot.sums import Sums
from spark_lineage.snapshot.taking import take
from spark_lineage.store.tables import Store


def alone(place: str, version: int | None = None) -> Sums:
    table = version_of(place, version)
    return sum((sums_of_file(table, file) for file in table.files), Sums(0, 0, 0))


def by_spark(spark: Any, place: str, version: int | None = None) -> Sums:
    reader = spark.read.format("delta")
    return sums_of_frame((reader if version is None else reader.option("versionAsOf", version)).load(place))


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "a table")


def test_every_type_that_a_table_holds(spark: Any, place: str) -> None:
    from random import Random

    frame = spark.createDataFrame(rows_of(Random(2), 200), DDL).drop("dti", "low")  # types that no table can hold
    expected = sums_of_frame(frame)
    frame.repartition(3).write.format("delta").option("delta.columnMapping.mode", "name").save(place)
    assert by_spark(spark, place) == expected
    assert alone(place) == expected


@pytest.mark.soak
@pytest.mark.parametrize("vectors", ["true", "false"])
def test_whatever_changes_rows(spark: Any, place: str, vectors: str) -> None:
    spark.sql(f"CREATE TABLE delta.`{place}` (id BIGINT, name STRING, day DATE) USING delta TBLPROPERTIES('delta.enableDeletionVectors'='{vectors}')")  # fmt: skip
    table = f"delta.`{place}`"
    for statement in (
        f"INSERT INTO {table} SELECT id, nullif('n' || id, 'n3'), date'2024-01-01' + CAST(id % 5 AS INT) FROM range(0, 500, 1, 4)",
        f"DELETE FROM {table} WHERE id % 7 = 3",
        f"UPDATE {table} SET name = 'changed' WHERE id % 11 = 5",
        f"MERGE INTO {table} t USING (SELECT id * 3 AS id FROM range(300)) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = NULL WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)",
        f"ALTER TABLE {table} ADD COLUMN extra INT FIRST",
        f"INSERT INTO {table} VALUES (1, -1, 'x', NULL)",
    ):
        spark.sql(statement)
        assert alone(place) == by_spark(spark, place), statement
    before = alone(place)
    for statement in (f"OPTIMIZE {table}", f"OPTIMIZE {table} ZORDER BY (id)", f"REORG TABLE {table} APPLY (PURGE)"):
        spark.sql(statement)
        assert alone(place) == before, statement
    clone, copy = f"{place} cloned", f"{place} copied"
    spark.sql(f"CREATE TABLE delta.`{clone}` SHALLOW CLONE {table}")
    assert by_spark(spark, clone) == before
    with pytest.raises(SnapshotError, match="is left to Spark"):  # a shallow clone's log does not say how many rows a file has
        version_of(clone)
    spark.table(table).write.parquet(copy)
    assert sums_of_frame(spark.read.parquet(copy)) == before
    assert alone(place, 2) == by_spark(spark, place, 2)
    spark.sql(f"RESTORE TABLE {table} TO VERSION AS OF 2")
    assert alone(place) == by_spark(spark, place, 2)


@pytest.mark.soak
def test_renamed_dropped_widened_and_partitioned(spark: Any, place: str) -> None:
    table = f"delta.`{place}`"
    spark.sql(f"CREATE TABLE {table} (id INT, `a b` STRING, s STRUCT<x: INT, y: STRING>, part STRING, day TIMESTAMP) USING delta PARTITIONED BY (part, day) TBLPROPERTIES('delta.columnMapping.mode'='name', 'delta.enableTypeWidening'='true')")  # fmt: skip
    row = "named_struct('x', CAST(id AS INT), 'y', 'y')"
    spark.sql(f"INSERT INTO {table} SELECT id, 'v', {row}, if(id % 2 = 0, 'p/=%', NULL), timestamp'2024-03-31 02:30:00' FROM range(20)")  # fmt: skip
    for statement in (
        f"ALTER TABLE {table} RENAME COLUMN `a b` TO c",
        f"ALTER TABLE {table} RENAME COLUMN s.x TO z",
        f"ALTER TABLE {table} ALTER COLUMN id TYPE BIGINT",
        f"ALTER TABLE {table} DROP COLUMN c",
        f"ALTER TABLE {table} ADD COLUMN c STRING",
        f"INSERT INTO {table} VALUES (5000000000, named_struct('z', 1, 'y', NULL), '', NULL, 'new')",
    ):
        spark.sql(statement)
        assert alone(place) == by_spark(spark, place), statement


def test_a_column_that_was_dropped_and_added_again_is_read_anew(spark: Any, place: str, tmp_path: Path) -> None:
    """Under the same name and type: the old files have values of it that are no longer there."""
    table, store = f"delta.`{place}`", Store.open(tmp_path / "store", create=True)
    spark.sql(f"CREATE TABLE {table} (id BIGINT, c STRING) USING delta TBLPROPERTIES('delta.columnMapping.mode'='name')")
    spark.sql(f"INSERT INTO {table} VALUES (1, 'old')")
    first = take(store, place)
    spark.sql(f"ALTER TABLE {table} DROP COLUMN c")
    spark.sql(f"ALTER TABLE {table} ADD COLUMN c STRING")
    second = take(store, place)
    assert second.schema_hash == first.schema_hash
    assert (second.checksum == first.checksum, second.files_read) == (False, 1)
    assert second.checksum == by_spark(spark, place).checksum


def test_a_large_value_and_many_partitions(spark: Any) -> None:
    frame = spark.range(1000).select("id", F.when(F.col("id") == 7, F.repeat(F.lit("é"), 100_000)).alias("text"))
    assert sums_of_frame(frame.repartition(200)) == sums_of_frame(frame.coalesce(1))
