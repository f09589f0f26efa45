"""Rows that an order holds equal: which of them a window numbers first is another one each time, and a trace does not take today's for that of then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql.types import DoubleType, LongType, StructField, StructType

from spark_lineage.rows.identity import identified
from spark_lineage.rows.local import local_frame
from spark_lineage.rows.lots import follow_apart
from spark_lineage.rows.tracing import TAG, Followed, follow

ROWS = "VALUES (1, 'a', 1, 10), (1, 'b', {second}, 20), (2, 'a', 1, 30), (2, 'c', 5, 50) AS t(id, k, at, x)"
NUMBERED = "SELECT *, row_number() OVER (PARTITION BY id ORDER BY at) AS r FROM {source}"
SUMS = f"SELECT k, sum(x) AS total FROM ({NUMBERED}) WHERE r = 1 GROUP BY k"


def leaf(spark: Any, second: int, folder: Path) -> None:
    """A view `source` of rows with their identity; the second of the first partition is at 1, as the first is, or later."""
    spark.sql(f"SELECT * FROM {ROWS.format(second=second)}").coalesce(1).write.parquet(str(folder))
    rows = spark.read.parquet(str(folder))
    identified(rows, 0).select(rows.columns).createOrReplaceTempView("ties_source")


def asked(spark: Any, sql: str, row: tuple[Any, ...]) -> Followed:
    plan = spark.sql(sql.format(source="ties_source"))
    return follow(plan, local_frame(spark, [row], plan.schema), fixed=True)


def places(followed: Followed) -> set[int]:
    return {int(row.position or 0) for row in followed.rows[0][0]} if 0 in followed.rows else set()


@pytest.mark.parametrize("row", [("a", 40), ("a", 30)])
def test_which_was_first_is_not_taken_for_known(row: tuple[Any, ...], spark: Any, tmp_path: Path) -> None:
    """Either is a row that the job may have written; the trace gives the rows of the one that the plan gives now, and says so, or none."""
    leaf(spark, 1, tmp_path / "rows")
    now = {tuple(one) for one in spark.sql(SUMS.format(source="ties_source")).collect()}
    followed = asked(spark, SUMS, row)
    assert not followed.deterministic
    assert followed.chooses
    assert followed.missing == (0 if row in now else 1)
    assert places(followed) == ({0, 1, 2} if row == ("a", 40) and row in now else {2} if row in now else set())
    plan = spark.sql(SUMS.format(source="ties_source"))
    numbered = local_frame(spark, [(7, *row)], StructType([StructField(TAG, LongType()), *plan.schema]))
    told = follow_apart(plan, numbered, per_row=10, fixed=True)
    try:
        assert (told.deterministic, told.chooses, told.given) == (False, True, frozenset({7} if row in now else set()))
    finally:
        told.close()


def test_an_order_without_equal_rows_is_as_good_as_any(spark: Any, tmp_path: Path) -> None:
    leaf(spark, 2, tmp_path / "rows")
    followed = asked(spark, SUMS, ("a", 40))
    assert (followed.deterministic, followed.chooses, followed.missing) == (True, False, 0)
    assert {0, 2} <= places(followed)


@pytest.mark.parametrize(
    ("function", "depends"),
    [
        ("row_number() OVER w", True),
        pytest.param("ntile(2) OVER w", True, marks=pytest.mark.soak),
        pytest.param("lag(x) OVER w", True, marks=pytest.mark.soak),
        pytest.param("lead(x) OVER w", True, marks=pytest.mark.soak),
        pytest.param("nth_value(x, 1) OVER w", True, marks=pytest.mark.soak),
        pytest.param("sum(x) OVER (PARTITION BY id ORDER BY at ROWS UNBOUNDED PRECEDING)", True, marks=pytest.mark.soak),
        pytest.param("sum(x) OVER (PARTITION BY id ORDER BY at)", False, marks=pytest.mark.soak),
        pytest.param(
            "sum(x) OVER (PARTITION BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)",
            False,
            marks=pytest.mark.soak,
        ),
        ("rank() OVER w", False),
        pytest.param("dense_rank() OVER w", False, marks=pytest.mark.soak),
        pytest.param("cume_dist() OVER w", False, marks=pytest.mark.soak),
    ],
)
def test_functions_that_depend_on_it(function: str, depends: bool, spark: Any, tmp_path: Path) -> None:
    """Where it is only shown nothing is chosen by it, where a condition asks for it rows are."""
    leaf(spark, 1, tmp_path / "rows")
    made = f"SELECT *, {function} AS f FROM ties_source WINDOW w AS (PARTITION BY id ORDER BY at)"
    rows = spark.sql(made.replace("ties_source", "(SELECT * FROM ties_source WHERE id = 2)")).collect()
    row = next(one for one in rows if one.f is not None)
    shown = asked(spark, made, tuple(row))
    assert (shown.deterministic, shown.chooses) == (not depends, False)
    decides = f"SELECT id, k FROM ({made}) WHERE f IS NOT DISTINCT FROM {row.f!r}"
    followed = asked(spark, decides, (row.id, row.k))
    assert (followed.deterministic, followed.chooses) == (not depends, depends)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "0.5"])
def test_doubles_that_are_no_numbers_are_equal_to_themselves_alone(value: str, spark: Any, tmp_path: Path) -> None:
    values = ["NaN", "Infinity", "-Infinity", "0.5"]
    frame = local_frame(spark, [(float(one),) for one in values], StructType([StructField("x", DoubleType())]))
    frame.coalesce(1).write.parquet(str(tmp_path / "rows"))
    rows = spark.read.parquet(str(tmp_path / "rows"))
    plan = identified(rows, 0).select("x")
    followed = follow(plan, local_frame(spark, [(float(value),)], plan.schema))
    assert [row.position for row in followed.rows[0][0]] == [values.index(value)]
