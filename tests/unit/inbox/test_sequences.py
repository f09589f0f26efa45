from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spark_lineage.inbox.sequences import Sequences

numbers = st.sets(st.integers(0, 40))


@given(numbers, numbers, numbers, st.integers(-1, 45))
def test_it_is_a_set(added: set[int], also: set[int], removed: set[int], through: int) -> None:
    expected = (added | also) - removed
    found = Sequences.of(added).union(Sequences.of(also)).without(removed)
    assert list(found) == sorted(expected)
    assert len(found) == len(expected)
    assert all((number in found) == (number in expected) for number in range(45))
    assert found.highest == max(expected, default=-1)
    assert list(found.gaps(through)) == [number for number in range(through + 1) if number not in expected]


@given(numbers)
def test_the_order_of_arrival_leaves_no_trace(added: set[int]) -> None:
    found = Sequences()
    for number in sorted(added, reverse=True):
        found = found.with_numbers([number])
    assert found == Sequences.of(added)
    assert all(last < first - 1 for (_, last), (first, _) in zip(found.ranges, found.ranges[1:], strict=False))


def test_a_long_run_takes_no_room() -> None:
    assert Sequences.of(range(100_000)).ranges == ((0, 99_999),)
