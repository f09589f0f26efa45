"""What a run did before one of its executions: for what is inferred across them, through a trained model say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .lineage.models import FORMAT
from .lineage.training import NAMESPACE as TRAINING
from .model import ColumnEdge, RunReads
from .plan.document import ExecutionDocument
from .store.tables import Store, in_parts, literal, one_of

_MAY_BE_NULL = ("target_column", "source_namespace", "source_name", "source_column", "expression")


def reads_before(execution: ExecutionDocument, store: Store, batch: Mapping[str, Sequence[Any]]) -> RunReads:
    """What its run, and the run of the application around it, did before, as the tables and the rows of this batch tell."""
    runs = {execution.run_id, execution.application_run_id}
    earlier = _executions(store, batch, runs, execution.sequence)
    inputs = _touched("inputs", store, batch, runs, earlier)
    outputs = _touched("outputs", store, batch, runs, earlier)
    read: frozenset[tuple[str, str]] = frozenset().union(*inputs.values())
    models = read.union(*outputs.values()) & _models(store, batch)
    lineages = list(dict.fromkeys(lineage for lineage in earlier.values() if lineage is not None))
    edges = _edges(store, batch, models, lineages)
    trained = tuple(edge for edge in edges if edge.target_namespace == TRAINING)
    trainings = {edge.lineage_id for edge in trained}
    return RunReads(
        datasets=read,
        models=models,
        trained=trained,
        trained_on=frozenset().union(*(inputs.get(one, set()) for one, lineage in earlier.items() if lineage in trainings)),
        saved=tuple(edge for edge in edges if edge.target_namespace != TRAINING),
    )


def _executions(store: Store, batch: Mapping[str, Sequence[Any]], runs: Iterable[str], sequence: int) -> dict[str, str | None]:
    """The executions before, in their order, each with its lineage."""
    columns = ["execution_id", "sequence", "lineage_id"]
    recorded = store.arrow("executions", columns, f"{one_of('run_id', runs)} AND sequence < {sequence}").to_pylist()
    here = (asdict(row) for row in batch["executions"] if row.run_id in runs)
    ordered = sorted((*recorded, *here), key=lambda row: int(row["sequence"]))
    return {row["execution_id"]: row["lineage_id"] for row in ordered}


def _touched(
    table: str, store: Store, batch: Mapping[str, Sequence[Any]], runs: Iterable[str], earlier: Iterable[str]
) -> dict[str, set[tuple[str, str]]]:
    """The datasets among the `inputs` or `outputs` of each execution."""
    found: dict[str, set[tuple[str, str]]] = {one: set() for one in earlier}
    recorded = store.arrow(table, ["execution_id", "namespace", "name"], one_of("run_id", runs)).to_pylist()
    here = (asdict(row) for row in batch[table] if row.run_id in runs)
    for row in (*recorded, *here):
        if row["execution_id"] in found:
            found[row["execution_id"]].add((row["namespace"], row["name"]))
    return found


def _models(store: Store, batch: Mapping[str, Sequence[Any]]) -> set[tuple[str, str]]:
    """Every dataset that is a trained model."""
    recorded = store.arrow("datasets", ["namespace", "name"], f"format = {literal(FORMAT)}").to_pylist()
    here = {(row.namespace, row.name) for row in batch["datasets"] if row.format == FORMAT}
    return here | {(row["namespace"], row["name"]) for row in recorded}


def _edges(
    store: Store, batch: Mapping[str, Sequence[Any]], models: Iterable[tuple[str, str]], lineages: Sequence[str]
) -> list[ColumnEdge]:
    """The column edges of these lineages into models, saved or in memory, in the order of the lineages."""
    if not lineages:
        return []
    models = set(models)
    conditions = [
        f"target_namespace = {literal(TRAINING)}",
        *(one_of("target_name", some) for some in in_parts({name for _, name in models})),
    ]
    recorded = (_edge(row) for condition in conditions for row in store.arrow("column_lineage", None, condition).to_pylist())
    order = {lineage_id: number for number, lineage_id in enumerate(lineages)}
    into = {
        (edge.lineage_id, edge.edge_id): edge
        for edge in (*recorded, *batch["column_lineage"])
        if edge.lineage_id in order
        and (edge.target_namespace == TRAINING or (edge.target_namespace, edge.target_name) in models)
    }
    return sorted(into.values(), key=lambda edge: (order[edge.lineage_id], edge.edge_id))


def _edge(row: Mapping[str, Any]) -> ColumnEdge:
    """A recorded edge; what tables of an earlier version have no column for is as by default."""
    told = {name: value for name, value in row.items() if value is not None or name in _MAY_BE_NULL}
    return ColumnEdge(**told | {"steps": tuple(row.get("steps") or ())})
