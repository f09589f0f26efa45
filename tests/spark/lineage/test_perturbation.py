"""Changing a source column changes only what an edge leads to: generated queries over small tables, run before and after.

`SPARK_LINEAGE_ORACLE` is the number of cases of the long run. A case that fails prints its tables, query, edges and rows;
hypothesis makes it smaller first.
"""

from __future__ import annotations

import json
import os
import platform
import random
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from changes import change_of, examine_change
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import Bench, Tally, depends_on_order, examine
from query_grammar import Query, query_of
from worlds import rows_of

RESULTS = Path(__file__).resolve().parents[3] / "benchmarks" / "results" / "perturbation.json"
WORLDS = 4
seeds = st.integers(0, 2**32 - 1)


def test_a_selection(bench: Callable[[int], Bench]) -> None:
    """The same few queries, and a few changes of a table, each time. Most are looked at over one lot of rows: other queries
    find more than other rows do."""
    tally = Tally()
    for seed in range(int(os.environ.get("SPARK_LINEAGE_ORACLE", 32))):
        examine_seed(bench, seed, tally, rounds=1 if seed % 8 else 3)
    for seed in range(2):
        examine_change(bench(seed % WORLDS), change_of(bench(seed % WORLDS).world, Random(seed)), Random(seed), tally)
    print(f"{json.dumps(tally.figures(), indent=2)}\n{tally.table()}")
    assert tally.violations == [], "\n\n".join(tally.violations[:3])
    assert tally.checked > 0.8 * tally.cases
    assert all(tally.mattered.values())


@pytest.mark.parametrize(
    ("sql", "depends"),
    [
        ("SELECT a.u, count(*) OVER (PARTITION BY a.k) AS n, sum(b.k) OVER (PARTITION BY b.u) AS s FROM t0 a JOIN t2 b ON a.k = b.k", False),
        ("SELECT u, max(n) AS n, rank() OVER (ORDER BY u) AS r FROM (SELECT u, count(*) AS n FROM t0 GROUP BY u) GROUP BY u ORDER BY u LIMIT 2", False),
        ("SELECT k, max_by(g, 1) AS g, count(DISTINCT u) AS n FROM t0 GROUP BY k", True),
        ("SELECT k, max_by(g, u) AS g, count(DISTINCT u) AS n, sum(DISTINCT k) AS s FROM t0 GROUP BY k", False),
        ("SELECT first(g) AS g FROM (SELECT a.g FROM t0 a LEFT JOIN t2 b ON a.k = b.k)", True),
        ("SELECT listagg(g, ',') WITHIN GROUP (ORDER BY x) AS g FROM (SELECT g, 1 AS x, max(a0) OVER (PARTITION BY k) AS m FROM t0)", True),
        ("SELECT g FROM (SELECT g, 1 AS x, max(a0) OVER (PARTITION BY k) AS m FROM t0) WHERE m IS NULL OR m >= 0 ORDER BY x OFFSET 1", True),
    ],
)  # fmt: skip
def test_what_the_order_of_rows_decides_is_told_apart(sql: str, depends: bool, bench: Callable[[int], Bench]) -> None:
    """Also where a sort of Spark's own, for a join or a window, gives one order whatever that of the tables is."""
    one, chance = bench(0), Random(7)
    one.open(Query(sql, ()))
    rows = {table.name: rows_of(table, chance) for table in one.world.tables}
    for at, row in enumerate(rows["t0"]):  # each row another one, and none without a partner
        row[0], row[2] = at % 4, f"g{at}"
    for at, row in enumerate(rows["t2"]):
        row[0] = at % 4
    base = one.result(rows)
    assert base
    assert depends_on_order(one, rows, base, chance) is depends


@pytest.mark.soak
def test_thousands(bench: Callable[[int], Bench]) -> None:
    """New ones each time; the seed is printed and kept."""
    cases, first = int(os.environ.get("SPARK_LINEAGE_ORACLE", 3000)), random.randrange(10**9)
    print(f"seeds {first} to {first + cases - 1}")
    started, tally = time.monotonic(), Tally()
    for seed in range(first, first + cases):
        examine_seed(bench, seed, tally)
        if seed % 50 == 0:
            examine_change(bench(seed % WORLDS), change_of(bench(seed % WORLDS).world, Random(seed)), Random(seed), tally)
    seconds = time.monotonic() - started
    figures = {"first_seed": first, "seconds": round(seconds, 1), "cpus": len(os.sched_getaffinity(0)), "python": platform.python_version(), **tally.figures()}  # fmt: skip
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(tally.table())
    assert tally.violations == [], "\n\n".join(tally.violations[:3])


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(chance=st.randoms(use_true_random=False), number=st.integers(0, WORLDS - 1), seed=seeds)
def test_made_smaller(bench: Callable[[int], Bench], chance: Random, number: int, seed: int) -> None:
    """The grammar in hypothesis' hands: a query that fails is made smaller before it is shown."""
    said = examine(bench(number), query_of(bench(number).world, chance), Random(seed), Tally())
    assert said is None, said


def examine_seed(bench: Callable[[int], Bench], seed: int, tally: Tally, rounds: int = 3) -> None:
    one = bench(seed % WORLDS)
    examine(one, query_of(one.world, Random(seed)), Random(seed), tally, rounds)
