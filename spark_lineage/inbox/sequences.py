"""Sets of document numbers, held as ranges, so that a million numbers in order take no more room than one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice


@dataclass(frozen=True)
class Sequences:
    """A set of non-negative numbers, as sorted ranges ``(first, last)``, both included, that neither overlap nor touch."""

    ranges: tuple[tuple[int, int], ...] = ()

    @staticmethod
    def of(numbers: Iterable[int]) -> Sequences:
        return Sequences().with_numbers(numbers)

    def with_numbers(self, numbers: Iterable[int]) -> Sequences:
        """This set and `numbers`."""
        return Sequences(_joined([*self.ranges, *((number, number) for number in numbers)]))

    def without(self, numbers: Iterable[int]) -> Sequences:
        """This set less `numbers`."""
        ranges = list(self.ranges)
        for number in numbers:
            ranges = [piece for first, last in ranges for piece in _cut(first, last, number)]
        return Sequences(tuple(ranges))

    def union(self, other: Sequences) -> Sequences:
        return Sequences(_joined([*self.ranges, *other.ranges]))

    def gaps(self, through: int) -> Sequences:
        """The numbers from 0 to `through` that are not in the set."""
        gaps = []
        expected = 0
        for first, last in self.ranges:
            if first > through:
                break
            if first > expected:
                gaps.append((expected, first - 1))
            expected = last + 1
        if expected <= through:
            gaps.append((expected, through))
        return Sequences(tuple(gaps))

    @property
    def highest(self) -> int:
        """The highest number, -1 where there is none."""
        return self.ranges[-1][1] if self.ranges else -1

    def first(self, count: int) -> list[int]:
        """The lowest `count` numbers."""
        return list(islice(self, count))

    def __contains__(self, number: int) -> bool:
        return any(first <= number <= last for first, last in self.ranges)

    def __iter__(self) -> Iterator[int]:
        return (number for first, last in self.ranges for number in range(first, last + 1))

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)


def _joined(ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)


def _cut(first: int, last: int, number: int) -> list[tuple[int, int]]:
    if not first <= number <= last:
        return [(first, last)]
    return [(a, b) for a, b in ((first, number - 1), (number + 1, last)) if a <= b]
