"""Rows are told with the files that they are in, whatever characters their paths have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F  # noqa: N812 (its usual name)

from spark_lineage.rows.identity import MEANT, PARTS, PREFIX, identified
from spark_lineage.rows.lifetimes import Log
from spark_lineage.rows.local import local_frame
from spark_lineage.rows.places import in_some, telling
from spark_lineage.rows.tracing import MOST, follow
from spark_lineage.snapshot import with_spark
from spark_lineage.snapshot.delta import resolved
from spark_lineage.snapshot.with_spark import files_of, local_place

ODD = ("plain", "a b", "100%", "x/y", "ü", "a#b?c", "a+b&c", "q'r", "%20")


@pytest.mark.parametrize("kind", ["parquet", "delta"])
@pytest.mark.parametrize("most", [MOST, 1])
def test_the_files_are_told_by_their_paths(kind: str, most: int, spark: Any, tmp_path: Path) -> None:
    values = ", ".join(f"({at}, '{value.replace(chr(39), chr(92) + chr(39))}')" for at, value in enumerate(ODD))
    place = str(tmp_path / "odd %41 ü")
    made = spark.sql(f"SELECT * FROM VALUES {values} AS v(n, p)")
    made.write.format(kind).partitionBy("p").save(place)
    rows = spark.read.format(kind).load(place)
    plan = identified(rows, 0).select(*rows.columns)
    wanted = {row["n"]: row["file"] for row in rows.selectExpr("n", "_metadata.file_path AS file").collect()}
    assert len(set(wanted.values())) == len(ODD)
    targets = local_frame(spark, [tuple(row) for row in rows.collect()], rows.schema)
    told, count = follow(plan, targets, most=most).rows[0]
    assert count == len(ODD)
    assert {row.values["n"]: row.file for row in told} == wanted
    assert {row.position for row in told} == {0}


@pytest.mark.parametrize("kind", ["parquet", "delta", "orc"])
def test_an_identity_is_the_same_with_and_without_who_is_meant(kind: str, spark: Any, tmp_path: Path) -> None:
    """It is made of one text where nothing else is asked, and else of columns."""
    spark.range(5).selectExpr("id", "map('k', id) AS m").write.format(kind).save(str(tmp_path / kind))
    rows = spark.read.format(kind).load(str(tmp_path / kind))
    for frame in (rows, rows.select("id")):
        short, long = identified(frame, 3), identified(frame, 3, F.lit(True))
        assert short.columns == long.columns == [*frame.columns, f"{PREFIX}3"]
        assert long.schema[-1].dataType.names == [*PARTS, MEANT]
        assert short.schema[-1].dataType.fields == long.schema[-1].dataType.fields[:-1]
        told = (one.select(*(F.col(f"{PREFIX}3")[part].alias(part) for part in PARTS)) for one in (short, long))
        assert len({tuple(sorted(map(repr, one.collect()))) for one in told}) == 1


@pytest.fixture(scope="module")
def alike(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A table in each of whose folders there is a file of the same name, as CONVERT TO DELTA finds them; with a row for each."""
    place = tmp_path_factory.mktemp("alike") / "odd %41 ü+"
    values = ", ".join(f"({at}, '{value.replace(chr(39), chr(92) + chr(39))}')" for at, value in enumerate(ODD))
    made = spark.sql(f"SELECT /*+ COALESCE(1) */ * FROM VALUES {values} AS v(n, p)")
    made.write.partitionBy("p").parquet(str(place))
    for file in place.glob("p=*/*.parquet"):
        file.rename(file.with_name("same a+b.parquet"))
    for file in place.glob("p=*/.*.crc"):
        file.unlink()
    spark.sql(f"CONVERT TO DELTA parquet.`{place}` PARTITIONED BY (p STRING)")
    return str(place)


@pytest.mark.soak
def test_files_of_one_name_in_several_folders(alike: str, spark: Any) -> None:
    rows = spark.read.format("delta").load(alike)
    log = Log(alike)
    every = log.files(0)
    assert len({place.rsplit("/", 1)[1] for place in every}) == 1
    wanted = {local_place(row["file"]): row["n"] for row in rows.selectExpr("n", "_metadata.file_path AS file").collect()}
    assert wanted.keys() == every
    told = identified(rows, 0)
    for place, number in wanted.items():
        assert [row["n"] for row in in_some(told, "__lineage_leaf_0.file", {place}, every).collect()] == [number]
        others = in_some(told, "__lineage_leaf_0.file", every - {place}, every)
        assert {row["n"] for row in others.collect()} == {*wanted.values()} - {number}
    assert in_some(told, "__lineage_leaf_0.file", every, every).count() == len(ODD)
    assert in_some(told, "__lineage_leaf_0.file", set(), every).count() == 0
    some = set(sorted(every)[:3])
    beside, there, more = telling(rows, "_metadata.file_path", some, every)
    found = {row["n"]: row["t"] for row in beside.select("n", there.alias("t")).collect()}
    assert found == {number: place in some for place, number in wanted.items()}
    assert beside.drop(*more).columns == rows.columns


@pytest.mark.parametrize("named", [500, 1])
def test_the_rows_of_some_files_by_their_paths_in_the_log(
    named: int, alike: str, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(with_spark, "_NAMED", named)
    rows = spark.newSession().read.format("delta").load(alike)
    paths = {resolved(alike, held.path): held.path for held in Log(alike).delta.held}
    wanted = {local_place(row["file"]): row["n"] for row in rows.selectExpr("n", "_metadata.file_path AS file").collect()}
    some = sorted(paths)[2:5]
    found, count = files_of(rows, alike, [*(paths[place] for place in some), "p=none/same.parquet"])
    assert (count, found.columns) == (3, rows.columns)
    assert {row["n"] for row in found.collect()} == {wanted[place] for place in some}
    assert not [view for view in spark.catalog.listTables("global_temp") if view.name.startswith("spark_lineage")]


def test_many_files_are_no_large_condition(spark: Any, alike: str) -> None:
    every = {f"/lake/{number}.parquet" for number in range(5_000)}
    rows = identified(spark.read.format("delta").load(alike), 0)
    few = in_some(rows, "__lineage_leaf_0.file", set(sorted(every)[:2_000]), every)
    assert few.count() == 0
    assert len(few._jdf.queryExecution().optimizedPlan().toString()) < 20_000
