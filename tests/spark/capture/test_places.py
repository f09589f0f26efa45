"""Folders that are called like a partition, a glob or a file are datasets of their own; a read of a part of one is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from captured import Capture

from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.model import Records
from spark_lineage.plan.document import read


def records(capture: Capture) -> list[Records]:
    return [records_of_execution(read(json.dumps(one).encode()), RunContext()) for one in capture.executions()]


def test_tables_in_folders_that_are_called_like_partitions_and_globs(spark: Any, capture: Capture) -> None:
    rows = spark.range(4).selectExpr("id", "id % 2 AS k")
    first, second = (str(capture.data / f"dt=2024-01-0{day}") for day in (1, 2))
    rows.write.format("delta").save(first)
    rows.write.format("delta").save(second)
    spark.sql(f"UPDATE delta.`{second}` SET k = 7 WHERE id = 1")
    spark.read.format("delta").load(second).collect()
    table, odd = str(capture.data / "t"), str(capture.data / "run[1]")
    rows.write.format("delta").partitionBy("k").save(table)
    spark.read.format("delta").load(f"{table}/k=1").collect()
    rows.write.parquet(odd)
    spark.read.parquet(odd.replace("[", "\\[").replace("]", "\\]")).collect()
    made = records(capture)
    outputs = [(one.name, one.delta_version) for each in made for one in each.outputs]
    assert outputs == [(first, 0), (second, 0), (second, 1), (table, 0), (odd, None)]
    inputs = [(one.name, one.delta_version) for each in made for one in each.inputs]
    assert inputs == [(second, 0), (second, 1), (table, 0), (odd, None)]


def test_folders_that_are_called_like_files_stay_apart_when_they_are_read_together(spark: Any, capture: Capture) -> None:
    years = [str(capture.data / f"orders_{year}.parquet") for year in (2023, 2024)]
    rows = spark.range(4).selectExpr("id", "id % 2 AS k")
    for year in years:
        rows.write.parquet(year)
    lines = [str(capture.data / "lines" / name) for name in ("a.csv", "b.csv")]
    (capture.data / "lines").mkdir()
    for line in lines:
        Path(line).write_text("1,x\n")
    read_both = len(capture.executions())
    spark.read.parquet(*years).collect()
    spark.read.parquet(years[1]).collect()
    spark.read.schema("a INT, b STRING").csv(lines).collect()
    spark.conf.set("spark.sql.sources.useV1SourceList", "")
    try:
        spark.read.parquet(*years).collect()
    finally:
        spark.conf.unset("spark.sql.sources.useV1SourceList")
    found = [[one.name for one in each.inputs] for each in records(capture)[read_both:]]
    assert found == [years, [years[1]], [str(capture.data / "lines")], years]
    assert all(one.version_basis == "exact" for each in records(capture)[read_both:] for one in each.inputs)
