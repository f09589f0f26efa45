"""What bears on a value: sets of source columns, one for each way of bearing.

A set is a whole number with one bit for each source, so that a union over a thousand columns is one instruction or two and
a plan is resolved in time linear in its size. `Sources` hands out the bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Final, TypeAlias

from ..model import SourceKind, Subtype

Bits: TypeAlias = int


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value can come from. `dataset` is the number of the reading for a column; `column` its name."""

    kind: SourceKind
    dataset: int | None = None
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Outer:
    """A column that a subquery takes from the query around it, not known yet: its expression id."""

    expression_id: int


class Sources:
    """The sources of one plan, numbered as they are met."""

    def __init__(self) -> None:
        self._entries: list[Source | Outer] = []
        self._numbers: dict[Source | Outer, int] = {}
        self.outer: Bits = 0
        self.literal: Final = self.bit(Source("literal"))
        self.generated: Final = self.bit(Source("generated"))
        self.unknown: Final = self.bit(Source("unknown"))

    def bit(self, source: Source | Outer) -> Bits:
        number = self._numbers.get(source)
        if number is None:
            number = self._numbers[source] = len(self._entries)
            self._entries.append(source)
            if isinstance(source, Outer):
                self.outer |= 1 << number
        return 1 << number

    def of(self, bits: Bits) -> Iterator[Source | Outer]:
        """The sources in a set, in the order in which they were met."""
        for number in numbers(bits):
            yield self._entries[number]

    @property
    def none(self) -> Bits:
        """The bits that stand for there being no source."""
        return self.literal | self.generated


def numbers(bits: Bits) -> Iterator[int]:
    """The positions of the bits that are set, lowest first."""
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


@dataclass(frozen=True, slots=True)
class Influence:
    """The sources of a value by how they bear on it.

    `identity`, `transformation`, `aggregation` pass their value on (DIRECT); the others only decide about it (INDIRECT).
    `bare` holds the direct sources with a path on which nothing masks them: a direct source outside it is masked.
    """

    identity: Bits = 0
    transformation: Bits = 0
    aggregation: Bits = 0
    bare: Bits = 0
    join: Bits = 0
    filter: Bits = 0
    group_by: Bits = 0
    sort: Bits = 0
    window: Bits = 0
    conditional: Bits = 0

    @property
    def direct(self) -> Bits:
        return self.identity | self.transformation | self.aggregation

    @property
    def indirect(self) -> Bits:
        return self.join | self.filter | self.group_by | self.sort | self.window | self.conditional

    @property
    def everything(self) -> Bits:
        return self.direct | self.indirect

    def transformed(self) -> Influence:
        """As it bears on what is computed from the value."""
        if not self.identity:
            return self
        return _replace(self, identity=0, transformation=self.identity | self.transformation)

    def aggregated(self) -> Influence:
        """As it bears on an aggregate over the value."""
        return _replace(self, identity=0, transformation=0, aggregation=self.direct)

    def masked(self) -> Influence:
        """As it bears on something that does not show the value: a hash, a count."""
        return _replace(self, bare=0)

    def deciding(self, subtype: Subtype) -> Influence:
        """As it bears on a value that it only decides about."""
        return decided_by(self.everything, subtype)


NOTHING: Final = Influence()
_LANES: Final = tuple(lane.name for lane in fields(Influence))
DIRECT: Final[tuple[tuple[str, Subtype], ...]] = (
    ("identity", "IDENTITY"),
    ("transformation", "TRANSFORMATION"),
    ("aggregation", "AGGREGATION"),
)
INDIRECT: Final[tuple[tuple[str, Subtype], ...]] = (
    ("join", "JOIN"),
    ("filter", "FILTER"),
    ("group_by", "GROUP_BY"),
    ("sort", "SORT"),
    ("window", "WINDOW"),
    ("conditional", "CONDITIONAL"),
)
_LANE_OF: Final = {subtype: lane for lane, subtype in (*DIRECT, *INDIRECT)}


def passed(bits: Bits) -> Influence:
    """The sources pass their value on unchanged."""
    return Influence(identity=bits, bare=bits)


def decided_by(bits: Bits, subtype: Subtype) -> Influence:
    """The sources decide about a value in one way."""
    return Influence(**{_LANE_OF[subtype]: bits})


def union(influences: Iterable[Influence]) -> Influence:
    """All of them together."""
    distinct = tuple(influence for influence in influences if influence is not NOTHING)
    if len(distinct) <= 1:
        return distinct[0] if distinct else NOTHING
    lanes = [0] * len(_LANES)
    for influence in distinct:
        for position, lane in enumerate(_LANES):
            lanes[position] |= getattr(influence, lane)
    return Influence(*lanes)


def substitute(influence: Influence, known: Mapping[Bits, Influence]) -> Influence:
    """The influence with placeholder bits replaced by what they stand for.

    `known` maps a single bit to its influence. What stood in a direct lane is at least that direct; what stood in an indirect
    one decides with all that it has.
    """
    present = {bit: value for bit, value in known.items() if influence.everything & bit}
    if not present:
        return influence
    gone = ~sum(present)
    parts = [Influence(*(getattr(influence, lane) & gone for lane in _LANES))]
    for bit, value in present.items():
        if influence.direct & bit:
            part = value if influence.identity & bit else value.transformed()
            part = value.aggregated() if influence.aggregation & bit else part
            parts.append(part if influence.bare & bit else part.masked())
        parts.extend(value.deciding(subtype) for lane, subtype in INDIRECT if getattr(influence, lane) & bit)
    return union(parts)


def without(influence: Influence, bits: Bits) -> Influence:
    """The influence less some sources."""
    return Influence(*(getattr(influence, lane) & ~bits for lane in _LANES))


def _replace(influence: Influence, **changes: Bits) -> Influence:
    lanes = {lane: getattr(influence, lane) for lane in _LANES}
    return Influence(**(lanes | changes))
