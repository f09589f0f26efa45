"""What is told of many rows of a leaf: how many they are, and the first of them, however they are known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random, random
from typing import Any

import pytest
from pyspark.sql import functions as F  # noqa: N812 (its usual name)

from spark_lineage.rows.contributing import contributed
from spark_lineage.rows.identity import identified
from spark_lineage.rows.local import local_frame
from spark_lineage.rows.lots import PARTS, _told, follow_apart
from spark_lineage.rows.tracing import TAG, _Leaf, _rows, follow

SCHEMA = "__lineage_tag BIGINT, row STRUCT<id: STRUCT<file: STRING, position: BIGINT, row_id: BIGINT, h0: BIGINT, h1: BIGINT>>"
KINDS = {
    "row_id": lambda n: (f"file:/t/part-{n % 7}.parquet", n // 7, n, None, None),
    "file_row": lambda n: (f"file:/t/part-{n % 7}.parquet", n // 7, None, None, None),
    "fingerprint": lambda n: (None, None, None, n % 11, n // 11),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("per_row", [pytest.param(1, marks=pytest.mark.soak), 40, pytest.param(500, marks=pytest.mark.soak)])
def test_as_if_all_were_told_apart(spark: Any, kind: str, per_row: int) -> None:
    chance = Random(f"{kind} {per_row}")
    sizes = {0: 3000, 1: 1, 2: 40, 3: 41, 7: 700}
    rows = [(tag, (KINDS[kind](chance.randrange(size)),)) for tag, size in sizes.items() for _ in range(2 * size)]
    halves = [spark.createDataFrame(half, SCHEMA) for half in (rows[::2], rows[1::2])]
    distinct: dict[int, set[tuple[Any, ...]]] = defaultdict(set)
    for tag, (identity,) in rows:
        distinct[tag].add(identity)
    told = _told(halves, False, per_row)
    try:
        counts = told.counts()
        assert {tag: tuple(one) for tag, one in counts.items()} == {
            tag: (len(each), min(per_row, len(each)), kind) for tag, each in distinct.items()
        }
        found = told.between(0, max(sizes)).to_pylist()
    finally:
        told.close()
    first: dict[int, set[tuple[Any, ...]]] = defaultdict(set)
    for row in found:
        first[row["tag"]].add(tuple(row[name] for name in PARTS))
    ordered = halves[0].unionAll(halves[1]).select("__lineage_tag", "row.id.*").distinct()
    ordered = ordered.withColumn("place", F.xxhash64(*PARTS)).orderBy("place")
    wanted: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in ordered.collect():
        wanted[row["__lineage_tag"]].append(tuple(row[name] for name in PARTS))
    assert first == {tag: set(each[:per_row]) for tag, each in wanted.items()}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_is_shown_of_many(spark: Any, kind: str) -> None:
    rows = [(0, (KINDS[kind](n % 1000),)) for n in range(3000)]
    frame = spark.createDataFrame(rows, SCHEMA)
    shown, count = _rows([frame, frame], False, 30, _Leaf(None, 0, None))
    assert (count, len(shown), {one.kind for one in shown}) == (1000, 30, {kind})
    known = {(one.file, one.position, one.row_id, one.fingerprint) for one in shown}
    assert len(known) == 30, "each once"


def test_what_is_not_the_same_each_time_is_asked_once(spark: Any, tmp_path: Path) -> None:
    spark.range(3000).selectExpr("id", "id % 3 AS k").write.parquet(str(tmp_path / "t"))
    some = F.udf(lambda value: random() < 0.5, "boolean").asNondeterministic()
    plan = (
        identified(spark.read.parquet(str(tmp_path / "t")), 0)
        .select("id", "k")
        .where(some("id"))
        .groupBy("k")
        .agg(F.max("k").alias("top"))
    )
    groups = spark.createDataFrame([], f"{TAG} BIGINT, k BIGINT, top BIGINT").schema
    for fixed in (False, True):
        told = follow_apart(
            plan, local_frame(spark, [(k, k, k) for k in range(3)], groups), per_row=5000, fixed=fixed, most=100
        )
        try:
            counts = told.rows[0].counts()
        finally:
            told.close()
        assert [300 < one.rows < 700 and one.rows == one.told for one in counts.values()] == [True] * 3, counts


def test_columns_of_the_user_stay_as_they_are(spark: Any, tmp_path: Path) -> None:
    """Also a struct that looks like an identity, with nothing in it."""
    spark.sql(
        "SELECT named_struct('id', IF(id = 1, NULL, named_struct('no', id)), 'name', 'n') AS customer FROM range(4)"
    ).write.parquet(str(tmp_path / "t"))
    read = spark.read.parquet(str(tmp_path / "t"))
    with contributed(identified(read, 0, F.lit(True)).select("customer"), most=1) as found:
        assert found.rows is not None
        assert sorted(map(str, found.rows.collect())) == sorted(map(str, read.collect()))


@pytest.fixture
def narrow(spark: Any) -> Iterator[None]:
    """A driver that takes no more than a megabyte of a query."""
    conf, name = spark.sparkContext._jsc.sc().conf(), "spark.driver.maxResultSize"
    before = conf.get(name, "1g")
    conf.set(name, "1m")
    spark.conf.set("spark.sql.autoBroadcastJoinThreshold", "-1")  # Spark broadcasts by the way of the driver, too
    yield
    spark.conf.unset("spark.sql.autoBroadcastJoinThreshold")
    conf.set(name, before)


def test_few_rows_too_large_for_the_driver(spark: Any, narrow: None, tmp_path: Path) -> None:
    """They stay where they are, as many do: back, forward, and of several rows."""
    text = F.concat(*(F.sha2(F.concat_ws("-", "id", F.lit(part)), 512) for part in range(8))).alias("text")
    spark.range(0, 3000, 1, 3).select("id", text).write.parquet(str(tmp_path / "t"))
    with pytest.raises(Exception, match="bigger than spark"):
        spark.read.parquet(str(tmp_path / "t")).collect()
    read = identified(spark.read.parquet(str(tmp_path / "t")), 0)
    plan = read.where(F.length("text") == 1024).groupBy((F.col("id") % 2).alias("k")).agg(F.max("text").alias("top"))
    tops = {row["k"]: row["top"] for row in plan.collect()}
    of_one = local_frame(spark, [(1, tops[1])], plan.schema)
    for fixed in (False, True):
        followed = follow(plan, of_one, limit=5, fixed=fixed, read={0: read})
        shown, count = followed.rows[0]
        assert (count, len(shown), followed.missing, followed.lost) == (1500, 5, 0, 0)
        assert {len(one.values["text"]) for one in shown} == {1024}
        numbered = spark.createDataFrame([], f"{TAG} BIGINT, k BIGINT, top STRING").schema
        told = follow_apart(plan, local_frame(spark, [(k, k, tops[k]) for k in tops], numbered), per_row=5, fixed=fixed)
        try:
            assert {k: (one.rows, one.told) for k, one in told.rows[0].counts().items()} == {0: (1500, 5), 1: (1500, 5)}
        finally:
            told.close()
    with contributed(identified(spark.read.parquet(str(tmp_path / "t")), 0, F.lit(True)).select("text").distinct()) as found:
        assert found.rows is not None
        assert (found.count, found.rows.count()) == (None, 3000)
