"""The queries of TPC-H and TPC-DS, recorded in one process, give the same rows when they are restored in another, and when they are written."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tpc
import tpc_written
from recording import Recorded

from spark_lineage.lineage.limits import Limits
from spark_lineage.replay.executables import restore
from spark_lineage.snapshot.deferred import due, take_wanted
from spark_lineage.snapshot.policy import Policy
from spark_lineage.snapshot.taking import snapshots, take
from spark_lineage.store.tables import Store

TOLERANCE = 1e-9
"""Of floats, relative: the order in which they are added up is not the same each time."""
MOST = 100
"""So many of the 125 texts at least must give rows, or the test would show little."""


def test_they_are_the_22_of_tpc_h_and_the_99_of_tpc_ds() -> None:
    numbers: dict[str, set[int]] = {"tpch": set(), "tpcds": set()}
    for name in tpc.QUERIES:
        found = re.fullmatch(r"(tpch|tpcds) q0?(\d+)[ab]?", name)
        assert found, name
        numbers[found[1]].add(int(found[2]))
    assert numbers == {"tpch": set(range(1, 23)), "tpcds": set(range(1, 100))}
    assert len(tpc.QUERIES) == 22 + 99 + 4  # 14, 23, 24 and 39 of TPC-DS have two parts


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ([["a", 1.0], ["b", 2.0]], [["b", 2.0], ["a", 1.0]], True),
        ([["a", 0.1 + 0.2]], [["a", 0.3]], True),
        ([["a", 1.0]], [["a", 1.00001]], False),
        ([["a", 1.0], ["a", 1.0]], [["a", 1.0]], False),
        ([["a", None]], [["a", 0.0]], False),
        ([[float("nan")]], [[float("nan")]], True),
    ],
)
def test_what_equal_rows_are(left: list[list[Any]], right: list[list[Any]], same: bool) -> None:
    assert (difference(left, right) == "") is same


@pytest.mark.soak
def test_every_query_gives_the_same_rows_in_another_process(record: Callable[..., Recorded], spark: Any) -> None:
    recorded = record(program=Path(tpc.__file__), timeout=5400)
    assert recorded.expected.keys() == tpc.QUERIES.keys()
    differ: dict[str, str] = {}
    for name, expected in recorded.expected.items():
        try:
            found = difference(tpc.plain(restore(spark, recorded.find(name)).collect()), expected)
        except Exception as error:
            found = str(error)[:500]
        if found:
            differ[name] = found
    empty = sorted(name for name, rows in recorded.expected.items() if not rows)
    print(
        f"{len(tpc.QUERIES) - len(differ)} of {len(tpc.QUERIES)} queries restored and equal; without rows: {', '.join(empty)}"
    )
    assert differ == {}
    assert len(tpc.QUERIES) - len(empty) >= MOST, empty


@pytest.mark.soak
def test_every_query_is_summed_in_the_same_pass_as_its_write(
    record: Callable[..., Recorded],
) -> None:
    """What is written are the rows, and what was summed is what a scan of them gives."""
    recorded = record(program=Path(tpc_written.__file__), timeout=5400)
    assert recorded.expected.keys() == tpc.QUERIES.keys()
    store, policy = Store.open(recorded.store), Policy("outputs", Limits(), 0)
    take_wanted(store, due(store, policy), policy)
    taken = {one.name.rsplit("/", 1)[1]: one for one in snapshots(store, without=True)}
    assert {one.reason for one in taken.values() if one.method != "inline"} == set()
    assert {name.replace(" ", "-") for name in recorded.expected} == taken.keys()
    again = Store.open(recorded.work / "again", create=True)
    for name, one in taken.items():
        scanned = take(again, str(recorded.work / "written" / name))
        assert (scanned.row_count, scanned.checksum) == (one.row_count, one.checksum), name
    differ = {name: found for name, (without, with_it) in recorded.expected.items() if (found := difference(with_it, without))}
    assert differ == {}


def difference(rows: list[list[Any]], expected: list[list[Any]]) -> str:
    """Empty where both have the same rows, in whatever order and each as often."""
    if len(rows) != len(expected):
        return f"{len(rows)} rows instead of {len(expected)}"
    for row, wanted in zip(sorted(rows, key=_order), sorted(expected, key=_order), strict=True):
        if len(row) != len(wanted) or not all(map(_same, row, wanted)):
            return f"{row} instead of {wanted}"
    return ""


def _order(row: list[Any]) -> tuple[list[str], list[float]]:
    """By what is exact first: floats that differ in their last digits do not change it."""
    floats = [value for value in row if isinstance(value, float) and not math.isnan(value)]
    return ["nan" if isinstance(value, float) else repr(value) for value in row if not _is_number(value)], floats


def _is_number(value: Any) -> bool:
    return isinstance(value, float) and not math.isnan(value)


def _same(value: Any, wanted: Any) -> bool:
    if _is_number(value) and _is_number(wanted):
        return math.isclose(value, wanted, rel_tol=TOLERANCE)
    return bool(repr(value) == repr(wanted))
