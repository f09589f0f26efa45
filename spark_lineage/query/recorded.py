"""What the lineage tables record, as the values that walks work on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any

from ..store.views import FULL_OVERWRITES
from .edges import Edge, Place, PlaceKind, Wrote
from .history import History, Read, Write
from .names import Key, Known, Names
from .tables import Tables

_EXECUTION = ("execution_id", "run_id", "job_name", "lineage_id", "status", "started_at", "ended_at", "completeness")
_OUTPUT = ("execution_id", "namespace", "name", "event_time", "table_id", "delta_version", "delta_version_before", "write_mode")
_INPUT = ("execution_id", "namespace", "name", "table_id", "delta_version")
_DATASET_EDGE = ("lineage_id", "target_namespace", "target_name", "source_namespace", "source_name", "certainty")
_COLUMN_EDGE = (
    "lineage_id", "target_namespace", "target_name", "target_column", "source_kind", "source_namespace", "source_name",
    "source_column", "edge_type", "subtype", "masking", "expression", "certainty", "order_only",
)  # fmt: skip


class Spelling:
    """One spelling for each column of a dataset. Spark does not tell columns apart by case, and each job may spell them its way."""

    def __init__(self) -> None:
        self._known: dict[tuple[Key, str], str] = {}

    def of(self, dataset: Key, column: str) -> str:
        """The spelling under which this column was first met."""
        return self._known.setdefault((dataset, column.lower()), column)


def names(tables: Tables) -> Names:
    """All datasets, incarnations of one folded."""
    aliases: dict[Key, dict[str, None]] = {}
    locations: dict[Key, str | None] = {}
    for namespace, name, spelled, location in tables.rows("datasets", ("namespace", "name", "aliases", "location")):
        aliases.setdefault((namespace, name), {}).update(dict.fromkeys(spelled or ()))
        locations[namespace, name] = location or locations.get((namespace, name))
    return Names(Known(key, tuple(spelled), locations[key]) for key, spelled in aliases.items())


def history(tables: Tables) -> History:
    """The writes of all executions that succeeded, or failed after a commit of theirs, and the versions that were read."""
    executions = {row[0]: row for row in tables.rows("executions", _EXECUTION)}
    writes = [write for row in tables.rows("outputs", _OUTPUT) if (write := _write(row, executions.get(row[0])))]
    writers = {write.execution_id for write in writes}
    reads = (
        Read(execution_id, (namespace, name), table_id, version)
        for execution_id, namespace, name, table_id, version in tables.rows("inputs", _INPUT)
        if version is not None and execution_id in writers
    )
    return History(writes, reads)


def dataset_edges(tables: Tables) -> list[tuple[str, Edge]]:
    """The dataset edges of all lineages."""
    return [
        (lineage_id, Edge(Place("dataset", (*source,)), Place("dataset", (*target,)), certainty=certainty))
        for lineage_id, *target, source_namespace, source_name, certainty in tables.rows("dataset_lineage", _DATASET_EDGE)
        for source in ((source_namespace, source_name),)
    ]


def column_edges(tables: Tables, targets: Collection[Key], spelling: Spelling) -> dict[Wrote, Callable[[], Iterable[Edge]]]:
    """The column edges of all lineages into these datasets, made when they are asked for. The table is clustered by target."""
    rows: dict[Wrote, list[Sequence[Any]]] = {}
    for row in tables.rows("column_lineage", _COLUMN_EDGE, {"target_name": {name for _, name in targets}}):
        rows.setdefault((row[0], (row[1], row[2])), []).append(row)
    return {wrote: partial(map, partial(_column_edge, spelling), found) for wrote, found in rows.items()}


def _write(output: Sequence[Any], execution: Sequence[Any] | None) -> Write | None:
    """None for one without its execution (it is written last: not all of it is there yet), and for a failed one."""
    execution_id, namespace, name, event_time, table_id, version, version_before, mode = output
    if execution is None:
        return None
    _, run_id, job_name, lineage_id, status, started_at, ended_at, completeness = execution
    if status != "succeeded" and version is None:
        return None
    return Write(
        execution_id,
        run_id,
        job_name,
        lineage_id,
        (namespace, name),
        started_at if started_at is not None else event_time or ended_at,
        event_time if event_time is not None else ended_at,
        table_id,
        version,
        mode in FULL_OVERWRITES or version_before == -1,
        lineage_id is None and completeness == "partial",
    )


def _column_edge(spelling: Spelling, row: Sequence[Any]) -> Edge:
    (
        _,
        target_namespace,
        target_name,
        target_column,
        source_kind,
        *source,
        edge_type,
        subtype,
        masking,
        expression,
        certainty,
        order_only,
    ) = row
    target = _place(spelling, (target_namespace, target_name), target_column)
    made = _source(spelling, source_kind, *source)
    return Edge(made, target, edge_type, subtype, certainty or "plan", bool(masking), expression, bool(order_only))


def _source(spelling: Spelling, kind: PlaceKind, namespace: str | None, name: str | None, column: str | None) -> Place:
    if namespace is None or name is None:
        return Place("unknown" if kind == "column" else kind)
    return _place(spelling, (namespace, name), column)


def _place(spelling: Spelling, dataset: Key, column: str | None) -> Place:
    return Place("all_columns", dataset) if column is None else Place("column", dataset, spelling.of(dataset, column))
