"""Runs and their executions, as answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

from ..errors import Ambiguous, NotFound
from .answers import DatasetVersion, ExecutionSummary, RunDetail, RunSummary
from .moment import from_microseconds
from .names import Names
from .tables import Tables, Where

SHORTEST = 8

_RUN = (
    "run_id", "job_name", "status", "started_at", "ended_at", "last_seen_at", "parent_run_id", "user_name", "error", "application_id",
    "attempt", "job_namespace", "parent_job_name", "host", "spark_version", "tool_version", "entry_point", "arguments",
    "code_repository", "code_commit", "code_dirty", "code_sha256", "command", "working_directory", "parameters", "labels", "spark_confs", "documents_missing",
)  # fmt: skip
_EXECUTION = (
    "execution_id", "run_id", "job_name", "sequence", "operation", "status", "started_at", "ended_at", "description", "call_site",
    "statement", "rows_written", "completeness", "incomplete_reasons", "error_message",
    "stream_name", "batch_id", "batches",
)  # fmt: skip
_VERSION = ("execution_id", "namespace", "name", "alias", "delta_version", "version_basis", "fingerprint")


def summaries(tables: Tables, names: Names) -> tuple[RunSummary, ...]:
    """All runs, the newest first."""
    recorded = _runs(tables)
    counts: dict[str, list[tuple[str, int | None]]] = {}
    for run_id, status, rows in tables.rows("executions", ("run_id", "status", "rows_written")):
        counts.setdefault(run_id, []).append((status, rows))
    outputs: dict[str, dict[tuple[str, str], None]] = {}
    for run_id, namespace, name in tables.rows("outputs", ("run_id", "namespace", "name")):
        outputs.setdefault(run_id, {})[namespace, name] = None
    short = _short_ids(recorded)
    found = [
        _summary(run, short[run_id], counts.get(run_id, []), [names.label(key) for key in outputs.get(run_id, ())])
        for run_id, run in recorded.items()
    ]
    return tuple(sorted(found, key=lambda run: (run.started_at is not None, run.started_at, run.run_id), reverse=True))


def detail(tables: Tables, names: Names, wanted: str) -> RunDetail:
    """One run. Raises `NotFound` or `Ambiguous`."""
    recorded = _runs(tables)
    run_id = _the_one(wanted, recorded)
    run = recorded[run_id]
    executions = _executions(tables, names, run_id)
    labels = list(dict.fromkeys(output.label for execution in executions for output in execution.outputs))
    statuses = [(execution.status, execution.rows_written) for execution in executions]
    return RunDetail(
        run=_summary(run, _short_ids(recorded)[run_id], statuses, labels),
        application_id=run["application_id"],
        attempt=run["attempt"],
        job_namespace=run["job_namespace"],
        parent_job_name=run["parent_job_name"],
        host=run["host"],
        spark_version=run["spark_version"],
        tool_version=run["tool_version"],
        entry_point=run["entry_point"],
        arguments=tuple(run["arguments"] or ()),
        code_repository=run["code_repository"],
        code_commit=run["code_commit"],
        code_dirty=run["code_dirty"],
        code_sha256=run["code_sha256"],
        command=tuple(run["command"] or ()),
        working_directory=run["working_directory"],
        parameters=dict(run["parameters"] or ()),
        labels=dict(run["labels"] or ()),
        spark_confs=dict(run["spark_confs"] or ()),
        documents_missing=run["documents_missing"],
        executions=executions,
    )


def _runs(tables: Tables) -> dict[str, Mapping[str, Any]]:
    return {row[0]: dict(zip(_RUN, row, strict=True)) for row in tables.rows("runs", _RUN)}


def _the_one(wanted: str, recorded: Mapping[str, Mapping[str, Any]]) -> str:
    if wanted == "last" and recorded:
        return max(recorded, key=lambda run_id: (recorded[run_id]["started_at"] or 0, run_id))
    found = sorted(run_id for run_id in recorded if run_id.startswith(wanted.lower()))
    if wanted in recorded:
        return wanted
    if not found or not wanted:
        hint = "`spark-lineage runs` lists all that are" if recorded else "the store has no runs yet"
        raise NotFound(f"no run whose id begins with {wanted!r} is recorded; {hint}")
    if len(found) > 1:
        raise Ambiguous(
            f"{wanted!r} begins the ids of {len(found)} runs: {', '.join(found[:10])}. Write more of the id.", tuple(found)
        )
    return found[0]


def _short_ids(run_ids: Iterable[str]) -> dict[str, str]:
    """The beginning of each id that no neighbour in the order of ids shares."""
    ordered = sorted(run_ids)
    shared = [_shared(one, other) for one, other in pairwise(ordered)]
    return {
        run_id: run_id[: max(SHORTEST, 1 + max((*shared[max(0, n - 1) : n], *shared[n : n + 1]), default=0))]
        for n, run_id in enumerate(ordered)
    }


def _shared(one: str, other: str) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _summary(run: Mapping[str, Any], short_id: str, executions: list[tuple[str, int | None]], outputs: list[str]) -> RunSummary:
    written = [rows for _, rows in executions if rows is not None]
    return RunSummary(
        run_id=run["run_id"],
        short_id=short_id,
        job_name=run["job_name"],
        status=run["status"],
        started_at=_time(run["started_at"]),
        ended_at=_time(run["ended_at"]),
        seconds=_seconds(run["started_at"], run["ended_at"]),
        executions=len(executions),
        failed_executions=sum(status != "succeeded" for status, _ in executions),
        outputs=tuple(sorted(outputs)),
        rows_written=sum(written) if written else None,
        parent_run_id=run["parent_run_id"],
        user_name=run["user_name"],
        error=run["error"],
    )


def _executions(tables: Tables, names: Names, run_id: str) -> tuple[ExecutionSummary, ...]:
    where: Where = {"run_id": {run_id}}
    inputs = _versions(names, tables.rows("inputs", (*_VERSION, "rows_read"), where))
    outputs = _versions(names, tables.rows("outputs", (*_VERSION, "rows_written", "write_mode"), where))
    rows = (dict(zip(_EXECUTION, row, strict=True)) for row in tables.rows("executions", _EXECUTION, where))
    return tuple(
        ExecutionSummary(
            **row
            | {
                "started_at": _time(row["started_at"]),
                "ended_at": from_microseconds(row["ended_at"]),
                "seconds": _seconds(row["started_at"], row["ended_at"]),
                "incomplete_reasons": tuple(row["incomplete_reasons"] or ()),
                "inputs": tuple(inputs.get(row["execution_id"], ())),
                "outputs": tuple(outputs.get(row["execution_id"], ())),
            }
        )
        for row in sorted(rows, key=lambda row: (row["sequence"], row["execution_id"]))
    )


def _versions(names: Names, rows: Iterable[tuple[Any, ...]]) -> dict[str, list[DatasetVersion]]:
    found: dict[str, list[DatasetVersion]] = {}
    for execution_id, namespace, name, alias, version, basis, fingerprint, count, *mode in rows:
        found.setdefault(execution_id, []).append(
            DatasetVersion(
                namespace=namespace,
                name=name,
                label=names.label((namespace, name)),
                alias=alias,
                version=version,
                version_basis=basis or "inferred",
                fingerprint=fingerprint,
                rows=count,
                write_mode=mode[0] if mode else None,
            )
        )
    return found


def _time(value: int | None) -> datetime | None:
    return None if value is None else from_microseconds(value)


def _seconds(started: int | None, ended: int | None) -> float | None:
    return None if started is None or ended is None else (ended - started) / 1_000_000
