"""Rows of the queries of TPC-DS, traced to rows of Parquet files: the query over these rows alone gives the row.

The tables are small ones that are made so that most queries find rows (`replay/tpcds.py`). What is not plain about a query there (a LIMIT
whose order is not total) has each row once in the result all the same: the rows that are found are those of all equal ones.

`SPARK_LINEAGE_ROWS_TPCDS` is how many rows of a query are traced at most in the long run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest
import tpc
import tpcds
from positions import Count, Tables

ROWS = int(os.environ.get("SPARK_LINEAGE_ROWS_TPCDS", 3))
QUICK = ("q3", "q22", "q34", "q42", "q61", "q92")
"""Joins and groups, a rollup, a group of groups, a global aggregate twice, a scalar subquery that is correlated."""

WITHOUT_ROWS = {"q4", "q21", "q49", "q54", "q58", "q64", "q78", "q83", "q85", "q91", "q23b", "q39a", "q39b"}
"""The queries that find nothing in these tables: of them there is no row to be traced."""


@pytest.fixture(scope="module")
def tables(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    folder, session = tmp_path_factory.mktemp("tpcds"), spark.newSession()
    for name, value in tpc.TINY.items():
        session.conf.set(name, value)
    frames = {}
    for table, rows in tpcds.tables():
        pq.write_table(rows, folder / f"{table.name}.parquet")
        frames[table.name] = session.read.parquet(str(folder / f"{table.name}.parquet"))
    yield Tables(session, frames)
    for name in frames:
        session.catalog.dropTempView(name)


def examined(tables: Tables, name: str, at_most: int) -> Count:
    text, count = tpcds.QUERIES[name], Count()
    rows = tables.result(text)
    for row in Random(0).sample(rows, min(at_most, len(rows))):
        tables.examine(name, text, row, count)
    print(f"{name}: {count.rows} of {len(rows)} rows traced")
    return count


@pytest.mark.parametrize(
    "name", [name if name in ("q22", "q92") else pytest.param(name, marks=pytest.mark.soak) for name in QUICK]
)
def test_a_row(name: str, tables: Tables) -> None:
    count = examined(tables, name, 1)
    assert count.wrong == []
    assert count.rows, "a query without rows shows nothing"


@pytest.mark.soak
@pytest.mark.parametrize("name", tpcds.QUERIES)
def test_some_rows(name: str, tables: Tables) -> None:
    count = examined(tables, name, ROWS)
    assert count.wrong == []
    assert bool(count.rows) is (name not in WITHOUT_ROWS)
