"""The rows that a forward trace finds are those whose own trace finds a row that is meant. Generated queries over small tables.

`SPARK_LINEAGE_ROWS_ORACLE` is the number of cases of the long run.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from random import Random

import pytest
from query_grammar import Queries, Query
from small import Small
from test_sufficiency import NAMED, WORLDS
from turned import Turned
from worlds import rows_of

from spark_lineage.rows.contributing import contributed

RESULTS = Path(__file__).resolve().parents[3] / "benchmarks" / "results" / "forward.json"


def examine(small: Callable[[int], Small], seed: int, turned: Turned) -> None:
    chance, one = Random(seed), small(seed % WORLDS)
    rows = {table.name: rows_of(table, chance) for table in one.world.tables}
    turned.examine(one, Queries(one.world, chance).query(), rows, chance)


def test_a_selection(small: Callable[[int], Small]) -> None:
    turned = Turned()
    for seed in range(8):
        examine(small, seed, turned)
    print(json.dumps(turned.figures(), indent=2))
    assert turned.violations == [], "\n\n".join(turned.violations[:3])
    assert turned.rows > turned.cases / 2


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT u FROM t0 WHERE NOT (u NOT IN (SELECT k FROM t1))",
        "SELECT u FROM t0 WHERE NOT (u IN (SELECT k FROM t1) OR u = 1)",
        "SELECT u FROM t0 WHERE (u IN (SELECT k FROM t1)) = false",
        "SELECT u, NOT (u IN (SELECT k FROM t1) OR u = 1) AS n FROM t0",
    ],
)
def test_a_null_that_in_gives_is_that_of_the_query(sql: str, small: Callable[[int], Small]) -> None:
    """Where all rows of a table are meant, what they contributed to is all of the result, and no more."""
    one, chance = small(0), Random(3)
    rows = {table.name: rows_of(table, chance) for table in one.world.tables}
    rows["t1"][0][0] = None
    one.bind(rows)
    wanted = sorted(one.rows(Query(sql, ())))
    one.bind(rows, identified=True, meant={0: {row[1] for row in rows["t0"]}})
    with contributed(one.session.sql(sql)) as forward:
        assert sorted([] if forward.rows is None else forward.rows.collect()) == wanted


def test_a_constant_on_one_side_of_a_join_with_in(small: Callable[[int], Small]) -> None:
    """The condition names columns of both sides, which Spark refuses where they are no constants."""
    one, turned, chance = small(0), Turned(), Random(3)
    rows = {table.name: rows_of(table, chance) for table in one.world.tables}
    found_in = "a.c IN (SELECT t2.k FROM t2 WHERE t2.k <=> b.k)"
    query = f"SELECT a.u, b.u AS v FROM (SELECT u, 0 AS c FROM t0) a LEFT JOIN t1 b ON {found_in}"
    turned.examine(one, Query(query, ()), rows, chance)
    assert turned.violations == [], "\n\n".join(turned.violations[:2])
    assert turned.rows, turned.left_out


@pytest.mark.soak
@pytest.mark.parametrize("name", NAMED)
def test_each_operator(name: str, small: Callable[[int], Small]) -> None:
    if name == "recursion" and version("pyspark").startswith("4.0"):
        pytest.skip("Spark 4.0 has no recursive CTEs")
    one, turned, chance = small(0), Turned(), Random(3)
    rows = {table.name: rows_of(table, chance) for table in one.world.tables}
    turned.examine(one, Query(NAMED[name], ()), rows, chance, at_most=2)
    assert turned.violations == [], "\n\n".join(turned.violations[:2])
    assert turned.rows, turned.left_out


@pytest.mark.soak
def test_thousands(small: Callable[[int], Small]) -> None:
    """New ones each time; the seed is printed and kept."""
    cases, first = int(os.environ.get("SPARK_LINEAGE_ROWS_ORACLE", 1000)), random.randrange(10**9)
    print(f"seeds {first} to {first + cases - 1}")
    turned = Turned()
    for seed in range(first, first + cases):
        examine(small, seed, turned)
    RESULTS.write_text(json.dumps({"first_seed": first, **turned.figures()}, indent=2) + "\n", encoding="utf-8")
    assert turned.seldom_refuses()
    assert turned.violations == [], "\n\n".join(turned.violations[:3])
