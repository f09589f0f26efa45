"""Rows that get into a table without a query that makes them: clones, files that were there, what RESTORE brings back, writes that call themselves
no change. Forward to them, and back from them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shops import Shop

import spark_lineage
from spark_lineage.errors import NotFound
from spark_lineage.rows.witness import ForwardHop, Hop

pytestmark = pytest.mark.soak

COMPACTING = {"spark.databricks.delta.autoCompact.enabled": "true", "spark.databricks.delta.autoCompact.minNumFiles": "2"}


@pytest.fixture(scope="module")
def shop(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    made = Shop(spark, tmp_path_factory.mktemp("elsewhere"))
    table, place, sql = made.table, made.root, spark.sql
    rows = "SELECT id, id % 3 AS k FROM range(0, 6, 1, 1)"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(place / "key"))
        made.make("src", rows)
        made.make("quiet", "SELECT 99L AS id, 0L AS k")
        sql(f"CREATE TABLE {table('emptied')} (id BIGINT, k BIGINT) USING delta")
        sql(rows).write.parquet(str(place / "files"))
        made.make("back", "SELECT 9L AS id, 0L AS k")
        sql(f"INSERT INTO {table('back')} {rows}")
        with made.recorded():
            sql(f"CREATE TABLE {table('cloned')} SHALLOW CLONE {table('src')}")
            made.make("of_cloned", f"SELECT id, k + 10 AS k FROM {table('cloned')}")
            sql(f"CREATE OR REPLACE TABLE {table('emptied')} SHALLOW CLONE {table('src')}")
            sql(f"CONVERT TO DELTA parquet.`{place}/files`")
            _quietly(made, "append", "quiet")
            _quietly(made, "overwrite", "src")
            for name, value in COMPACTING.items():
                spark.conf.set(name, value)
            spark.table(table("src")).repartition(3).write.format("delta").save(str(place / "compacted"))
            for name in COMPACTING:
                spark.conf.unset(name)
            sql(f"DELETE FROM {table('back')} WHERE id < 6")
            sql(f"RESTORE TABLE {table('back')} TO VERSION AS OF 1")
            made.make("turned", f"SELECT id, k FROM {table('src')} WHERE id < 3")
            sql(f"UPDATE {table('turned')} SET k = 7 WHERE id = 0")
            made.make("of_updated", f"SELECT id FROM {table('turned')}")
            sql(f"DELETE FROM {table('turned')}")
            made.make("of_none", f"SELECT count(id) AS n FROM {table('turned')}")
            sql(f"RESTORE TABLE {table('turned')} TO VERSION AS OF 0")
            made.make("of_restored", f"SELECT id FROM {table('turned')}")
        yield made


def _quietly(made: Shop, mode: str, name: str) -> None:
    written = made.spark.table(made.table("src")).write.format("delta").option("dataChange", "false")
    written.mode(mode).save(str(made.root / name))


def forward(shop: Shop, name: str, where: str = "id = 2", **more: Any) -> list[ForwardHop]:
    found = spark_lineage.open(shop.root / "store").trace(
        str(shop.root / name), where=where, forward=True, spark=shop.spark, **more
    )
    return list(found)


def to(hops: list[ForwardHop], name: str) -> list[ForwardHop]:
    return [hop for hop in hops if hop.target is not None and Path(hop.target.name).name == name and hop.execution_id]


def told(hop: ForwardHop) -> tuple[Any, ...]:
    assert hop.target is not None
    return (
        hop.depth,
        hop.target.version,
        [row.values for row in hop.target.rows],
        hop.target.remaining,
        hop.completeness,
        hop.ended,
    )


def back(shop: Shop, name: str, **more: Any) -> list[Hop]:
    found = spark_lineage.open(shop.root / "store").trace(str(shop.root / name), where="id = 2", spark=shop.spark, **more)
    return list(found)


@pytest.fixture(scope="module")
def of_src(shop: Shop) -> list[ForwardHop]:
    return forward(shop, "src", depth=2)


def test_a_clone_has_the_rows_of_what_was_cloned(of_src: list[ForwardHop]) -> None:
    row = {"id": 2, "k": 2}
    (cloned,) = to(of_src, "cloned")
    assert (cloned.operation, told(cloned)) == ("clone", (1, 0, [row], 1, "exact", None))
    assert (cloned.source.version, cloned.source.count) == (0, 1)
    (emptied,) = to(of_src, "emptied")
    assert told(emptied) == (1, 1, [row], 1, "exact", None)
    (made,) = to(of_src, "of_cloned")
    assert told(made) == (2, 0, [{"id": 2, "k": 12}], 1, "exact", None)


def test_a_write_that_says_it_is_no_change_is_one_where_it_reads_another_table(of_src: list[ForwardHop]) -> None:
    (quiet,) = to(of_src, "quiet")
    assert told(quiet) == (1, 1, [{"id": 2, "k": 2}], 1, "exact", None)
    assert to(of_src, "src") == [], "there it wrote again what it read there"
    (compacted,) = to(of_src, "compacted")
    assert told(compacted)[:4] == (1, 0, [{"id": 2, "k": 2}], 1), "and so did the compaction behind a write"


def test_a_row_of_a_clone_is_a_row_of_what_was_cloned(shop: Shop) -> None:
    for name in ("cloned", "emptied"):
        passed, source = back(shop, name)
        assert f"version 0 of {shop.root / 'src'}" in str(passed.passed)
        assert (source.depth, source.name, source.version, source.written_version) == (1, str(shop.root / "src"), 0, 0)
        assert source.rows == ({"id": 2, "k": 2},)


def test_a_row_that_was_written_as_no_change_is_of_the_query(shop: Shop) -> None:
    (hop,) = back(shop, "quiet")
    assert hop.witness is not None
    assert [row.values for source in hop.witness.sources for row in source.rows] == [{"id": 2, "k": 2}]
    assert "rearranged" in str(back(shop, "src")[0].passed)


def test_files_that_become_a_table(shop: Shop) -> None:
    (hop,) = forward(shop, "files")
    assert (hop.operation, told(hop)) == ("convert to delta", (1, 0, [{"id": 2, "k": 2}], 1, "exact", None))
    (end,) = back(shop, "files")
    assert "files that others wrote" in str(end.ended)


def test_what_restore_brings_back_is_there(shop: Shop) -> None:
    (hop,) = to(forward(shop, "back"), "back")
    assert (hop.operation, hop.source.version) == ("restore", 1)
    assert told(hop) == (1, 3, [{"id": 2, "k": 2}], 1, "exact", None)
    with pytest.raises(NotFound):
        forward(shop, "back", "id = 99")


def test_rows_are_read_where_they_lie_before_and_after_a_restore(of_src: list[ForwardHop]) -> None:
    (updated,), (restored,) = to(of_src, "of_updated"), to(of_src, "of_restored")
    assert told(updated) == (2, 0, [{"id": 2}], 1, "superset", None), "UPDATE wrote its file again"
    assert told(restored) == (2, 0, [{"id": 2}], 1, "exact", None)
    assert to(of_src, "of_none") == [], "which it was not in"
    (hop,) = to(of_src, "turned")[1:]
    assert (hop.operation, told(hop)) == ("restore", (2, 3, [{"id": 2, "k": 2}], 1, "exact", None))
