"""The edges of the recorded lineages, by what they lead to and by what they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from .names import Key

PlaceKind = Literal["column", "all_columns", "dataset", "literal", "generated", "unknown"]


class Place(NamedTuple):
    """Something that an edge starts or ends at.

    ``all_columns`` is each single column of a dataset, ``dataset`` the dataset in a walk by datasets. ``literal``,
    ``generated`` and ``unknown`` are the ends of a search: a value with no source, or with one that could not be told.
    """

    kind: PlaceKind
    dataset: Key | None = None
    column: str | None = None


class Edge(NamedTuple):
    """`source` bears on `target`. `edge_type` and `subtype` are None where only the datasets are known. `order_only`: on the order
    of the rows, not on what they hold."""

    source: Place
    target: Place
    edge_type: str | None = None
    subtype: str | None = None
    certainty: str = "plan"
    masking: bool = False
    expression: str | None = None
    order_only: bool = False

    @property
    def followed(self) -> bool:
        """Whether a value, or an unknown part of a dataset, goes along this edge; INDIRECT ones only decide about it."""
        return self.edge_type != "INDIRECT"


Wrote = tuple[str, Key]
"""A lineage, and which of the datasets that it writes: (`lineage_id`, dataset)."""


class LineageEdges:
    """The edges of many lineages, of which a walk looks at few: those of columns are made when they are first looked at."""

    def __init__(self, columns: Mapping[Wrote, Callable[[], Iterable[Edge]]], between: Iterable[tuple[str, Edge]]) -> None:
        """`columns` gives the column edges; `between` are the dataset edges, each with its `lineage_id`."""
        self._unread = columns
        self._read: dict[Wrote, _ColumnEdges] = {}
        self._datasets: dict[Wrote, list[Edge]] = {}
        for lineage_id, edge in between:
            if edge.target.dataset is not None:
                self._datasets.setdefault((lineage_id, edge.target.dataset), []).append(edge)
        self.into = lru_cache(maxsize=None)(self._into)
        self.out_of = lru_cache(maxsize=None)(self._out_of)

    def sources(self, lineage_id: str, written: Key) -> list[Key]:
        """The datasets that this lineage's write to `written` takes from."""
        return [edge.source.dataset for edge in self._datasets.get((lineage_id, written), ()) if edge.source.dataset]

    def _into(self, lineage_id: str, place: Place) -> tuple[Edge, ...]:
        """The edges of the lineage that bear on `place`."""
        assert place.dataset is not None
        wrote = (lineage_id, place.dataset)
        if place.kind == "dataset":
            return tuple(self._datasets.get(wrote, ()))
        columns = self._columns(wrote)
        return (*(_narrowed(edge, place) for edge in columns.into.covering(place)), *columns.bridges)

    def _out_of(self, lineage_id: str, written: Key, place: Place) -> tuple[Edge, ...]:
        """The edges of the lineage into the dataset `written` that `place` bears on."""
        wrote = (lineage_id, written)
        if place.kind == "dataset":
            return tuple(edge for edge in self._datasets.get(wrote, ()) if edge.source == place)
        columns = self._columns(wrote)
        bridges = (edge for edge in columns.bridges if covers(edge.source, place))
        return (*(_carried(edge, place) for edge in columns.out_of.covering(place)), *bridges)

    def _columns(self, wrote: Wrote) -> _ColumnEdges:
        if wrote not in self._read:
            edges = list(self._unread[wrote]()) if wrote in self._unread else []
            self._read[wrote] = _ColumnEdges(
                into=_ByPlace((edge.target, edge) for edge in edges),
                out_of=_ByPlace((edge.source, edge) for edge in edges),
                bridges=_bridges(edges, self._datasets.get(wrote, ())),
            )
        return self._read[wrote]


@dataclass(frozen=True, slots=True)
class _ColumnEdges:
    into: _ByPlace
    out_of: _ByPlace
    bridges: list[Edge]


class _ByPlace:
    """Edges by a place at one of their ends. Structs and their fields are looked through only where there are any."""

    def __init__(self, edges: Iterable[tuple[Place, Edge]]) -> None:
        self._edges: dict[Place, list[Edge]] = {}
        for place, edge in edges:
            self._edges.setdefault(place, []).append(edge)
        self._nested = any(place.column and "." in place.column for place in self._edges)

    def covering(self, place: Place) -> Iterator[Edge]:
        if self._nested or place.column is None or "." in place.column:
            for other, edges in self._edges.items():
                if covers(other, place):
                    yield from edges
            return
        yield from self._edges.get(place, ())
        yield from self._edges.get(Place("all_columns", place.dataset), ())


def covers(one: Place, other: Place) -> bool:
    """Whether two places of datasets are the same, or share a column: all of them, or a struct and its field."""
    if one.dataset != other.dataset or one.dataset is None or (one.kind == "dataset") != (other.kind == "dataset"):
        return False
    if one.column is None or other.column is None or one.column == other.column:
        return True
    return _within(one.column, other.column) or _within(other.column, one.column)


def _within(inner: str, outer: str) -> bool:
    return inner.startswith(outer) and inner[len(outer) :].startswith(".")


def _bridges(columns: Sequence[Edge], between: Sequence[Edge]) -> list[Edge]:
    """The dataset edges that a walk by columns must take too, so that no dependency is missed: from any column to any.

    Those between which no column edge is known, or none that was inferred as the dataset edge was; and, where the source of a
    column is unknown, all: it may come from any dataset that was read.
    """
    told = {edge.source.dataset for edge in columns}
    inferred = {edge.source.dataset for edge in columns if edge.certainty == "inferred"}
    lost = any(edge.source.kind == "unknown" for edge in columns)
    return [
        Edge(
            edge.source._replace(kind="all_columns"),
            edge.target._replace(kind="all_columns"),
            certainty="inferred" if edge.source.dataset in told else edge.certainty,
        )
        for edge in between
        if lost or edge.source.dataset not in (inferred if edge.certainty == "inferred" else told)
    ]


def _narrowed(edge: Edge, wanted: Place) -> Edge:
    """An unchanged struct, asked about one field of it: the field comes from the same field of the source."""
    if edge.subtype != "IDENTITY" or not wanted.column or not edge.target.column or not edge.source.column:
        return edge
    if not _within(wanted.column, edge.target.column):
        return edge
    rest = wanted.column[len(edge.target.column) :]
    return edge._replace(target=wanted, source=edge.source._replace(column=edge.source.column + rest))


def _carried(edge: Edge, changed: Place) -> Edge:
    """The same the other way: one field of an unchanged struct only bears on that field."""
    if edge.subtype != "IDENTITY" or not changed.column or not edge.target.column or not edge.source.column:
        return edge
    if not _within(changed.column, edge.source.column):
        return edge
    rest = changed.column[len(edge.source.column) :]
    return edge._replace(source=changed, target=edge.target._replace(column=edge.target.column + rest))
