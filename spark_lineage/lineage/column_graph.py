"""The columns of a plan for people: what each was made from, and by which operator, from what is written down to what is read.

A column that operators hand on as it is (a filter, a sort, a join, a rename) is one column here, as it is one object in the walk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ..model import PlanColumn, PlanSource, SourceKind
from .datasets import DatasetRef
from .edges import without_literals
from .influence import Source
from .relation import Column
from .walk import Walk, Written

LONGEST: Final = 4_000
"""Characters of an expression or a description; what a projection of a thousand columns says beyond that is in its fields."""
LARGEST: Final = 2_000_000
"""Characters of the columns of one plan, numbers counted as eight each: what is farther from the target is left out."""
REASON: Final = "explain: "
"""How a reason begins that says no more than that not every column can be followed to its end: the edges are all there."""

EVERY: Final = "*"
"""The target of what bears on every column."""

_NUMBER: Final = 8


@dataclass(frozen=True, slots=True)
class ColumnGraph:
    """The columns by number, nearest to the targets first; `whole` is False where some did not find room."""

    columns: tuple[PlanColumn, ...]
    whole: bool = True


def graph_of(walk: Walk, numbered: Mapping[int, int], allowed: Callable[[DatasetRef], bool]) -> ColumnGraph:
    """The columns that the plan's writes are made of. `numbered`: the ids that the plan's nodes have among the operators.

    Sources in datasets that are not `allowed` are left out, and so are writes to them.
    """
    return _Graph(walk, numbered, allowed).whole()


def spelt(sql: str | None) -> str | None:
    """An expression as a stored plan has it: without literals, and not endless."""
    return None if sql is None else without_literals(sql)[:LONGEST]


@dataclass(frozen=True, slots=True)
class _Maker:
    """Who made a column, and what it was called there. `operator` None: an operator of a plan that ran inside this one."""

    operator: int | None
    kind: str
    name: str | None


class _Graph:
    def __init__(self, walk: Walk, numbered: Mapping[int, int], allowed: Callable[[DatasetRef], bool]) -> None:
        self._allowed = allowed
        self._walk = walk
        self._numbered = numbered
        self._makers: dict[int, _Maker] = {}
        self._handed_on: dict[int, Column] = {}
        self._numbers: dict[int, int] = {}
        self._waiting: deque[tuple[Column, _Maker]] = deque()
        self._next = 0

    def whole(self) -> ColumnGraph:
        for inner in (self._walk, *self._walk.inner):
            self._find_makers(inner)
        targets = [(written, name, column) for written in self._written() for name, column in written.columns]
        self._next = len(targets)
        columns: list[PlanColumn] = []
        room = LARGEST
        for number, (written, name, column) in enumerate(targets):
            columns.append(self._target(number, written, name or EVERY, column))
            room -= _size(columns[-1])
        while self._waiting:
            column, maker = self._waiting.popleft()
            made = self._column(len(columns), column, maker)
            room -= _size(made)
            if room < 0:
                return ColumnGraph(tuple(columns), whole=False)
            columns.append(made)
        return ColumnGraph(tuple(columns))

    def _written(self) -> Iterable[Written]:
        return (one for one in self._walk.written if self._allowed(one.target))

    def _find_makers(self, walk: Walk) -> None:
        """The first node among whose columns one is, made it; but for a node that wraps what it hands on, as a join does."""
        seen: set[int] = set()
        latest: dict[int, Column] = {}
        for node_id, relation in walk.relations.items():
            if id(relation.columns) in seen:
                continue
            seen.add(id(relation.columns))
            operator = self._numbered.get(node_id) if walk is self._walk else None
            kind = walk.plan.nodes[node_id].kind
            here: dict[int, str] = {}
            for expression_id, column in relation.columns.items():
                before, latest[expression_id] = latest.get(expression_id), column
                own = id(column)
                if own in here:
                    if walk.plan.name_of(expression_id) != here[own]:
                        self._makers[own] = _Maker(operator, kind, None)
                elif own in self._makers or own in self._handed_on:
                    continue
                elif before is not None and column.parents == (before,):
                    self._handed_on[own] = before
                elif _is_held_again(column):
                    self._handed_on[own] = column.parents[0]
                else:
                    here[own] = walk.plan.name_of(expression_id)
                    self._makers[own] = _Maker(operator, kind, here[own])

    def _target(self, number: int, written: Written, path: str, column: Column) -> PlanColumn:
        node = written.node
        inside = node is not None and self._walk.plan.nodes.get(node.id) is node
        operator = self._numbered[node.id] if node is not None and inside else None
        maker = _Maker(operator, node.kind if node is not None else "", path)
        return PlanColumn(
            column=number,
            operator=operator,
            kind=maker.kind,
            name=path,
            inputs=(self._number(column, maker),),
            target=path,
            sources=() if inside else (PlanSource(namespace=written.target.key[0], name=written.target.key[1], column=path),),
        )

    def _number(self, column: Column, consumer: _Maker) -> int:
        """The number of a column. One that no operator gives on was made in the operator that takes it: by a clause of MERGE."""
        while id(column) in self._handed_on:
            column = self._handed_on[id(column)]
        number = self._numbers.get(id(column))
        if number is None:
            number = self._numbers[id(column)] = self._next
            self._next += 1
            self._waiting.append((column, self._makers.get(id(column), consumer)))
        return number

    def _column(self, number: int, column: Column, maker: _Maker) -> PlanColumn:
        kind, sources = self._sources(column)
        taken_over = len(column.parents) > 1 and any(parent.expression is column.expression for parent in column.parents)
        return PlanColumn(
            column=number,
            operator=maker.operator,
            kind=maker.kind,
            name=maker.name,
            expression=None if taken_over else spelt(column.expression),
            condition=spelt(column.condition),
            inputs=tuple(dict.fromkeys(self._number(parent, maker) for parent in column.parents)),
            source_kind=kind,
            sources=sources,
        )

    def _sources(self, column: Column) -> tuple[SourceKind | None, tuple[PlanSource, ...]]:
        """Where a column comes from that was made from no other."""
        if column.parents:
            return None, ()
        found = [one for one in self._walk.sources.of(column.influence.everything) if isinstance(one, Source)]
        named = (one for one in found if one.kind == "column" and self._allowed(self._walk.readings[one.dataset or 0].dataset))
        columns = tuple(self._source(one) for one in named)
        kinds = {one.kind for one in found}
        kind = next((kind for kind in _KINDS if kind in kinds), None)
        return kind, columns

    def _source(self, source: Source) -> PlanSource:
        namespace, name = self._walk.readings[source.dataset or 0].dataset.key
        return PlanSource(namespace=namespace, name=name, column=source.column or "")


def _is_held_again(column: Column) -> bool:
    """Whether it is another column under other knowledge, as the batch of a stream is."""
    if len(column.parents) != 1:
        return False
    (held,) = column.parents
    return held.step == column.step and held.expression is column.expression and column.expression is not None


_KINDS: Final[tuple[SourceKind, ...]] = ("column", "unknown", "generated", "literal")


def _size(column: PlanColumn) -> int:
    texts = (column.kind, column.name, column.expression, column.condition, column.target)
    sources = sum(len(one.namespace) + len(one.name) + len(one.column) for one in column.sources)
    return sum(len(text or "") for text in texts) + sources + _NUMBER * (2 + len(column.inputs))
