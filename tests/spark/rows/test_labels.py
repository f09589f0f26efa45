"""Witnesses that are more than what counts, or suffice only as they were read, are called so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from shops import Shop

import spark_lineage

COLLATED = "spark.databricks.delta.schema.typeCheck.enabled"
"""Delta stores texts with a collation where it does not look."""


@pytest.fixture(scope="module")
def shop(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    root = tmp_path_factory.mktemp("labels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LINEAGE_EXECUTABLES_KEY", str(root / "key"))
        spark.conf.set(COLLATED, "false")
        one = Shop(spark, root)
        one.make("values", "SELECT * FROM VALUES (1, 'a', 'x'), (1, 'b', 'y'), (1, 'c', 'z') AS v(k, g, s)")
        one.make("numbers", "SELECT id AS u FROM range(3)")
        one.make("texts", "SELECT u, named_struct('a', s COLLATE UTF8_LCASE) AS s FROM VALUES (1, 'x'), (2, 'X') AS v(u, s)")
        with one.recorded():
            one.make("pivoted", f"SELECT * FROM {one.table('values')} PIVOT (max(s) FOR g IN ('a', 'b'))")
            numbers = one.table("numbers")
            joined = f"FROM {numbers} a LEFT JOIN {numbers} b ON b.u = (a.u + 1) % 3"
            one.make("first", f"SELECT a.u AS x, b.u AS y {joined} ORDER BY y DESC NULLS FIRST LIMIT 1")
            one.make("all", f"SELECT a.u AS x, b.u AS y {joined}")
            one.make("there", f"SELECT u FROM {numbers} WHERE EXISTS (SELECT 1 FROM {one.table('values')})")
            handed = spark.createDataFrame(spark.table(numbers).toArrow())
            handed.join(spark.table(numbers), "u").write.format("delta").save(f"{root}/handed")
            texts = spark.table(numbers).selectExpr("CAST(u AS STRING) AS n", "u")
            texts.transpose("n").write.format("delta").save(f"{root}/turned")
            one.make("named", f"SELECT s FROM {one.table('texts')}")
            one.make("on", f"SELECT s FROM {one.table('named')}")
            spark.sql(f"UPDATE {one.table('on')} SET s = named_struct('a', 'y') WHERE s.a = 'z'")
        yield one
        spark.conf.unset(COLLATED)


def test_a_pivot_of_texts_counts_some_of_a_group(shop: Shop) -> None:
    witness = shop.trace("pivoted", "k = 1").witness
    assert witness is not None
    assert (witness.completeness, [source.count for source in witness.sources]) == ("superset", [3])


@pytest.mark.parametrize(("name", "completeness"), [("first", "superset"), ("all", "exact")])
def test_a_limit_over_a_table_that_is_read_twice(shop: Shop, name: str, completeness: str) -> None:
    witness = shop.trace(name, "x = 1").witness
    assert witness is not None
    assert witness.completeness == completeness
    assert [row.values["u"] for source in witness.sources for row in source.rows] == [1, 2]
    assert any("is read more than once" in reason for reason in witness.reasons) == (name == "first")


def test_which_row_exists_does_not_matter(shop: Shop) -> None:
    witness = shop.trace("there", "u = 1").witness
    assert witness is not None
    assert (witness.completeness, [(source.count, source.whole) for source in witness.sources]) == (
        "superset",
        [(0, "a scalar subquery reads it"), (1, None)],
    )


@pytest.mark.parametrize(("name", "where", "why"), [("handed", "u = 1", "createDataFrame"), ("turned", "true", "transpose()")])
def test_rows_that_went_through_the_program_may_lack_some(shop: Shop, name: str, where: str, why: str) -> None:
    witness = shop.trace(name, where).witness
    assert witness is not None
    assert witness.completeness == "partial"
    assert any(why in reason for reason in witness.reasons)


def test_what_is_made_of_them_may_be_more(shop: Shop) -> None:
    hops = spark_lineage.open(shop.root / "store").trace(
        str(shop.root / "numbers"), forward=True, where="u = 1", spark=shop.spark
    )
    labels = {
        str(hop.target.name).rsplit("/", 1)[-1]: (hop.completeness, hop.target.count) for hop in hops if hop.target is not None
    }
    assert labels["handed"] == ("partial", 1)
    assert labels["all"] == ("exact", 2)


def test_texts_within_structs_are_told_apart_that_their_collation_holds_equal(shop: Shop) -> None:
    witness = shop.trace("on", "s.a COLLATE UTF8_BINARY = 'x'").witness
    assert witness is not None
    assert [(source.count, [row.values["s"]["a"] for row in source.rows]) for source in witness.sources] == [(1, ["x"])]
    first, second = spark_lineage.open(shop.root / "store").trace(
        str(shop.root / "texts"), forward=True, where="u = 1", spark=shop.spark, depth=2
    )
    assert [(hop.source.count, hop.target.count, hop.target.remaining) for hop in (first, second) if hop.target] == [
        (1, 1, 1),
        (1, 1, 1),
    ]
