"""`spark_lineage.open(path)`: questions to the lineage tables of one store, answered without a JVM.

Each question reads the tables as they are when it is asked; nothing is kept between two.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any, get_args

from ..config import load
from ..errors import NotFound, QueryError
from . import catalog, recorded, runs
from .answers import (
    ColumnSources,
    DatasetColumns,
    DatasetSummary,
    ExecutionSummary,
    Explanation,
    Link,
    RunDetail,
    RunSummary,
    Walk,
)
from .edges import Edge, LineageEdges, Place, covers
from .explain import Explained
from .graph import Indirect, downstream, reachable, upstream
from .history import History
from .moment import from_microseconds, microseconds, moment
from .names import Key, Named, Names, near_columns
from .recorded import Spelling
from .tables import DeltaTables, Tables
from .walk import links_of, nodes_of, walk_of

At = str | date | datetime | None


def open(location: str | os.PathLike[str] | None = None) -> Lineage:
    """The lineage in a store: a folder or an object store URI; None is the store that the configuration names.

    >>> import spark_lineage
    >>> lineage = spark_lineage.open("./lineage")                           # doctest: +SKIP
    >>> lineage.upstream("churn_predictions").datasets                      # doctest: +SKIP
    ('user_activity_features', 'user_behavior.csv')

    Raises `StoreNotFound`, `SchemaVersionError`, `StoreError`, and `ConfigError` where the configuration cannot be read.
    """
    return Lineage(DeltaTables(os.fspath(location) if location is not None else str(load().store)))


class Lineage:
    """What is recorded in one store.

    Datasets are named by any of their names: a catalog name (``default.t``), a path in any spelling, or the end of
    either (``churn_predictions``, ``marts/revenue``). Raises `NotFound` with near names, `Ambiguous` with candidates.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def runs(self) -> tuple[RunSummary, ...]:
        """All runs, the newest first."""
        return runs.summaries(self._tables, recorded.names(self._tables))

    def run(self, run: str) -> RunDetail:
        """One run, named by its id or by the beginning of it; also ``last``, the newest."""
        return runs.detail(self._tables, recorded.names(self._tables), run)

    def executions(self, run: str) -> tuple[ExecutionSummary, ...]:
        """The executions of a run, in order."""
        return self.run(run).executions

    def datasets(self) -> tuple[DatasetSummary, ...]:
        """All datasets, by name."""
        return catalog.summaries(self._tables, recorded.names(self._tables))

    def columns(self, name: str, at: At = None) -> DatasetColumns:
        """The columns of a dataset, or the one of ``dataset.column``, and where each comes from as of `at` (one edge back)."""
        names = recorded.names(self._tables)
        named, fields = self._named(names, name)
        key = named.dataset
        if named.column is not None:
            self._check_column(names, named, fields)
        when = microseconds(moment(at))
        start = Place("all_columns", key)
        history, edges = self._lineage(start, _spelt(key, fields.types), forward=False, one_edge=True)
        steps = upstream(history, edges, start, when, depth=1)
        order = dict.fromkeys([*fields.types, *(step.edge.target.column for step in steps if step.edge.target.column)])
        if named.column is not None:
            wanted = Place("column", key, named.column.lower())
            steps = [step for step in steps if covers(_lower(step.edge.target), wanted)]
            order = {column: None for column in order if covers(Place("column", key, column.lower()), wanted)}
        links = links_of(steps)
        into: dict[str | None, list[Link]] = {}
        for step, link in zip(steps, links, strict=True):
            into.setdefault(step.edge.target.column, []).append(link)
        return DatasetColumns(
            dataset=catalog.summary(self._tables, names, key),
            at=from_microseconds(when),
            columns=tuple(
                ColumnSources(path=path, data_type=data_type, nullable=nullable, links=tuple(into.get(path, ())))
                for path in order
                for data_type, nullable in (fields.types.get(path, (None, None)),)
            ),
            every_column=tuple(into.get(None, ())),
            nodes=nodes_of(names, start, steps, forward=False),
        )

    def explain(self, name: str, at: At = None) -> Explanation:
        """How a ``dataset.column`` was made by the last write of it as of `at`, operator by operator, down to what that read.

        Raises `NotFound` also where that write's plan was not stored.
        """
        names = recorded.names(self._tables)
        named, fields = self._named(names, name)
        label = names.label(named.dataset)
        if named.column is None and not fields.types:
            raise QueryError(
                f"no columns of {label} are known, as of a trained model, which has none: `spark-lineage columns {label}` tells "
                "what it comes from"
            )
        if named.column is None:
            raise QueryError(
                f"{name!r} is a dataset: name one column of it, as in {label}.COLUMN; `spark-lineage columns` lists them"
            )
        self._check_column(names, named, fields)
        when = microseconds(moment(at))
        history = recorded.history(self._tables)
        writes = [history.writes[position] for position in history.in_force(named.dataset, when)]
        if not writes:
            raise NotFound(
                f"no write of {label} is recorded as of {from_microseconds(when):%Y-%m-%d %H:%M:%S}Z: nothing says how it was made"
            )
        return Explained(self._tables, names, named.dataset, named.column, writes).answer(when)

    def upstream(self, name: str, *, depth: int | None = None, at: At = None, indirect: Indirect = "show") -> Walk:
        """What a dataset or a ``dataset.column`` was made of as of `at` (None: now), across jobs.

        `depth`: how many edges to go back, all by default. `indirect`: what to do with columns that only decide about the
        value (filters, join keys, ...): ``show`` them, ``follow`` them further back, or ``hide`` them.
        """
        return self._walk(name, False, depth, at, indirect)

    def downstream(self, name: str, *, depth: int | None = None, at: At = None, indirect: Indirect = "follow") -> Walk:
        """What would be touched if a dataset or a ``dataset.column`` changed: all that is made of it as of `at`.

        As `upstream`, turned round: what is reached from X is what has X upstream. INDIRECT edges are followed by
        default, since a changed filter column changes what comes through the filter.
        """
        return self._walk(name, True, depth, at, indirect)

    def duckdb(self) -> Any:
        """A new DuckDB connection with the lineage tables and views registered (docs/tables.md lists them)."""
        import duckdb

        from ..store.register import register_duckdb

        connection = duckdb.connect()
        register_duckdb(connection, getattr(self._tables, "location", ""))
        return connection

    def _walk(self, name: str, forward: bool, depth: int | None, at: At, indirect: Indirect) -> Walk:
        if depth is not None and depth < 1:
            raise QueryError(f"depth is {depth}; give the number of edges to go, 1 or more, or None for all")
        if indirect not in get_args(Indirect):
            raise QueryError(f"indirect is {indirect!r}; set it to one of {', '.join(get_args(Indirect))}")
        names = recorded.names(self._tables)
        named, fields = self._named(names, name)
        start, spelling = Place("dataset", named.dataset), Spelling()
        if named.column is not None:
            if fields.lacks(named.column):
                self._check_column(names, named, fields)
            spelling = _spelt(named.dataset, fields.types)
            start = Place("column", named.dataset, spelling.of(named.dataset, named.column))
        when = microseconds(moment(at))
        history, edges = self._lineage(start, spelling, forward, one_edge=depth == 1 and not forward)
        in_force: set[Place] | None = None
        if forward:
            steps, in_force = downstream(history, edges, start, when, depth, indirect)
        else:
            steps = upstream(history, edges, start, when, depth, indirect)
        if named.column is not None and not any(_is_of(step.edge, start) for step in steps):
            self._check_column(names, named, fields)
        return walk_of(names, start, steps, forward, from_microseconds(when), depth, indirect, in_force)

    def _lineage(self, start: Place, spelling: Spelling, forward: bool, one_edge: bool = False) -> tuple[History, LineageEdges]:
        """The history, and the edges that a walk can meet, with `one_edge` one that goes no further."""
        assert start.dataset is not None
        history = recorded.history(self._tables)
        between = recorded.dataset_edges(self._tables)
        if start.kind == "dataset":
            return history, LineageEdges({}, between)
        targets = {start.dataset} if one_edge else reachable(start.dataset, (edge for _, edge in between), forward)
        return history, LineageEdges(recorded.column_edges(self._tables, targets, spelling), between)

    def _named(self, names: Names, name: str) -> tuple[Named, catalog.Fields]:
        """What is named, with a column as lineage spells it; and the dataset's fields."""
        named = names.column(name)
        fields = catalog.schema(self._tables, named.dataset)
        return replace(named, column=fields.path(named.column) if named.column is not None else None), fields

    def _check_column(self, names: Names, named: Named, fields: catalog.Fields) -> None:
        """Raises `NotFound` for a column that the dataset never had, as far as is recorded."""
        known = catalog.known_columns(self._tables, named.dataset)
        assert named.column is not None
        wanted = Place("column", named.dataset, named.column.lower())
        places = [Place("column", named.dataset, column.lower()) for column in known]
        there = any(covers(place, wanted) for place in places)
        if there and fields.lacks(named.column):  # it was another column once, as edges tell
            there = any(place.column == wanted.column or _lies_in(place, wanted) for place in places)
        if known and not there:
            label = names.label(named.dataset)
            raise NotFound(f"{label} has no column {named.column!r}{near_columns(named.column, known)}")


def _spelt(dataset: Key, columns: Iterable[str]) -> Spelling:
    """The dataset's own spelling of its columns comes before that of any job."""
    spelling = Spelling()
    for column in columns:
        spelling.of(dataset, column)
    return spelling


def _lower(place: Place) -> Place:
    return place if place.column is None else place._replace(column=place.column.lower())


def _lies_in(field: Place, struct: Place) -> bool:
    return field.column is not None and field.column.startswith(f"{struct.column}.")


def _is_of(edge: Edge, column: Place) -> bool:
    """Whether the edge shows that there is such a column: it names it, and not only all of its dataset."""
    return any(place.kind == "column" and covers(place, column) for place in (edge.source, edge.target))
