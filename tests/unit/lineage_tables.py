"""Everything that the lineage tables of a store hold, in a form that two stores can be compared by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spark_lineage.store.schemas import TABLES
from spark_lineage.store.tables import Store


def rows_of(store: Path, table: str) -> list[dict[str, Any]]:
    """The rows of one table in a stable order."""
    return sorted(Store.open(store).arrow(table).to_pylist(), key=repr)


def contents(store: Path) -> dict[str, list[dict[str, Any]]]:
    return {table: rows_of(store, table) for table in TABLES}


def runs_of(store: Path) -> dict[str, dict[str, Any]]:
    return {row["run_id"]: row for row in rows_of(store, "runs")}


def sequences_of(store: Path, run: str) -> list[int]:
    """The numbers of the executions of a run, sorted, doubled ones twice."""
    return sorted(row["sequence"] for row in rows_of(store, "executions") if row["run_id"] == run)
