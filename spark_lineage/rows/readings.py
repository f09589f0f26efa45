"""Which recorded executions read a dataset and wrote something, from the lineage tables alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..lineage.naming import DatasetKey
from ..store.tables import Store, in_parts, literal, one_of


@dataclass(frozen=True, kw_only=True)
class Written:
    """What an execution wrote. `version` is None of anything but a Delta table, `mode` is the output's `write_mode`."""

    key: DatasetKey
    alias: str | None
    table_id: str | None
    version: int | None
    mode: str | None


@dataclass(frozen=True, kw_only=True)
class Reading:
    """That an execution read a version of a dataset, and what it wrote."""

    execution_id: str
    run_id: str
    job_name: str | None
    operation: str
    ended_at: datetime
    alias: str | None
    table_id: str | None
    version: int | None
    is_exact: bool
    """Whether the version is known: else it is what is most likely."""
    is_batch: bool
    """Whether it is a stream's micro-batch, which reads some files of a version."""
    outputs: tuple[Written, ...]


def readings(store: Store, key: DatasetKey) -> list[Reading]:
    """The newest first."""
    columns = ["execution_id", "alias", "table_id", "delta_version", "version_basis"]
    rows = store.arrow("inputs", columns, f"namespace = {literal(key[0])} and name = {literal(key[1])}").to_pylist()
    read: dict[tuple[str, str | None, int | None], dict[str, Any]] = {}
    for row in rows:
        read.setdefault((row["execution_id"], row["table_id"], row["delta_version"]), row)
    ids = {row["execution_id"] for row in rows}
    outputs = _outputs(store, ids)
    executions = _executions(store, ids & outputs.keys())
    found = []
    for row in read.values():
        execution = dict(executions.get(row["execution_id"], {}))
        succeeded = execution.pop("status", None) == "succeeded"
        # what failed after its commit has written all the same
        written = tuple(one for one in outputs.get(row["execution_id"], ()) if succeeded or one.version is not None)
        if execution and written:
            names = {
                "alias": row["alias"],
                "table_id": row["table_id"],
                "version": row["delta_version"],
                "is_exact": row["version_basis"] == "exact",
                "is_batch": execution.pop("stream_query_id", None) is not None,
            }
            found.append(Reading(**execution, **names, outputs=written))
    return sorted(found, key=lambda one: (one.ended_at, one.version or 0), reverse=True)


def _outputs(store: Store, ids: set[str]) -> dict[str, list[Written]]:
    columns = ["execution_id", "namespace", "name", "alias", "table_id", "delta_version", "write_mode"]
    found: dict[str, list[Written]] = {}
    for some in in_parts(ids):
        for row in store.arrow("outputs", columns, one_of("execution_id", some)).to_pylist():
            written = Written(
                key=(row["namespace"], row["name"]), alias=row["alias"], table_id=row["table_id"], version=row["delta_version"],
                mode=row["write_mode"],
            )  # fmt: skip
            known = found.setdefault(row["execution_id"], [])
            if written not in known:
                known.append(written)
    return found


def _executions(store: Store, ids: set[str]) -> dict[str, dict[str, Any]]:
    columns = ["execution_id", "run_id", "job_name", "operation", "ended_at", "status", "stream_query_id"]
    found = {}
    for some in in_parts(ids):
        for row in store.arrow("executions", columns, one_of("execution_id", some)).to_pylist():
            found[row["execution_id"]] = row
    return found
