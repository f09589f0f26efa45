"""Rows that are followed together have each the witness that they have when they are traced alone: what is sampled equals what is traced."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from importlib.metadata import version
from random import Random
from typing import Any

import pytest
from pyspark.sql.types import LongType, StructField, StructType
from query_grammar import Queries, Query
from small import OF_VALUES, REFUSED, Small, Tally
from test_sufficiency import NAMED, WORLDS
from worlds import rows_of

from spark_lineage.rows.local import local_frame
from spark_lineage.rows.lots import Apart, follow_apart
from spark_lineage.rows.tracing import MOST, TAG, Followed

Witness = tuple[dict[int, set[int]], dict[int, str], set[str]]


def compare(one: Small, query: Query, chance: Random, tally: Tally, bound: int | None = None) -> None:
    """Some rows of the query's result, together and one by one. `bound`: so many rows of a step come to the driver; by chance else."""
    tally.cases += 1
    rows = {table.name: rows_of(table, chance) for table in one.world.tables}
    try:
        one.bind(rows, identified=True)
        result = one.rows(query)
    except Exception:  # a cast, an overflow, too deep a recursion
        tally.left_out["does not run"] += 1
        return
    if not result:
        tally.left_out["no rows"] += 1
        return
    chosen = chance.sample(result, min(3, len(result)))
    most, fixed = bound or (2 if chance.random() < 0.3 else MOST), chance.random() < 0.5
    try:
        together = apart(one, query, chosen, most, fixed)
        each = [one.trace(query, [row], MOST, fixed) for row in chosen]
    except OF_VALUES:
        tally.left_out[REFUSED] += 1
        return
    except Exception as error:
        tally.raised(query, error)
        return
    for row, told, alone in zip(chosen, together, each, strict=True):
        tally.rows += 1
        tally.kinds.update(alone.kinds)
        if alone.missing or alone.lost:
            tally.left_out["not found again"] += 1
        elif told is None or told != witness(alone):
            tally.violations.append(
                f"{query.sql}\n{query.steps}\n{row}\ntogether: {told}\nalone: {witness(alone)}, {most}, {fixed}"
            )


def witness(followed: Followed) -> Witness:
    found = {leaf: {int(one.position or 0) for one in told} for leaf, (told, _) in followed.rows.items() if told}
    return found, followed.wholes, set(followed.kinds)


def apart(
    one: Small, query: Query, rows: list[Any], most: int = MOST, fixed: bool = False, per_row: int = 1000
) -> list[Witness | None]:
    """Of each row what it was followed to; None of one that is not given again."""
    return told_of(followed(one, query, rows, most, fixed, per_row), len(rows))


def followed(one: Small, query: Query, rows: list[Any], most: int, fixed: bool, per_row: int) -> Apart:
    from oracle import stepped

    frame = stepped(one.session.sql(query.sql), query)
    numbered = StructType([StructField(TAG, LongType()), *frame.schema])
    return follow_apart(
        frame,
        local_frame(one.session, [(number, *row) for number, row in enumerate(rows)], numbered),
        per_row=per_row,
        fixed=fixed,
        most=most,
    )


def told_of(told: Apart, count: int) -> list[Witness | None]:
    try:
        found: dict[int, dict[int, set[int]]] = {}
        for leaf, rows in told.rows.items():
            for row in rows.between(0, count).to_pylist():
                found.setdefault(row["tag"], {}).setdefault(leaf, set()).add(row["position"])
        return [
            (found.get(tag, {}), told.wholes.get(tag, {}), set(told.kinds.get(tag, ())))
            if tag in told.given - told.lost
            else None
            for tag in range(count)
        ]
    finally:
        told.close()


def test_a_selection(small: Callable[[int], Small]) -> None:
    tally = Tally()
    for seed in range(100, 108):
        chance, one = Random(seed), small(seed % WORLDS)
        compare(one, Queries(one.world, chance).query(), chance, tally)
    assert tally.violations == [], "\n\n".join(tally.violations[:3])
    assert tally.rows > tally.cases / 2


BELOW_A_GENERATOR = (
    "SELECT get(r2.items2.price, 0) AS c0, stack(2, greatest(r2.k, r1.u), CASE WHEN r1.st0.n.q >= 1D THEN r1.st0.y END, "
    "greatest(r2.b2, r2.k), to_json(named_struct('v', r1.k, 'w', r1.s0))) AS (c1, c2) FROM t0 r1 CROSS JOIN t2 r2",
    "SELECT datediff(r1.t0, r1.t0) AS c0, stack(2, IF('ab' < '', 2, r1.st0.n.p), array_join(map_keys(r1.m0), '+'), "
    "CASE WHEN r1.k = 1 THEN g2.v WHEN DATE'2024-02-01' > r1.t0 THEN r1.st0.x ELSE r1.k END, "
    "format_string('%s/%s', get(r1.items0.tag, 0), r1.b0)) AS (c1, c2) FROM t0 r1 LATERAL VIEW OUTER explode(array_distinct(array(r1.b0))) g2 AS v",
)


NO_LONGER_NEEDED = (
    "WITH c AS (SELECT r2.st0.n.p AS c0, explode(NVL2(r2.k, r1.nums2, r1.nums2)) AS c1 FROM t2 r1 JOIN t0 r2 ON r1.k = r2.k) "
    "SELECT 3 AS c0, named_struct('v', q.c1, 'w', 'a') AS c1 FROM c p LEFT JOIN c q ON NOT (p.c0 <=> q.c1)"
)


def test_a_column_that_a_generator_no_longer_needs(small: Callable[[int], Small]) -> None:
    """Its expression becomes simpler, a column below it is pruned, and Spark leaves out, by position, another one."""
    tally = Tally()
    for seed in range(4):
        compare(small(2), Query(NO_LONGER_NEEDED, ()), Random(seed), tally, bound=[None, 2][seed % 2])
    assert tally.violations == [], "\n\n".join(tally.violations[:2])
    assert tally.rows, tally.left_out


@pytest.mark.parametrize("query", BELOW_A_GENERATOR, ids=["joined", "exploded"])
def test_nested_columns_below_a_generator(query: str, small: Callable[[int], Small]) -> None:
    """Spark's pruning of nested columns moves the columns below it, some of which it leaves out by their position."""
    tally = Tally()
    for seed in range(4):
        compare(small(3), Query(query, ()), Random(seed), tally, bound=[None, 2][seed % 2])
    assert tally.violations == [], "\n\n".join(tally.violations[:2])
    assert tally.rows, tally.left_out


def test_a_table_that_decides_for_two_reasons(small: Callable[[int], Small]) -> None:
    """Both are told, of each row its own: t2 of one row as what a scalar subquery reads, too."""
    seed, tally = 970158754, Tally()
    chance, one = Random(seed), small(seed % WORLDS)
    compare(one, Queries(one.world, chance).query(), chance, tally)
    assert tally.violations == [], tally.violations[0]
    assert tally.rows


@pytest.mark.soak
@pytest.mark.parametrize("bound", [MOST, 1], ids=["here", "in Spark"])
@pytest.mark.parametrize("name", NAMED)
def test_each_operator(name: str, bound: int, small: Callable[[int], Small]) -> None:
    if name == "recursion" and version("pyspark").startswith("4.0"):
        pytest.skip("Spark 4.0 has no recursive CTEs")
    tally = Tally()
    compare(small(0), Query(NAMED[name], ()), Random(3), tally, bound)
    assert tally.violations == [], "\n\n".join(tally.violations[:2])
    assert tally.rows, tally.left_out


@pytest.mark.soak
def test_thousands(small: Callable[[int], Small]) -> None:
    """New ones each time; the seed is printed."""
    cases, first = int(os.environ.get("SPARK_LINEAGE_ROWS_ORACLE", 1000)), random.randrange(10**9)
    print(f"seeds {first} to {first + cases - 1}")
    tally = Tally()
    for seed in range(first, first + cases):
        chance, one = Random(seed), small(seed % WORLDS)
        compare(one, Queries(one.world, chance).query(), chance, tally)
    print(tally.figures())
    assert tally.seldom_refuses()
    assert tally.violations == [], "\n\n".join(tally.violations[:3])
