"""The grammar in hypothesis' hands: a query that breaks what a trace promises is made smaller before it is shown.

Other queries than those of the seeded selections, too: hypothesis prefers what is short, and what is at the edges.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from query_grammar import query_of
from small import Cases, Small, Tally
from test_lots import compare
from test_sufficiency import WORLDS
from turned import Turned
from worlds import rows_of

EXAMPLES = 100


def looked_at(what: str, one: Small, grammar: Random, seed: int) -> Cases:
    """One case. `seed` decides about the rows of the tables, and which of the result are traced."""
    query, chance = query_of(one.world, grammar), Random(seed)
    if what == "together":
        tally = Tally()
        compare(one, query, chance, tally)
        return tally
    rows = {table.name: rows_of(table, chance) for table in one.world.tables}
    if what == "forward":
        turned = Turned()
        turned.examine(one, query, rows, chance)
        return turned
    tally = Tally()
    one.examine(query, rows, chance, tally)
    return tally


@pytest.mark.soak
@pytest.mark.parametrize("what", ["sufficient", "together", "forward"])
def test_generated(what: str, small: Callable[[int], Small]) -> None:
    counted = 0

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(grammar=st.randoms(use_true_random=False), number=st.integers(0, WORLDS - 1), seed=st.integers(0, 2**32 - 1))
    def each(grammar: Random, number: int, seed: int) -> None:
        nonlocal counted
        cases = looked_at(what, small(number), grammar, seed)
        counted += cases.rows
        assert cases.violations == [], cases.violations[0]

    each()
    assert counted > EXAMPLES / 2
