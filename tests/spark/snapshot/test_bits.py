"""Spark gives the bits of the specification, whatever its settings, and the same as the code that needs no JVM."""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from every_type import DDL, MAKERS, other_value, rows_of
from pyspark.sql import functions as F  # noqa: N812 (its usual name)

from spark_lineage.snapshot import arrow
from spark_lineage.snapshot.kinds import columns_of
from spark_lineage.snapshot.spark import row_hashes, sums_of_frame

SETTINGS = {
    "spark.sql.session.timeZone": "Pacific/Chatham",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.legacy.sizeOfNull": "true",
}


@pytest.fixture(scope="module")
def frame(spark: Any) -> Iterator[Any]:
    frame = spark.createDataFrame(rows_of(Random(1), 400), DDL).localCheckpoint()
    yield frame
    frame.unpersist()


def test_every_type_with_and_without_a_jvm(frame: Any) -> None:
    columns = columns_of(frame.schema.json())
    assert len(columns) == len(MAKERS)
    table = frame.toArrow()
    found, alone = sums_of_frame(frame), arrow.sums_of(table.combine_chunks().to_batches(), columns)
    differ = [
        column.name
        for column in columns
        if found != alone
        and sums_of_frame(frame.select(frame[f"`{column.name.replace('`', '``')}`"]))
        != arrow.sums_of(table.to_batches(), (column,))
    ]
    assert found == alone, differ


def test_settings_and_partitions_make_no_difference(spark: Any, frame: Any) -> None:
    expected = sums_of_frame(frame)
    assert {sums_of_frame(frame.repartition(parts)) for parts in (1, 8, 50)} == {expected}
    for name, value in SETTINGS.items():
        before = spark.conf.get(name)
        spark.conf.set(name, value)
        try:
            assert sums_of_frame(frame.orderBy(F.rand(1))) == expected, name
        finally:
            spark.conf.set(name, before)


def test_a_cell_changed_at_a_time(spark: Any) -> None:
    """Each row once as it is and once with one other cell: the two hashes of a lane differ, for every type."""
    count = int(os.environ.get("SPARK_LINEAGE_MUTATIONS", 800))
    _mutate(spark, count, 3)


@pytest.mark.soak
def test_a_hundred_thousand_changed_cells(spark: Any) -> None:
    seed = Random().randrange(10**9)
    print(f"seed {seed}")
    for part in range(20):
        _mutate(spark, 5_000, seed + part)


def _mutate(spark: Any, count: int, seed: int) -> None:
    chance, names = Random(seed), list(MAKERS)
    before = rows_of(chance, count)
    after = []
    for at, row in enumerate(before):
        column = at % len(names)
        after.append((*row[:column], other_value(chance, names[column], row[column]), *row[column + 1 :]))
    one, other = (spark.createDataFrame(rows, DDL) for rows in (before, after))
    hashes = [frame.select(*row_hashes(columns_of(frame.schema.json()))).collect() for frame in (one, other)]
    for lane in ("h0", "h1"):
        same = [names[at % len(names)] for at, (was, now) in enumerate(zip(*hashes, strict=True)) if was[lane] == now[lane]]
        assert same == []


def test_a_variant_has_no_order_of_names(spark: Any) -> None:
    texts = ('{"a":1,"b":[1,2.5,"x"]}', '{"b":[1,2.5,"x"],"a":1}', None, "1", "1.0", '"1"', '{"a":1}', "[1]", "null")
    frame = spark.createDataFrame([(text,) for text in texts], "t string").selectExpr(
        "parse_json(t) v", "array(parse_json(t)) a"
    )
    for name in ("v", "a"):
        one = frame.select(name)
        hashes = [row.h0 for row in one.select(*row_hashes(columns_of(one.schema.json()))).collect()]
        assert hashes[0] == hashes[1]
        assert len(set(hashes)) == len(texts) - 1


def test_intervals_of_months_and_void(spark: Any) -> None:
    frame = spark.sql("SELECT make_ym_interval(0, m) y, null n, array(null) a FROM VALUES (1), (2), (null) t(m)")
    hashes = frame.select(*row_hashes(columns_of(frame.schema.json()))).collect()
    assert len({row.h0 for row in hashes}) == 3
    assert sums_of_frame(frame.drop("n")) == sums_of_frame(frame)
