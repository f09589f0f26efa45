"""What a plan gives is put into a table by names, of fields inside structs, too; and plans read what Spark tells of the files that rows are in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tampering import Recorded, recorded_of

import spark_lineage

pytestmark = pytest.mark.soak

KINDS = ("delta", "parquet", "csv")


def write(spark: Any, root: Path) -> None:
    source = spark.read.format("delta").load(f"{root}/source")
    turned = "named_struct('b', 'B' || id, 'a', 'A' || id)"
    columns = ("id", f"{turned} AS one", f"array({turned}) AS many", f"map(id, {turned}) AS by")
    source.selectExpr(*columns).write.format("delta").mode("append").save(f"{root}/structs")
    spark.sql(f"INSERT INTO delta.`{root}/placed` SELECT {', '.join(columns)} FROM delta.`{root}/source`")  # by position
    for kind in KINDS:
        rows = spark.read.format(kind).schema("id BIGINT").load(f"{root}/{kind}") if kind != "delta" else source
        told = rows.selectExpr("id", "_metadata.file_name AS file", "id + _metadata.file_size AS size")
        told.write.format("delta").save(f"{root}/of_{kind}")
    evolved = source.where("id < 2").selectExpr("id", "named_struct('c', 'C', 'a', 'A') AS st").write.format("delta")
    evolved.mode("overwrite").option("replaceWhere", "id < 2").option("mergeSchema", True).save(f"{root}/evolved")
    spark.conf.set("spark.sql.caseSensitive", "true")
    try:
        cased = source.selectExpr("id", "id * 10 AS a", "id * 100 AS A", "named_struct('b', 'b', 'B', 'B') AS s")
        cased.write.parquet(f"{root}/cased")
    finally:
        spark.conf.unset("spark.sql.caseSensitive")
    spark.read.format("binaryFile").load(f"{root}/csv").selectExpr("length").write.format("delta").save(f"{root}/lengths")


@pytest.fixture(scope="module")
def recorded(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    root = tmp_path_factory.mktemp("inside")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        patch.setenv("SPARK_LINEAGE_STORE", str(root / "store"))
        for kind in ("parquet", "csv"):
            spark.range(0, 6, 1, 1).write.format(kind).save(f"{root}/{kind}")
        spark.range(0, 6, 1, 2).write.format("delta").save(f"{root}/source")
        fields = "STRUCT<a: STRING, b: STRING>"
        for name in ("structs", "placed"):
            spark.sql(
                f"CREATE TABLE delta.`{root}/{name}` (id BIGINT, one {fields}, many ARRAY<{fields}>, by MAP<BIGINT, {fields}>) USING delta"
            )
        spark.sql(f"CREATE TABLE delta.`{root}/evolved` (id BIGINT, st STRUCT<b: STRING, a: STRING>) USING delta")
        spark.sql(f"INSERT INTO delta.`{root}/evolved` SELECT id, named_struct('b', 'B', 'a', 'A') FROM range(6)")
        yield recorded_of(spark, root, "inside", write)


@pytest.mark.parametrize(
    ("name", "version"),
    [("structs", 1), ("placed", 1), ("evolved", 2), ("cased", None), ("lengths", 0), *((f"of_{kind}", 0) for kind in KINDS)],
)
def test_it_is_given_again(recorded: Recorded, name: str, version: int) -> None:
    one = recorded.replay(name, version)
    assert one.verdict == "identical", (one.reason, one.causes)


@pytest.mark.parametrize("name", ["structs", *(f"of_{kind}" for kind in KINDS)])
def test_its_rows_are_traced(recorded: Recorded, spark: Any, name: str) -> None:
    (hop,) = spark_lineage.open(recorded.store).trace(str(recorded.root / name), where="id = 3", spark=spark)
    assert hop.witness is not None, hop.ended
    assert hop.witness.sources, hop
    (source,) = hop.witness.sources
    assert [row.values["id"] for row in source.rows] == [3]
