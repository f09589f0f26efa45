"""Up to where the first of many rows are looked for."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from spark_lineage.rows.identity import MAX_LONG, highest


@given(st.integers(1, 10**15), st.integers(0, 1000))
def test_it_is_a_long(rows: int, wanted: int) -> None:
    assert -MAX_LONG - 1 <= highest(rows, wanted) <= MAX_LONG


@given(st.integers(1, 1000), st.data())
def test_few_rows_are_all_looked_at(wanted: int, data: st.DataObject) -> None:
    assert highest(data.draw(st.integers(1, 2 * wanted)), wanted) == MAX_LONG


def test_no_row_is_missed() -> None:
    chance = random.Random(7)
    for wanted in (1, 5, 100, 1000):
        for _ in range(20):
            rows = chance.randrange(wanted, 50 * wanted + 1000)
            bound = highest(rows, wanted)
            near = sum(chance.getrandbits(64) - (1 << 63) <= bound for _ in range(rows))
            assert wanted <= near
            assert rows <= 2 * wanted + 64 or near <= 4 * wanted + 200
