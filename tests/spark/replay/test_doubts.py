"""What in a query need not give the same each time over the same rows, as the analyzed plan tells it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F  # noqa: N812 (its usual name)

from spark_lineage.replay.causes import doubts_of

ROWS = "SELECT id, id % 3 AS k, CAST(id AS DOUBLE) / 3 AS d FROM range(9)"
OF_FLOATS = "of floats, which depends on the order in which they are added up"
BY_ROWS = "by rows over an order in which rows may be equal"


@pytest.mark.parametrize(
    ("expression", "doubts"),
    [
        ("sum(id) OVER (ORDER BY k ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)", (f"ties: sum {BY_ROWS}",)),
        ("count(*) OVER (PARTITION BY k ORDER BY id ROWS 2 PRECEDING)", (f"ties: count {BY_ROWS}",)),
        ("sum(id) OVER (ORDER BY k ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)", ()),
        ("sum(id) OVER (ORDER BY k)", ()),
        ("rank() OVER (ORDER BY k)", ()),
        ("regr_sxx(d, d)", (f"float: regr_sxx {OF_FLOATS}",)),
        ("regr_syy(d, id)", (f"float: regr_syy {OF_FLOATS}",)),
        ("regr_avgx(d, d) + regr_avgy(d, d)", (f"float: regr_avgx {OF_FLOATS}", f"float: regr_avgy {OF_FLOATS}")),
        ("regr_count(d, d)", ()),
        ("approx_top_k(k)", ("order: approx_top_k",)),
        ("approx_top_k_estimate(approx_top_k_accumulate(k))", ("order: approx_top_k_accumulate",)),
        ("kll_sketch_agg_double(d)", ("order: kll_sketch_agg_double",)),
        ("kll_sketch_merge_bigint(kll_sketch_agg_bigint(id), kll_sketch_agg_bigint(k))", ("order: kll_sketch_merge_bigint", "order: kll_sketch_agg_bigint")),
        ("hll_sketch_agg(id)", ("order: hll_sketch_agg",)),
        ("theta_sketch_agg(id)", ("order: theta_sketch_agg",)),
        ("approx_count_distinct(id)", ()),
    ],
)  # fmt: skip
def test_expressions(spark: Any, expression: str, doubts: tuple[str, ...]) -> None:
    if expression.startswith(("kll", "approx_top_k", "theta")) and spark.version < "4.1":
        pytest.skip("functions of Spark 4.1")
    assert doubts_of(spark.sql(f"SELECT {expression} AS x FROM ({ROWS})")) == doubts


ALIKE = "order: texts that are equal in their collation, of which any one is told"


@pytest.mark.parametrize(
    ("query", "doubts"),
    [
        ("SELECT count(*) AS n FROM v GROUP BY s COLLATE UTF8_LCASE", (ALIKE,)),
        ("SELECT DISTINCT s COLLATE UTF8_LCASE AS s FROM v", (ALIKE,)),
        ("SELECT max(s COLLATE UTF8_LCASE) AS s FROM v", (ALIKE,)),
        ("SELECT DISTINCT s, max(s) OVER () AS m FROM v", ()),
        ("SELECT CAST(' Now' AS TIMESTAMP) AS t, CAST('2020-01-01' AS DATE) AS d FROM v", ("random: ' Now' as a time",)),
    ],
)
def test_queries(spark: Any, query: str, doubts: tuple[str, ...]) -> None:
    assert doubts_of(spark.sql(query.replace("FROM v", "FROM VALUES ('a'), ('A') AS v(s)"))) == doubts


def test_what_is_told_of_files(spark: Any, tmp_path: Path) -> None:
    spark.range(2).write.parquet(str(tmp_path / "rows"))
    told = spark.read.parquet(str(tmp_path / "rows")).selectExpr("id", "_metadata.file_name AS f")
    assert doubts_of(told) == ("order: _metadata, which tells files",)


def test_products(spark: Any) -> None:
    assert doubts_of(spark.sql(ROWS).agg(F.product("d"))) == (f"float: product {OF_FLOATS}",)
