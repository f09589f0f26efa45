"""Which rows of two sides are each other's, where the sides differ."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql.types import ArrayType, DataType, DoubleType, FloatType, LongType, MapType, StringType, StructType

from spark_lineage.replay.comparing import pairs_of
from spark_lineage.replay.near import near, paired

ONE = DoubleType()


@pytest.mark.parametrize(
    ("one", "other", "data_type", "fits"),
    [
        (1.0, 1.0 + 1e-10, ONE, True),
        (1.0, 1.0 + 1e-8, ONE, False),
        (0.1 + 0.2, 0.3, ONE, True),
        (0.0, 1e-20, ONE, True),
        (0.0, 1e-12, ONE, False),
        (math.nan, math.nan, ONE, True),
        (math.nan, 1.0, ONE, False),
        (math.inf, 1e300, ONE, False),
        (math.inf, -math.inf, ONE, False),
        (math.inf, math.inf, ONE, True),
        (None, 0.0, ONE, False),
        (None, None, ONE, True),
        (1.0, 1.0 + 6e-8, FloatType(), True),
        (1.0, 1.0 + 2e-6, FloatType(), False),
        ([1.0, None], [1.0 + 1e-12, None], ArrayType(ONE), True),
        ([1.0], [1.0, 1.0], ArrayType(ONE), False),
        ({"a": 1.0}, {"a": 1.0 + 1e-12}, MapType(StringType(), ONE), True),
        ({"a": 1.0}, {"b": 1.0}, MapType(StringType(), ONE), False),
        ("a", "b", StringType(), False),
        (3, 3, LongType(), True),
    ],
)
def test_what_is_near(one: Any, other: Any, data_type: DataType, fits: bool) -> None:
    assert near(one, other, data_type, 1e-9) is fits
    assert near(other, one, data_type, 1e-9) is fits


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=8), st.randoms(use_true_random=False))
def test_rows_that_were_shaken_find_each_other(values: list[tuple[int, int]], chance: Any) -> None:
    """Each value shaken by less than the tolerance: whatever the order, all are paired, also where rows are near each other."""
    data_type = StructType().add("a", ONE).add("b", ONE)
    rows = [{"a": float(a), "b": float(b)} for a, b in values]
    shaken = [{name: value * (1 + chance.uniform(-4e-10, 4e-10)) for name, value in row.items()} for row in rows]
    chance.shuffle(shaken)
    found = paired(rows, shaken, data_type, 1e-9)
    assert sorted(found) == sorted(set(found.values())) == list(range(len(rows)))


@given(*[st.lists(st.sampled_from([1.0, 1.05, 1.1, 1.15, 1.2, 2.0]), max_size=5)] * 2)
def test_no_other_choice_has_more_pairs(here: list[float], there: list[float]) -> None:
    found = paired(here, there, ONE, 0.1)
    short, long = sorted((here, there), key=len)
    most = max(sum(near(*both, ONE, 0.1) for both in zip(short, order, strict=False)) for order in permutations(long))
    assert len(found) == len({*found.values()}) == most


def test_a_long_way_to_a_partner() -> None:
    """Each is near two of the other side; the last one moves all the others, more of them than Python may be deep."""
    here = [1.0 + number * 1e-5 for number in range(1_200)]
    found = paired([*here[1:], here[0]], [one + 0.5e-5 for one in here], ONE, 0.6e-5)
    assert len(found) == len({*found.values()}) == len(here)


def test_a_row_too_far_away_is_left() -> None:
    data_type = StructType().add("a", ONE)
    rows = [{"a": 1.0}, {"a": 2.0}]
    assert paired(rows, [{"a": 2.0 + 1e-12}, {"a": 3.0}], data_type, 1e-9) == {1: 0}


def test_rows_are_paired_by_what_is_the_same() -> None:
    written = [("a", 1, "x"), ("b", 2, "x"), ("c", 3, "x")]
    given_ = [("a", 9, "x"), ("b", 8, "x"), ("c", 3, "y")]
    pairs, left, more = pairs_of(written, given_)
    assert (left, more) == ([], [])
    assert sorted(pairs) == [(("a", 1, "x"), ("a", 9, "x")), (("b", 2, "x"), ("b", 8, "x")), (("c", 3, "x"), ("c", 3, "y"))]


def test_rows_without_a_counterpart_are_left() -> None:
    pairs, left, more = pairs_of([("a", 1), ("b", 2)], [("a", 5), ("q", 7), ("r", 8)])
    assert pairs == [(("a", 1), ("a", 5))]
    assert (left, sorted(more)) == ([("b", 2)], [("q", 7), ("r", 8)])


def test_one_row_of_each_side_is_a_pair() -> None:
    assert pairs_of([(1, 2)], [(3, 4)]) == ([((1, 2), (3, 4))], [], [])
