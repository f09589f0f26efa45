"""From resolved writes to edges, and to the name that a set of edges has by its content."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from ..model import Certainty, ColumnEdge, DatasetEdge, EdgeType, SourceKind, Subtype
from .datasets import DatasetRef
from .influence import DIRECT, INDIRECT, SURENESS, Bits, Influence, Outer, Source, Sources, numbers, part
from .naming import DatasetKey
from .relation import Column
from .scoring import Applied, unknown_model
from .value import Value
from .walk import Walk, Written

_CERTAINTY: Final[dict[str, Certainty]] = {
    "unseen": "unknown",
    "opaque": "opaque",
    "inferred": "inferred",
    "declared": "declared",
}
_LITERAL: Final = re.compile(r"'(?:[^'\\]|\\.|'')*'|\b\d+(?:\.\d+)?(?:[eE][-+]?\d+)?[A-Za-z]{0,2}\b")


@dataclass(frozen=True, slots=True)
class Edge:
    """A column edge before its lineage has a name. `target_column` None: it bears on every column."""

    target: DatasetKey
    target_column: str | None
    kind: SourceKind
    source: DatasetKey | None
    source_column: str | None
    type: EdgeType
    subtype: Subtype
    masking: bool = False
    expression: str | None = None
    steps: tuple[str, ...] = ()
    certainty: Certainty = "plan"
    order_only: bool = False

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes it one edge: the same in every run of the same code, whatever the literals."""
        expression = None if self.expression is None else without_literals(self.expression)
        return (
            self.target, self.target_column, self.kind, self.source, self.source_column, self.type, self.subtype, self.masking, expression, self.steps,
            *((self.certainty, self.order_only) if self.certainty != "plan" or self.order_only else ()),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lineage:
    """The edges of an execution; `id` is None where there are none."""

    id: str | None
    datasets: tuple[DatasetEdge, ...] = ()
    columns: tuple[ColumnEdge, ...] = ()


def lineage_of(
    edges: Iterable[Edge], dataset_edges: Iterable[tuple[DatasetKey, DatasetKey, Certainty]], seen_at: datetime
) -> Lineage:
    """The edges under the name that their content has: not times, not versions, not the values of literals."""
    texts: dict[str, Edge] = {}
    for edge in edges:
        texts.setdefault(_text(edge.identity), edge)
    columns = sorted(texts.items())
    datasets = sorted(_surest(dataset_edges))
    if not columns and not datasets:
        return Lineage(None)
    lineage_id = _digest("\n".join((_text(datasets), *(text for text, _ in columns))))
    return Lineage(
        lineage_id,
        tuple(DatasetEdge(lineage_id=lineage_id, target_namespace=target[0], target_name=target[1], source_namespace=source[0], source_name=source[1], certainty=certainty) for target, source, certainty in datasets),
        tuple(_record(edge, _digest(text), lineage_id, seen_at) for text, edge in columns),
    )  # fmt: skip


def edges_of(
    written: Written, walk: Walk, allowed: Callable[[DatasetRef], bool], applied: Callable[[], Applied] = Applied
) -> Iterator[Edge]:
    """The column edges of one write. Sources that are not `allowed` are left out. `applied`: what stands for the models whose
    functions the plan calls; asked only where it calls one."""
    cited = _Cited(written.target.key, walk, allowed, applied)
    for name, column in written.columns:
        yield from cited.of_column(name, column)
    decided = {(condition.subtype, condition.bits) for condition in written.relation.conditions}
    order = (one for one in written.relation.order if not one.spread and (one.subtype, one.bits) not in decided)
    for condition in (*written.relation.conditions, *order):
        edge = Edge(cited.target, None, "unknown", None, None, "INDIRECT", condition.subtype, False, condition.expression)
        edge = replace(edge, order_only=condition.order_only)
        yield from cited.from_bits(edge, condition.bits, condition.influence)


def content_id(content: Sequence[object]) -> str:
    """The first 32 hex digits of the SHA-256 of a list of JSON-like values. Item by item: that of a wide plan is long as a text."""
    digest = hashlib.sha256(b"[")
    for position, item in enumerate(content):
        digest.update(f"{',' if position else ''}{_text(item)}".encode())
    digest.update(b"]")
    return digest.hexdigest()[:32]


@functools.lru_cache(maxsize=10_000)
def without_literals(sql: str) -> str:
    """SQL text with a question mark for each literal."""
    return _LITERAL.sub("?", sql)


class _Cited:
    """Edges of one target, with the sources that bits stand for spelt out."""

    def __init__(
        self, target: DatasetKey, walk: Walk, allowed: Callable[[DatasetRef], bool], applied: Callable[[], Applied]
    ) -> None:
        self.target = target
        self._walk = walk
        self._applied = applied
        self._allowed = [allowed(reading.dataset) for reading in walk.readings]
        self._routes = _Routes(walk.sources)

    def of_column(self, name: str | None, column: Column) -> Iterator[Edge]:
        """The edges of a column: those of its fields, where they are told apart."""
        if name is None:
            yield from self._of_value(None, column.value, column)
            return
        pending = [(name, column.value)]
        while pending:
            path, value = pending.pop()
            if value.fields:
                pending.extend((f"{path}.{part(field)}", inner) for field, inner in reversed(tuple(value.fields.items())))
            else:
                yield from self._of_value(path, value, column)

    def _of_value(self, name: str | None, value: Value, column: Column) -> Iterator[Edge]:
        influence = value.influence
        none = self._walk.sources.none
        for lane, subtype in DIRECT:
            bits: Bits = getattr(influence, lane)
            expression = None if subtype == "IDENTITY" else column.expression
            edge = Edge(self.target, name, "unknown", None, None, "DIRECT", subtype, False, expression)
            yield from self.from_bits(edge, bits & ~none & influence.bare, influence, column)
            yield from self.from_bits(replace(edge, masking=True), bits & ~none & ~influence.bare, influence, column)
        for lane, subtype in INDIRECT:
            expression = column.condition or column.expression
            edge = Edge(self.target, name, "unknown", None, None, "INDIRECT", subtype, False, expression)
            yield from self.from_bits(edge, getattr(influence, lane) & ~none, influence, column)
        if not influence.direct & ~none:
            yield self._sourceless(name, influence, column)

    def from_bits(self, edge: Edge, bits: Bits, influence: Influence, column: Column | None = None) -> Iterator[Edge]:
        """The edge, once for each source in the set."""
        sources = self._walk.sources
        for source in sources.of(bits):
            bit = sources.bit(source)
            steps = () if column is None else self._routes.steps(column, bit, edge.type)
            certainty = _certainty(influence, bit)
            if isinstance(source, Outer):
                self._walk.reason(f"column {self._walk.plan.name_of(source.expression_id)}: no operator below gives it")
                yield replace(edge, certainty=certainty, steps=steps)
            elif source.kind == "model":
                yield from self._from_models(replace(edge, certainty="inferred", steps=steps))
            elif source.kind != "column":
                yield replace(edge, kind=source.kind, certainty=certainty, steps=steps)
            elif self._allowed[source.dataset or 0]:
                yield self._from_source(edge, source, steps, certainty)

    def _from_source(self, edge: Edge, source: Source, steps: tuple[str, ...], certainty: Certainty) -> Edge:
        """The edge from a column. Spelt out: of a function over a thousand columns there are a million, and `replace` is slow."""
        key = self._walk.readings[source.dataset or 0].dataset.key
        return Edge(
            edge.target, edge.target_column, "column", key, source.column, edge.type, edge.subtype, edge.masking, edge.expression, steps,
            certainty, edge.order_only,
        )  # fmt: skip

    def _from_models(self, edge: Edge) -> Iterator[Edge]:
        """A value that a model computed comes from the model as a whole; of one that was not saved, from what it was trained on."""
        applied = self._applied()
        if not applied.models and not applied.trained and unknown_model(self._walk.plan):
            self._walk.reason("scored with a model of Spark ML that the run is not known to have loaded, saved or trained")
        for model in sorted(applied.models - {self.target}):
            yield replace(edge, kind="column", source=model)
        for trained in applied.trained:
            type_, subtype = (trained.edge_type, trained.subtype) if edge.type == "DIRECT" else (edge.type, edge.subtype)
            source = None if trained.source_name is None else (trained.source_namespace or "", trained.source_name)
            yield replace(
                edge, kind=trained.source_kind, source=source, source_column=trained.source_column, type=type_, subtype=subtype,
                masking=edge.masking or trained.masking,
            )  # fmt: skip

    def _sourceless(self, name: str | None, influence: Influence, column: Column) -> Edge:
        """A column whose value comes from no dataset: it is spelt out in the query, or made up by it."""
        generated = bool(influence.direct & self._walk.sources.generated) or not influence.direct
        kind: SourceKind = "generated" if generated else "literal"
        return Edge(self.target, name, kind, None, None, "DIRECT", _strongest(influence), False, column.expression)


@dataclass(frozen=True, slots=True, eq=False)
class _Trail:
    """An operator that a value passed, and those before it: ways share what they have in common, or a deep plan would copy it at each step."""

    step: str
    before: _Trail | None

    def steps(self) -> tuple[str, ...]:
        """The operators, nearest to the source first."""
        found: list[str] = []
        current: _Trail | None = self
        while current is not None:
            found.append(current.step)
            current = current.before
        return tuple(reversed(found))


class _Routes:
    """The operators that a value passed, found by walking back from a column to a source.

    Of several ways the first is taken, one that passes the value on before one that only decides. What was found is kept, so
    that many columns over the same columns cost as much as one.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._trails: dict[tuple[int, Bits, bool], _Trail | None] = {}
        self._parents: dict[int, tuple[dict[Bits, Column], dict[Bits, Column]]] = {}

    def steps(self, column: Column, bit: Bits, edge_type: EdgeType) -> tuple[str, ...]:
        """The operators, nearest to the source first; one that repeats is told once."""
        way: list[tuple[Column, Bits]] = []
        direct = edge_type == "DIRECT"
        current: Column | None = column
        while current is not None and (id(current), bit, direct) not in self._trails:
            way.append((current, bit))
            current, bit = self._next(current, bit, direct)
        trail = None if current is None else self._trails[(id(current), bit, direct)]
        for passed, through in reversed(way):
            if passed.step is not None and (trail is None or trail.step != passed.step):
                trail = _Trail(passed.step, trail)
            self._trails[(id(passed), through, direct)] = trail
        return () if trail is None else trail.steps()

    def _next(self, column: Column, bit: Bits, direct: bool) -> tuple[Column | None, Bits]:
        """The column before, and the source as that has it: one whose field was taken since has it whole."""
        if not column.parents:
            return None, bit
        if id(column) not in self._parents:
            self._parents[id(column)] = (
                _first_with(column.parents, lambda influence: influence.direct),
                _first_with(column.parents, lambda influence: influence.everything),
            )
        passing, deciding = self._parents[id(column)]
        while bit:
            found = (passing.get(bit) if direct else None) or deciding.get(bit)
            if found is not None:
                return found, bit
            bit = self._sources.wider(bit)
        return None, bit


def _first_with(parents: tuple[Column, ...], bits_of: Callable[[Influence], Bits]) -> dict[Bits, Column]:
    """For each source, the first of the columns that has it."""
    first: dict[Bits, Column] = {}
    seen = 0
    for parent in parents:
        bits = bits_of(parent.influence)
        for number in numbers(bits & ~seen):
            first[1 << number] = parent
        seen |= bits
    return first


def _certainty(influence: Influence, bit: Bits) -> Certainty:
    """How sure it is that a source bears on a value: as on the least sure of its ways."""
    for lane in SURENESS:
        if getattr(influence, lane) & bit:
            return _CERTAINTY[lane]
    return "plan"


def _strongest(influence: Influence) -> Subtype:
    if influence.aggregation:
        return "AGGREGATION"
    return "TRANSFORMATION" if influence.transformation else "IDENTITY"


def _surest(edges: Iterable[tuple[DatasetKey, DatasetKey, Certainty]]) -> set[tuple[DatasetKey, DatasetKey, Certainty]]:
    """Each pair once: what the plan tells needs no inference."""
    edges = set(edges)
    told = {(target, source) for target, source, certainty in edges if certainty == "plan"}
    return {edge for edge in edges if edge[2] == "plan" or edge[:2] not in told}


def _record(edge: Edge, edge_id: str, lineage_id: str, seen_at: datetime) -> ColumnEdge:
    return ColumnEdge(
        lineage_id=lineage_id,
        edge_id=edge_id,
        target_namespace=edge.target[0],
        target_name=edge.target[1],
        target_column=edge.target_column,
        source_kind=edge.kind,
        source_namespace=None if edge.source is None else edge.source[0],
        source_name=None if edge.source is None else edge.source[1],
        source_column=edge.source_column,
        edge_type=edge.type,
        subtype=edge.subtype,
        masking=edge.masking,
        expression=edge.expression,
        steps=edge.steps,
        certainty=edge.certainty,
        order_only=edge.order_only,
        first_seen_at=seen_at,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _text(content: object) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)
