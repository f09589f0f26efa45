"""The rows that a trace finds suffice: the query over these alone gives the row. Generated queries over small tables.

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
from small import TOGETHER, Small, Tally, is_exact
from worlds import rows_of

from spark_lineage.rows.tracing import follow

RESULTS = Path(__file__).resolve().parents[3] / "benchmarks" / "results" / "sufficiency.json"
WORLDS = 4


def examine(small: Callable[[int], Small], seed: int, tally: Tally) -> None:
    chance, one = Random(seed), small(seed % WORLDS)
    rows = {table.name: rows_of(table, chance) for table in one.world.tables}
    one.examine(Queries(one.world, chance).query(), rows, chance, tally)


def test_a_selection(small: Callable[[int], Small]) -> None:
    tally = Tally()
    for seed in range(8):
        examine(small, seed, tally)
    print(json.dumps(tally.figures(), indent=2))
    assert tally.violations == [], "\n\n".join(tally.violations[:3])
    assert tally.rows > tally.cases / 2


NAMED = {
    "projection": "SELECT k + u AS c FROM t0",
    "maps": "SELECT map('a', k) AS m, 1 AS one FROM t0",
    "filter": "SELECT u FROM t0 WHERE k > 0",
    "inner join": "SELECT a.u, b.u AS v FROM t0 a JOIN t1 b ON a.k = b.k",
    "left join": "SELECT a.u, b.u AS v FROM t0 a LEFT JOIN t1 b ON a.k = b.k",
    "full join": "SELECT a.u, b.u AS v FROM t0 a FULL JOIN t1 b ON a.k = b.k",
    "self join": "SELECT a.u, b.u AS v FROM t0 a JOIN t0 b ON a.k = b.k AND a.u <> b.u",
    "semi join": "SELECT u FROM t0 a LEFT SEMI JOIN t1 b ON a.k = b.k",
    "anti join": "SELECT u FROM t0 a LEFT ANTI JOIN t1 b ON a.k = b.k",
    "in": "SELECT u FROM t0 WHERE k IN (SELECT k FROM t1)",
    "not in": "SELECT u FROM t0 WHERE u NOT IN (SELECT u FROM t1 WHERE u IS NOT NULL)",
    "not not in": "SELECT u FROM t0 WHERE NOT (u NOT IN (SELECT k FROM t1))",
    "not in or": "SELECT u FROM t0 WHERE NOT (u IN (SELECT k FROM t1 WHERE k IS NOT NULL) OR u = 1)",
    "exists or": "SELECT u FROM t0 WHERE u = 1 OR EXISTS (SELECT 1 FROM t1 WHERE t1.k = t0.k)",
    "scalar": "SELECT u FROM t0 WHERE u >= (SELECT avg(u) FROM t1)",
    "correlated scalar": "SELECT u, (SELECT count(*) FROM t1 WHERE t1.k = t0.k) AS n FROM t0",
    "lateral": "SELECT t0.u, l.n FROM t0, LATERAL (SELECT max(u) AS n FROM t1 WHERE t1.k = t0.k) l",
    "group": "SELECT k, sum(u) AS s, count(*) AS n FROM t0 GROUP BY k",
    "no groups": "SELECT count(DISTINCT k) AS n, min(u) AS m FROM t0",
    "having": "SELECT k, sum(u) AS s FROM t0 GROUP BY k HAVING count(*) > 1",
    "group by maps": "SELECT m, count(*) AS n FROM (SELECT IF(u % 2 = 0, map('a', k, 'b', 2), map('b', 2, 'a', k)) AS m FROM t0) GROUP BY m",
    "group by inner maps": "SELECT s, count(*) AS n FROM (SELECT struct(IF(u % 2 = 0, map('a', k, 'b', 2), map('b', 2, 'a', k)) AS m) AS s FROM t0) GROUP BY s",
    "filter clause": "SELECT k, sum(u) FILTER (WHERE u > 2) AS s FROM t0 GROUP BY k",
    "rollup": "SELECT k, g, sum(u) AS s, grouping_id() AS i FROM t0 GROUP BY ROLLUP (k, g)",
    "cube": "SELECT k, g, count(*) AS n FROM t0 GROUP BY CUBE (k, g)",
    "groups of groups": "SELECT n, count(*) AS m FROM (SELECT k, count(*) AS n FROM t0 GROUP BY k) GROUP BY n",
    "distinct": "SELECT DISTINCT g FROM t0",
    "union": "SELECT u FROM t0 UNION ALL SELECT u FROM t1",
    "union distinct": "SELECT k FROM t0 UNION SELECT k FROM t1",
    "intersect": "SELECT k FROM t0 INTERSECT SELECT k FROM t1",
    "intersect all": "SELECT k FROM t0 INTERSECT ALL SELECT k FROM t1",
    "except": "SELECT u FROM t0 EXCEPT SELECT u FROM t1",
    "except all": "SELECT k FROM t0 EXCEPT ALL SELECT k FROM t1",
    "window": "SELECT u, sum(u) OVER (PARTITION BY k ORDER BY u) AS s FROM t0",
    "rank": "SELECT * FROM (SELECT u, k, rank() OVER (PARTITION BY k ORDER BY u DESC) AS r FROM t0) WHERE r = 1",
    "frame behind": "SELECT u, lead(u) OVER (ORDER BY u) AS n, sum(u) OVER (ORDER BY u ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS s FROM t0",
    "nulls in the order": "SELECT u, row_number() OVER (ORDER BY k DESC NULLS FIRST, u) AS r FROM t0",
    "share": "SELECT u, u / (1 + sum(u) OVER (PARTITION BY k)) AS s, ntile(2) OVER (PARTITION BY k ORDER BY u) AS n FROM t0",
    "group over window": "SELECT r, sum(s) AS t FROM (SELECT k, sum(u) OVER (PARTITION BY k ORDER BY u) AS s, row_number() OVER (PARTITION BY k ORDER BY u) AS r FROM t0) GROUP BY r",
    "explode": "SELECT u, i FROM t0 LATERAL VIEW OUTER explode(array(u, k)) e AS i",
    "pivot": "SELECT * FROM (SELECT k, g, u FROM t0) PIVOT (sum(u) FOR g IN ('a', 'b'))",
    "unpivot": "SELECT * FROM (SELECT u, k FROM t0) UNPIVOT (value FOR name IN (u, k))",
    "top": "SELECT u FROM t0 ORDER BY u DESC LIMIT 2",
    "offset": "SELECT u FROM t0 ORDER BY u LIMIT 2 OFFSET 1",
    "sum of a top": "SELECT sum(u) AS s FROM (SELECT u FROM t0 ORDER BY u DESC LIMIT 2)",
    "cte twice": "WITH c AS (SELECT k, max(u) AS m FROM t0 GROUP BY k) SELECT a.k, b.m FROM c a JOIN c b ON a.k <=> b.k",
    "recursion": "WITH RECURSIVE r(n) AS (SELECT min(u) FROM t0 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n FROM r",
    "outer join of groups": "SELECT a.u, c.k FROM t0 a LEFT JOIN (SELECT k, count(*) AS n FROM t0 GROUP BY k HAVING count(*) = 1) c ON a.k = c.k",
    "full join of groups": "SELECT a.n, b.n AS m FROM (SELECT k, count(*) AS n FROM t0 GROUP BY k) a FULL JOIN (SELECT k, max(u) AS n FROM t1 GROUP BY k) b ON a.k = b.k",
    "negation in a union": "SELECT u FROM t0 UNION ALL SELECT u FROM t1 WHERE u NOT IN (SELECT u FROM t2 WHERE u IS NOT NULL)",
    "session": "SELECT k, count(*) AS n FROM t0 WHERE t0.t0 IS NOT NULL GROUP BY k, session_window(CAST(t0.t0 AS TIMESTAMP), '20 days')",
    "windows of windows": "SELECT u, sum(r) OVER (PARTITION BY g) AS s FROM (SELECT u, g, row_number() OVER (PARTITION BY k ORDER BY u) AS r FROM t0)",
    "nothing counted": "SELECT count(*) AS n FROM t0 WHERE u < 0",
    "literals": "SELECT a.u, v.x FROM t0 a JOIN VALUES (1), (2) v(x) ON a.k = v.x",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_each_operator(name: str, small: Callable[[int], Small]) -> None:
    if name == "recursion" and version("pyspark").startswith("4.0"):
        pytest.skip("Spark 4.0 has no recursive CTEs")
    one, tally, chance = small(0), Tally(), Random(3)
    rows = {table.name: rows_of(table, chance) for table in one.world.tables}
    one.examine(Query(NAMED[name], ()), rows, chance, tally, at_most=3)
    assert tally.violations == [], "\n\n".join(tally.violations[:2])
    assert tally.rows, tally.left_out


@pytest.mark.parametrize("name", ["left join", "full join", "rollup", "union", "outer join of groups", "full join of groups"])
def test_rows_that_do_not_come_to_the_driver(name: str, small: Callable[[int], Small]) -> None:
    """Of a padded row the missing side is no row, wherever it is looked at."""
    one, tally, chance = small(0), Tally(), Random(3)
    rows = {table.name: rows_of(table, chance) for table in one.world.tables}
    one.bind(rows, identified=True)
    query = Query(NAMED[name], ())
    followed = one.trace(query, one.rows(query), most=1)
    assert followed.missing == 0
    for number, (told, count) in followed.rows.items():
        assert count == len(told) == len({row.position for row in told}), number
        assert {row.position for row in told} <= {row[1] for row in rows[f"t{number}"]}
    one.examine(query, rows, chance, tally, at_most=3, most=1)
    assert tally.violations == [], "\n\n".join(tally.violations[:2])


EXACT = {
    "projection", "maps", "filter", "inner join", "left join", "full join", "self join", "group", "group by maps", "no groups", "having", "rollup", "cube",
    "groups of groups", "distinct", "union", "union distinct", "intersect all", "except all", "explode", "unpivot", "top", "cte twice", "literals", "nothing counted",
}  # fmt: skip


BY_ROW = {"recursion", "correlated scalar", "lateral", "full join of groups", "negation in a union"}
"""Whose label depends on the row, or on the Spark."""


@pytest.mark.parametrize("name", [name for name in NAMED if name not in BY_ROW])
def test_how_each_operator_is_labelled(name: str, small: Callable[[int], Small]) -> None:
    """Exact is what names no row for its company's sake."""
    one = small(0)
    rows = {table.name: rows_of(table, Random(3)) for table in one.world.tables}
    one.bind(rows, identified=True)
    query = Query(NAMED[name], ())
    followed = one.trace(query, one.rows(query)[:1])
    assert is_exact(followed) is (name in EXACT), followed


NEEDED = EXACT - {"distinct", "union distinct", "intersect all", "except all", "cte twice"} | {"group of sums", "groups joined"}
"""Exact ones in whose rows each source row counts: all but those of DISTINCT and of max, where one of several rows may go, and
of EXCEPT, where fewer rows may give more."""
COUNTED = {
    "no groups": "SELECT count(k) AS n, count(*) AS m FROM t0",
    "having": "SELECT k, sum(u) AS s, count(*) AS n FROM t0 GROUP BY k HAVING count(*) > 1",
    "group of sums": "SELECT k % 2 AS h, sum(n) AS n FROM (SELECT k, count(*) AS n FROM t0 GROUP BY k) GROUP BY k % 2",
    "groups joined": "SELECT a.k, count(*) AS n, sum(b.u + 1) AS s FROM t0 a JOIN t1 b ON a.k = b.k GROUP BY a.k",
    "rollup": "SELECT k, g, sum(u + 1) AS s, grouping_id() AS i FROM t0 GROUP BY ROLLUP (k, g)",
    "group": "SELECT k, sum(u + 1) AS s FROM t0 GROUP BY k",
}
"""In the place of those of NAMED with other functions."""


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(NEEDED))
def test_every_row_of_an_exact_witness_counts(name: str, small: Callable[[int], Small]) -> None:
    one, tally, chance = small(0), Tally(), Random(3)
    query = Query(COUNTED.get(name) or NAMED[name], ())
    rows = {table.name: rows_of(table, chance) for table in one.world.tables}
    one.bind(rows, identified=True)
    for row in one.rows(query)[:3]:
        one.bind(rows, identified=True)
        followed = one.trace(query, [row])
        assert is_exact(followed)
        one.take_away(query, rows, row, one.found(followed, rows), chance, tally)
    assert tally.violations == []
    assert tally.necessary or name in ("literals", "nothing counted")


def test_rows_that_differ_in_a_map_or_a_variant(small: Callable[[int], Small]) -> None:
    """Maps are equal whatever the order of their entries; of variants that is not known."""
    one = small(0)
    rows = {table.name: rows_of(table, Random(5)) for table in one.world.tables}
    one.bind(rows, identified=True)
    inner = "IF(u % 2 = 0, map('a', array(map(u, 1, -1, 0))), map('a', array(map(-1, 0, u, 1))))"
    query = Query(f"SELECT struct({inner} AS m, 1 AS one) AS s FROM t0", ())
    for number, row in enumerate(one.rows(query)):
        assert one.found(one.trace(query, [row]), rows)[0] == {rows["t0"][number][1]}
    variants = one.session.sql("SELECT parse_json(CAST(u AS STRING)) AS v, k FROM t0")
    meant = variants.limit(1)
    followed = follow(variants, meant)
    assert followed.uncompared == ("v",)


def test_no_row_is_named_that_has_no_part(small: Callable[[int], Small]) -> None:
    one = small(0)
    rows = {table.name: rows_of(table, Random(5)) for table in one.world.tables}
    one.bind(rows, identified=True)
    numbers = {row[1]: row[0] for row in rows["t0"]}
    for row in one.rows(Query("SELECT k, count(*) AS n FROM t0 GROUP BY k", ())):
        found = one.found(one.trace(Query("SELECT k, count(*) AS n FROM t0 GROUP BY k", ()), [row]), rows)
        assert found == {0: {u for u, k in numbers.items() if k == row["k"]}, 1: set(), 2: set()}
    ordered = Query("SELECT u, sum(u) OVER (PARTITION BY k ORDER BY u) AS s FROM t0", ())
    for row in one.rows(ordered):
        found = one.found(one.trace(ordered, [row]), rows)
        assert found[0] == {u for u, k in numbers.items() if k == numbers[row["u"]] and u <= row["u"]}
    union = Query(NAMED["negation in a union"], ())
    numbers_of = [{row[1] for row in rows[f"t{number}"]} for number in range(3)]
    for u in numbers_of[0] - numbers_of[1]:
        assert one.trace(union, [(u,)]).wholes == {}
    for u in numbers_of[1] - numbers_of[0] - numbers_of[2]:
        assert one.trace(union, [(u,)]).wholes.keys() == {2}


def test_of_rows_that_an_order_holds_equal_a_limit_may_choose_another(small: Callable[[int], Small]) -> None:
    """Over the rows that were found the row is made; whether the LIMIT above all else chooses it nothing decides. The query of the seed ends in one."""
    tally = Tally()
    examine(small, 964635420, tally)
    assert tally.rows
    assert tally.violations == [], "\n\n".join(tally.violations[:2])


def test_what_is_read_twice_suffices_where_each_reading_has_its_own(small: Callable[[int], Small]) -> None:
    """All of a table decides in a subquery of the seed's query; as a side of its join it would have rows more in the group."""
    tally = Tally()
    examine(small, 813336498, tally)
    assert tally.violations == [], "\n\n".join(tally.violations[:2])
    assert tally.left_out[TOGETHER]


@pytest.mark.soak
def test_thousands(small: Callable[[int], Small]) -> None:
    """New ones each time; the seed is printed and kept."""
    cases, first = int(os.environ.get("SPARK_LINEAGE_ROWS_ORACLE", 1000)), random.randrange(10**9)
    print(f"seeds {first} to {first + cases - 1}")
    tally = Tally()
    for seed in range(first, first + cases):
        examine(small, seed, tally)
    RESULTS.write_text(json.dumps({"first_seed": first, **tally.figures()}, indent=2) + "\n", encoding="utf-8")
    assert tally.seldom_refuses()
    assert tally.violations == [], "\n\n".join(tally.violations[:3])
