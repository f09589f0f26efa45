"""Rows are told with the files that they are in, whatever characters their paths have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spark_lineage.rows.identity import identified
from spark_lineage.rows.local import local_frame
from spark_lineage.rows.tracing import MOST, follow

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
