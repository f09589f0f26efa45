"""What bears on a value: sets of source columns, one for each way of bearing.

A set is a whole number with one bit for each source, so that a union over a thousand columns is one instruction or two and
a plan is resolved in time linear in its size. `Sources` hands out the bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Final, Literal, TypeAlias

from ..model import SourceKind, Subtype

Bits: TypeAlias = int


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value can come from. `dataset` is the number of the reading for a column; `column` its name.

    ``model``: the trained models that the run applies, which no plan names.
    """

    kind: SourceKind | Literal["model"]
    dataset: int | None = None
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Outer:
    """A column that a subquery takes from the query around it, or a lambda its variable, not known yet: its expression id, and
    the field of it that is taken."""

    expression_id: int
    path: tuple[str, ...] = ()


class Sources:
    """The sources of one plan, numbered as they are met."""

    def __init__(self) -> None:
        self._entries: list[Source | Outer] = []
        self._numbers: dict[Source | Outer, int] = {}
        self._wider: dict[Bits, Bits] = {}
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

    def field(self, bit: Bits, name: str) -> Bits:
        """The source that is a field of another one, which is itself where it has none: a literal, something unknown."""
        source = self._entries[bit.bit_length() - 1]
        if isinstance(source, Outer):
            narrower = self.bit(Outer(source.expression_id, (*source.path, name)))
        elif source.kind == "column":
            narrower = self.bit(Source("column", source.dataset, f"{source.column}.{part(name)}"))
        else:
            return bit
        self._wider[narrower] = bit
        return narrower

    def wider(self, bit: Bits) -> Bits:
        """The source that this one is a field of; 0 for one that is no field."""
        return self._wider.get(bit, 0)

    @property
    def model(self) -> Bits:
        """The models that are applied."""
        return self.bit(Source("model"))

    @property
    def none(self) -> Bits:
        """The bits that stand for there being no source."""
        return self.literal | self.generated


def part(name: str) -> str:
    """A field's name as a part of a dotted path: in backticks where it has a dot itself."""
    return f"`{name}`" if "." in name else name


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
    `bare` holds the direct sources with a path on which nothing masks them: a direct source outside it is masked. `closed` holds
    those that lost their structure on some path: no field of them can be told in the value any more. `unseen`, `opaque`, `inferred`
    and `declared` hold those with a path through something that no rule is for, through a function over whole rows, over an
    inferred link, or as the user declared it.
    """

    identity: Bits = 0
    transformation: Bits = 0
    aggregation: Bits = 0
    bare: Bits = 0
    closed: Bits = 0
    join: Bits = 0
    filter: Bits = 0
    group_by: Bits = 0
    sort: Bits = 0
    window: Bits = 0
    conditional: Bits = 0
    unseen: Bits = 0
    opaque: Bits = 0
    inferred: Bits = 0
    declared: Bits = 0

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
        direct = self.direct
        if not self.identity and not direct & ~self.closed:
            return self
        return _replace(self, identity=0, transformation=self.identity | self.transformation, closed=self.closed | direct)

    def taken(self) -> Influence:
        """As it bears on a part of the value, or on a value that it is a part of: an element, a branch. Its structure is kept."""
        return _replace(self, identity=0, transformation=self.identity | self.transformation) if self.identity else self

    def aggregated(self) -> Influence:
        """As it bears on an aggregate over the value. The structure is the function's own matter."""
        return _replace(self, identity=0, transformation=0, aggregation=self.direct)

    def masked(self) -> Influence:
        """As it bears on something that does not show the value: a hash, a count."""
        return _replace(self, bare=0)

    def deciding(self, subtype: Subtype) -> Influence:
        """As it bears on a value that it only decides about."""
        return decided_by(self.everything, subtype, self)

    def only(self, **lanes: bool) -> Influence:
        """The same, with all its sources in some of the lanes that say how sure they are (`SURENESS`)."""
        changes = {lane: self.everything for lane, wanted in lanes.items() if wanted}
        return _replace(self, **changes) if changes else self

    def field(self, name: str, sources: Sources) -> Influence:
        """As it bears on a field of the value: of the sources that kept their structure, the field of that name."""
        direct = self.direct
        open_ = direct & ~self.closed
        if not open_:
            return self.taken()
        narrower = {1 << number: sources.field(1 << number, name) for number in numbers(open_)}

        def narrowed(bits: Bits) -> Bits:
            result = bits & ~open_
            for bit, field_ in narrower.items():
                if bits & bit:
                    result |= field_
            return result

        shut = self.identity & self.closed
        return _replace(
            self,
            identity=narrowed(self.identity & ~shut),
            transformation=narrowed(self.transformation) | shut,
            aggregation=narrowed(self.aggregation),
            bare=narrowed(self.bare),
            **{lane: narrowed(own) | own & self.indirect for lane in SURENESS if (own := getattr(self, lane))},
        )


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
SURENESS: Final = ("unseen", "opaque", "inferred", "declared")
"""The lanes that say how a source is known to bear on a value, the least sure first. In none of them: the plan tells."""
_LANE_OF: Final = {subtype: lane for lane, subtype in (*DIRECT, *INDIRECT)}


def passed(bits: Bits) -> Influence:
    """The sources pass their value on unchanged."""
    return Influence(identity=bits, bare=bits)


def decided_by(bits: Bits, subtype: Subtype, of: Influence = NOTHING) -> Influence:
    """The sources decide about a value in one way, as sure as they are in `of`."""
    influence = Influence(**{_LANE_OF[subtype]: bits})
    if of.unseen | of.opaque | of.inferred | of.declared:
        return _replace(influence, **{lane: getattr(of, lane) & bits for lane in SURENESS})
    return influence


def union(influences: Iterable[Influence]) -> Influence:
    """All of them together."""
    distinct = {id(influence): influence for influence in influences if influence is not NOTHING}
    if len(distinct) <= 1:
        return next(iter(distinct.values()), NOTHING)
    identity = transformation = aggregation = bare = closed = join = filter_ = group_by = sort = window = conditional = 0
    unseen = opaque = inferred = declared = 0
    for one in distinct.values():  # unrolled: this is where the time of a wide plan goes
        identity |= one.identity
        transformation |= one.transformation
        aggregation |= one.aggregation
        bare |= one.bare
        closed |= one.closed
        join |= one.join
        filter_ |= one.filter
        group_by |= one.group_by
        sort |= one.sort
        window |= one.window
        conditional |= one.conditional
        unseen |= one.unseen
        opaque |= one.opaque
        inferred |= one.inferred
        declared |= one.declared
    return Influence(
        identity, transformation, aggregation, bare, closed, join, filter_, group_by, sort, window, conditional, unseen, opaque, inferred,
        declared,
    )  # fmt: skip


def substitute(influence: Influence, known: Mapping[Bits, Influence]) -> Influence:
    """The influence with placeholder bits replaced by what they stand for.

    `known` maps a single bit to its influence. What stood in a direct lane is at least that direct; what stood in an indirect
    one decides with all that it has.
    """
    everything = influence.everything
    if everything.bit_count() < len(known):
        present = {bit: known[bit] for bit in (1 << number for number in numbers(everything)) if bit in known}
    else:
        present = {bit: value for bit, value in known.items() if everything & bit}
    if not present:
        return influence
    gone = ~sum(present)
    parts = [Influence(*(getattr(influence, lane) & gone for lane in _LANES))]
    for bit, value in present.items():
        sureness = {lane: True for lane in SURENESS if getattr(influence, lane) & bit}
        if influence.direct & bit:
            part = value.transformed() if influence.closed & bit else value if influence.identity & bit else value.taken()
            part = part.aggregated() if influence.aggregation & bit else part
            part = part if influence.bare & bit else part.masked()
            parts.append(part.only(**sureness))
        parts.extend(value.deciding(subtype).only(**sureness) for lane, subtype in INDIRECT if getattr(influence, lane) & bit)
    return union(parts)


def without(influence: Influence, bits: Bits) -> Influence:
    """The influence less some sources."""
    return Influence(*(getattr(influence, lane) & ~bits for lane in _LANES))


def _replace(influence: Influence, **changes: Bits) -> Influence:
    lanes = {lane: getattr(influence, lane) for lane in _LANES}
    return Influence(**(lanes | changes))
