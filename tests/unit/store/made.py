"""Records for the tests of the store, small and all alike but for what a test is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from spark_lineage.model import (
    Archive,
    ColumnEdge,
    Dataset,
    DatasetEdge,
    ExecutableLeaf,
    Execution,
    Input,
    Output,
    PlanExecutable,
    Preserved,
    Replay,
    RowLineage,
    RowSample,
    Snapshot,
    SnapshotFile,
    SnapshotPart,
)

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return DAY + timedelta(minutes=minutes)


def execution(execution_id: str, minutes: float = 0, **values: Any) -> Execution:
    time = at(minutes)
    return Execution(
        **{
            "execution_id": execution_id,
            "run_id": "run",
            "job_name": "job",
            "sequence": 1,
            "sql_id": 1,
            "operation": "append",
            "status": "succeeded",
            "started_at": time,
            "ended_at": time,
            "event_date": time.date(),
            **values,
        }
    )


def output(execution_id: str, name: str, minutes: float = 0, **values: Any) -> Output:
    time = at(minutes)
    made = {"execution_id": execution_id, "run_id": "run", "job_name": "job", "event_time": time, "event_date": time.date()}
    return Output(**{**made, "namespace": "file", "name": name, "write_mode": "append", **values})


def input_(execution_id: str, name: str, minutes: float = 0, **values: Any) -> Input:
    time = at(minutes)
    made = {"execution_id": execution_id, "run_id": "run", "job_name": "job", "event_time": time, "event_date": time.date()}
    return Input(**{**made, "namespace": "file", "name": name, **values})


def column_edge(lineage_id: str, source: str, target: str, **values: Any) -> ColumnEdge:
    """`source` and `target` as ``dataset.column``; a target without a column bears on every column."""
    source_name, _, source_column = source.partition(".")
    target_name, _, target_column = target.partition(".")
    return ColumnEdge(
        **{
            "lineage_id": lineage_id,
            "edge_id": f"{source}>{target}",
            "target_namespace": "file",
            "target_name": target_name,
            "target_column": target_column or None,
            "source_namespace": "file",
            "source_name": source_name,
            "source_column": source_column,
            "edge_type": "DIRECT",
            "subtype": "IDENTITY",
            "first_seen_at": DAY,
            **values,
        }
    )


def dataset_edge(lineage_id: str, source: str, target: str) -> DatasetEdge:
    return DatasetEdge(
        lineage_id=lineage_id, target_namespace="file", target_name=target, source_namespace="file", source_name=source
    )


def executable(execution_id: str, executable_id: str, minutes: float = 0, **values: Any) -> PlanExecutable:
    """One that reads a Delta table."""
    leaf = ExecutableLeaf(number=0, kind="delta", location="/data/orders", options={"a": "b"}, columns=("id",), delta_version=3)
    made = {"execution_id": execution_id, "run_id": "run", "executable_id": executable_id, "spark_version": "4.1.4"}
    return PlanExecutable(**{**made, "commands": (None,), "leaves": (leaf,), "event_date": at(minutes).date(), **values})


def dataset(name: str, minutes: float = 0, **values: Any) -> Dataset:
    return Dataset(**{"namespace": "file", "name": name, "first_seen_at": at(minutes), "last_seen_at": at(minutes), **values})


def snapshot(name: str, version: int, **values: Any) -> Snapshot:
    return Snapshot(
        **{
            "namespace": "file",
            "name": name,
            "table_id": "t",
            "delta_version": version,
            "algorithm": "rowsum-xx64x2-v1",
            "schema_hash": "s",
            "schema": "{}",
            "row_count": version,
            "checksum": "0" * 32,
            "method": "scan",
            "computed_at": at(version),
            **values,
        }
    )


def snapshot_part(part: str) -> SnapshotPart:
    return SnapshotPart(
        namespace="file", name="target", table_id="t", delta_version=0, algorithm="rowsum-xx64x2-v1", schema_hash="s",
        grouping=None, part=part, row_count=1, checksum="0" * 32, computed_at=at(0),
    )  # fmt: skip


def archive(version: int, **values: Any) -> Archive:
    made = {"namespace": "file", "name": "target", "table_id": "t", "delta_version": version, "location": f"/archive/{version}"}
    return Archive(**{**made, "created_at": at(version), **values})


def preserved(name: str, minutes: float, **values: Any) -> Preserved:
    made = {"namespace": "file", "name": name, "fingerprint": f"listing:{minutes}", "created_at": at(minutes)}
    return Preserved(**{**made, **values})


def snapshot_file(path: str, **values: Any) -> SnapshotFile:
    return SnapshotFile(
        **{
            "table_id": "t",
            "path": path,
            "deletion_vector": None,
            "algorithm": "rowsum-xx64x2-v1",
            "layout": "l",
            "bytes": 1,
            "row_count": 1,
            "checksum": "0" * 32,
            **values,
        }
    )


def row_sample(execution_id: str, minutes: float, **values: Any) -> RowSample:
    made = {
        "namespace": "file", "name": "target", "table_id": "t", "delta_version": 0, "execution_id": execution_id, "fraction": 0.01,
        "per_row": 1000, "taken_at": at(minutes), "event_date": at(minutes).date(),
    }  # fmt: skip
    return RowSample(**{**made, **values})


def row_lineage(execution_id: str, minutes: float, **values: Any) -> RowLineage:
    made = {
        "execution_id": execution_id, "target_namespace": "file", "target_name": "target", "target_version": 0, "target_row": bytes(16),
        "completeness": "exact", "sample_fraction": 0.01, "event_date": at(minutes).date(),
    }  # fmt: skip
    return RowLineage(**{**made, **values})


def replay(execution_id: str, minutes: float, **values: Any) -> Replay:
    made = {
        "replay_id": f"replay of {execution_id}",
        "execution_id": execution_id,
        "run_id": "run",
        "replay_mode": "plan",
        "verdict": "identical",
    }
    return Replay(**{**made, "started_at": at(minutes), "ended_at": at(minutes), **values})
