"""Rows of the queries of TPC-H, traced to rows of Parquet files: the query over these rows alone gives the row, and without one of them another.

`SPARK_LINEAGE_ROWS_TPCH` is how many rows of a query are traced at most in the long run; all else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import tpc
from positions import Count, Tables

NEEDED = {"q01", "q03", "q05", "q06", "q07", "q09", "q10", "q12", "q14"}
"""Whose rows are `exact`, and sums to which each of them adds."""


@pytest.fixture(scope="module")
def tables(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    folder = tmp_path_factory.mktemp("tpch")
    command = [
        Path(sys.executable).parent / "tpchgen-cli",
        "parquet",
        "--scale-factor",
        "0.01",
        "--output-dir",
        folder,
        "--no-progress",
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    session = spark.newSession()
    yield Tables(session, {path.stem: session.read.parquet(str(path)) for path in sorted(folder.glob("*.parquet"))})
    for path in folder.glob("*.parquet"):
        session.catalog.dropTempView(path.stem)


@pytest.mark.parametrize("name", ["q02", "q04", "q13", "q18", "q21"])
def test_a_row(name: str, tables: Tables) -> None:
    count = Count()
    row = Random(0).choice(tables.result(tpc.TPCH[name]))
    tables.examine(name, tpc.TPCH[name], row, count)
    assert count.wrong == []


@pytest.mark.parametrize("name", ["q03", "q06"])
def test_none_of_its_rows_can_be_missing(name: str, tables: Tables) -> None:
    count = Count()
    row = Random(0).choice(tables.result(tpc.TPCH[name]))
    tables.examine(name, tpc.TPCH[name], row, count, needed=2)
    assert count.wrong == []
    assert count.taken_away > 1


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(NEEDED))
def test_none_of_the_rows_of_exact_ones_can_be_missing(name: str, tables: Tables) -> None:
    count = Count()
    rows = tables.result(tpc.TPCH[name])
    for row in Random(0).sample(rows, min(3, len(rows))):
        tables.examine(name, tpc.TPCH[name], row, count, needed=5)
    print(f"{name}: {count.rows} rows traced, {count.taken_away} times one of theirs was taken away")
    assert count.wrong == []
    assert count.taken_away > 1


@pytest.mark.soak
@pytest.mark.parametrize("name", tpc.TPCH)
def test_every_row(name: str, tables: Tables) -> None:
    count, rows = Count(), tables.result(tpc.TPCH[name])
    for row in Random(0).sample(rows, min(len(rows), int(os.environ.get("SPARK_LINEAGE_ROWS_TPCH", len(rows))))):
        tables.examine(name, tpc.TPCH[name], row, count)
    print(f"{name}: {count.rows} of {len(rows)} rows traced")
    assert count.wrong == []
