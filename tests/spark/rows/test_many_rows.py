"""Of many rows that are here already only those that are shown come to Python: they are the same, and as many are counted."""

from __future__ import annotations

from typing import Any

import pytest

from spark_lineage.rows import tracing
from spark_lineage.rows.identity import identified
from spark_lineage.rows.local import local_frame
from spark_lineage.rows.tracing import follow


def leaf(rows: Any, number: int) -> Any:
    return identified(rows, number).select(*rows.columns)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT k, sum(id) AS s FROM t GROUP BY k",
        "SELECT a.k, sum(a.id) AS s, max(b.v) AS v FROM t a JOIN t b ON a.id = b.id + 4 GROUP BY a.k",  # one source, two ways in
        "SELECT k, count(*) AS n FROM (SELECT k FROM t UNION ALL SELECT k FROM u) GROUP BY k",
        "SELECT DISTINCT k FROM w",
    ],
)
def test_the_same_are_shown(query: str, spark: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    session = spark.newSession()
    for number, name in enumerate("tu"):
        place = f"{tmp_path}/{name}"
        session.range(0, 300, 1, 3).selectExpr("id", "id % 4 AS k", "'v' || id AS v").write.format("delta").save(place)
        leaf(session.read.format("delta").load(place), number).createOrReplaceTempView(name)
    session.range(0, 40, 1, 1).selectExpr("id", "id % 4 AS k", "map('a', id) AS m").createOrReplaceTempView("v")
    leaf(session.table("v"), 2).createOrReplaceTempView("w")
    plan = session.sql(query)
    targets = local_frame(session, [tuple(row) for row in plan.where("k = 1").collect()], plan.schema)
    all_at_once = follow(plan, targets, limit=7)
    monkeypatch.setattr(tracing, "_FEW", 0)
    shown = follow(plan, targets, limit=7)
    assert shown == all_at_once
    assert all(len(rows) == min(7, count) for rows, count in shown.rows.values())
    assert max((count for _, count in shown.rows.values()), default=0) > 7, shown
