"""Keep the lineage tables small and quick: what ``spark-lineage maintain`` does, safely beside writers.

Every step is one optimistic Delta commit. Where a writer was quicker the step is tried again on what the writer left,
and after `ATTEMPTS` skipped and reported; the next run catches up. Nothing here can undo what a writer committed.

Expiry forgets executions that ended before a day, what they read and wrote, and what only they referred to. What a
dataset was last made from is forgotten with them: keep as many days as the slowest of your jobs rests.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake import Transaction as DeltaTransaction
from deltalake.exceptions import CommitFailedError, DeltaError

from .schemas import TABLES, TableSchema
from .tables import EXPIRY, MOST_KEYS, Store, in_parts, is_there, one_of, scan, unwritable

ATTEMPTS = 6

CLUSTER_FROM_SHARE = 0.1
"""A table is sorted anew when files that were not yet sorted hold this share of it; until then they are only joined."""

_COMPACTED = WriterProperties(compression="ZSTD")

_REFERENCES: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "column_lineage": ("lineage_id", (("executions", "lineage_id"),)),
    "dataset_lineage": ("lineage_id", (("executions", "lineage_id"),)),
    "plans": ("plan_id", (("executions", "plan_id"),)),
    "session_confs": ("session_confs_id", (("executions", "session_confs_id"),)),
    "executable_blobs": ("executable_id", (("plan_executables", "executable_id"),)),
    "schemas": ("schema_hash", (("inputs", "schema_hash"), ("outputs", "schema_hash"), ("datasets", "schema_hash"))),
}
"""Of each table of named content: the name, and the columns that refer to it."""

_DATED = ("executions", "inputs", "outputs", "plan_executables", "row_samples", "row_lineage")
"""In the order in which expiry deletes: executions first, so that a reader never finds half of one."""


@dataclass(frozen=True)
class TableReport:
    """What happened to one table. `skipped` names the steps that writers were quicker than, each time."""

    table: str
    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    rows_expired: int = 0
    duplicates_removed: int = 0
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class MaintenanceReport:
    """What `maintain` did, by table in the order of ``schemas.TABLES``."""

    location: str
    seconds: float
    tables: tuple[TableReport, ...]

    def table(self, name: str) -> TableReport:
        return next(report for report in self.tables if report.table == name)


def maintain(
    location: str | os.PathLike[str],
    *,
    keep_days: int | None = None,
    retention_hours: int = 168,
    now: datetime | None = None,
    executables: str | os.PathLike[str] | None = None,
) -> MaintenanceReport:
    """Expire, remove duplicates, compact and cluster, checkpoint, vacuum, clean the log; each table in turn.

    `keep_days`: forget executions that ended more than so many days ago; None keeps all. `retention_hours`: files that
    no version since then needs are deleted; a reader or writer slower than this would miss them. `executables`: the
    place of the tables of executables, where that is another one; those that lie beside the others, from before it was
    set, are looked after too, and the report has the sum. Raises StoreError and its kinds.
    """
    started = time.monotonic()
    store = Store.open(location)
    first_day = None if keep_days is None else (now or datetime.now(UTC)).date() - timedelta(days=keep_days)
    reports = _maintain(store, tuple(TABLES), first_day, retention_hours)
    apart = Store.open(location, executables=executables)
    if apart.executables != store.executables:
        there = tuple(name for name in TABLES if TABLES[name].apart and is_there(apart.executables, name))
        for name, report in _maintain(apart, there, first_day, retention_hours).items():
            reports[name] = _sum(reports[name], report)
    return MaintenanceReport(store.location, time.monotonic() - started, tuple(reports.values()))


def _maintain(store: Store, names: tuple[str, ...], first_day: date | None, retention_hours: int) -> dict[str, TableReport]:
    """Looks after these tables of one place."""
    tallies = {name: _Tally(*_files_and_bytes(store.delta_table(name))) for name in names}
    if first_day is not None:
        _expire(store, first_day, tallies)
    for name in names:
        _tend(store, TABLES[name], retention_hours, tallies[name])
    return {name: tally.report(name, store) for name, tally in tallies.items()}


def _sum(one: TableReport, other: TableReport) -> TableReport:
    """What happened to a table that is in two places."""
    figures = {f.name: getattr(one, f.name) + getattr(other, f.name) for f in fields(TableReport) if f.name != "table"}
    return TableReport(table=one.table, **figures)


@dataclass
class _Tally:
    files_before: int
    bytes_before: int
    rows_expired: int = 0
    duplicates_removed: int = 0
    skipped: list[str] = field(default_factory=list)

    def report(self, name: str, store: Store) -> TableReport:
        files, size = _files_and_bytes(store.delta_table(name))
        return TableReport(
            name, self.files_before, files, self.bytes_before, size,
            self.rows_expired, self.duplicates_removed, tuple(self.skipped),
        )  # fmt: skip


def _tend(store: Store, table: TableSchema, retention_hours: int, tally: _Tally) -> None:
    if table.content_named:
        while removed := _patiently(store, table.name, "duplicates", tally, partial(_remove_duplicates, table=table)):
            tally.duplicates_removed += removed
    _patiently(store, table.name, "compaction", tally, partial(_compact, table=table))
    _patiently(store, table.name, "clean-up", tally, partial(_clean_up, retention_hours=retention_hours))


def _patiently(store: Store, table: str, step: str, tally: _Tally, work: Callable[[DeltaTable], int]) -> int:
    """What `work` returns on a fresh view of the table; 0, and noted as skipped, when writers are quicker every time."""
    for attempt in range(ATTEMPTS):
        try:
            return work(store.delta_table(table))
        except CommitFailedError:
            time.sleep(random.uniform(0, 0.05 * 2**attempt))
        except (DeltaError, OSError) as error:
            raise unwritable(store.folder(table), table, error) from error
    tally.skipped.append(step)
    return 0


def _compact(handle: DeltaTable, table: TableSchema) -> int:
    sizes = _file_sizes(handle)
    if table.cluster_by and _worth_sorting(sizes, table.file_bytes):
        handle.optimize.z_order(list(table.cluster_by), writer_properties=_COMPACTED)
    elif len(sizes) > 1:
        handle.optimize.compact(writer_properties=_COMPACTED)
    return 0


def _worth_sorting(sizes: list[int], file_bytes: int) -> bool:
    """Whether files that were not sorted yet hold enough. Sorted ones are full, or the one that the rest is small beside."""
    settled = [size for size in sizes if size >= file_bytes / 2] or sorted(sizes)[-1:]
    loose = sum(sizes) - sum(settled)
    return len(sizes) - len(settled) > 1 and loose >= CLUSTER_FROM_SHARE * sum(sizes)


def _clean_up(handle: DeltaTable, retention_hours: int) -> int:
    handle.create_checkpoint()
    vacuum = partial(handle.vacuum, retention_hours, enforce_retention_duration=False, full=True)
    if vacuum(dry_run=True):  # vacuum commits twice, also where there is nothing to delete
        vacuum(dry_run=False)
    handle.cleanup_metadata()
    return 0


def _remove_duplicates(handle: DeltaTable, table: TableSchema) -> int:
    """Leave one of the rows that two writers both wrote, the one first seen, or filled; for some of the names. Rows removed."""
    name = table.key[0]
    keys = scan(handle, table, table.key)
    counted = keys.group_by(list(table.key), use_threads=False).aggregate([([], "count_all")])
    doubled = counted.filter(pc.greater(counted["count_all"], 1))[name].unique().to_pylist()[:MOST_KEYS]
    if not doubled:
        return 0
    predicate = one_of(name, doubled)
    rows = scan(handle, table, filter=predicate)
    kept = _first_of_each(rows, table)
    write_deltalake(handle, kept, mode="overwrite", predicate=predicate, writer_properties=_COMPACTED)
    return int(rows.num_rows - kept.num_rows)


def _first_of_each(rows: pa.Table, table: TableSchema) -> pa.Table:
    if "first_seen_at" in table.arrow.names:
        rows = rows.take(pc.sort_indices(rows["first_seen_at"]))
    if table.filled is not None:
        empty = rows[table.filled].is_null()
        rows = pa.concat_tables([rows.filter(pc.invert(empty)), rows.filter(empty)])
    numbered = rows.select(list(table.key)).append_column("row", pa.array(range(rows.num_rows)))
    firsts = numbered.group_by(list(table.key), use_threads=False).aggregate([("row", "min")])
    return rows.take(firsts["row_min"])


def _expire(store: Store, first_day: date, tallies: dict[str, _Tally]) -> None:
    """Delete what ended before a day, from the tables that have a tally.

    Of named content and runs only what the deleted executions referred to is looked at: content is written before the
    executions that refer to it, so what nobody refers to may be of a batch on its way. (What is left behind when this
    is killed half-way costs room, nothing else.)
    """
    old = f"event_date < '{first_day.isoformat()}'"
    named = {name: content for name, content in _REFERENCES.items() if name in tallies}
    candidates = {name: _referred(store, references, old) for name, (_, references) in named.items()}
    runs = _values(store, "executions", "run_id", old) if "runs" in tallies else set()
    for name in (name for name in _DATED if name in tallies):
        tallies[name].rows_expired = _patiently(store, name, "expiry", tallies[name], partial(_delete, predicate=old))
        if tallies[name].skipped:
            return
    if "datasets" in tallies:
        unseen = f"last_seen_at < TIMESTAMP '{first_day.isoformat()}T00:00:00Z'"
        tally = tallies["datasets"]
        tally.rows_expired = _patiently(store, "datasets", "expiry", tally, partial(_delete, predicate=unseen))
    for name, (column, references) in named.items():
        orphans = candidates[name] - _referred(store, references)
        tallies[name].rows_expired = _delete_orphans(store, name, column, orphans, references, tallies[name])
    if "runs" in tallies:
        _expire_runs(store, first_day, runs - _values(store, "executions", "run_id"), tallies["runs"])


def _expire_runs(store: Store, first_day: date, gone: set[str], tally: _Tally) -> None:
    """Delete those of the runs without executions that were over before a day."""
    for some in in_parts(gone):
        predicate = (
            f"{one_of('run_id', some)} and coalesce(ended_at, last_seen_at, started_at) < TIMESTAMP '{first_day}T00:00:00Z'"
        )
        tally.rows_expired += _patiently(store, "runs", "expiry", tally, partial(_delete, predicate=predicate))


def _delete_orphans(
    store: Store, name: str, column: str, orphans: set[str], references: tuple[tuple[str, str], ...], tally: _Tally
) -> int:
    """Delete content that nothing refers to; put back what a writer came to refer to meanwhile. Rows deleted.

    The commit tells other processes that keys they know may be gone (see `Store.known`).
    """
    deleted = 0
    for some in in_parts(orphans):
        predicate = one_of(column, some)
        kept = store.arrow(name, filter=predicate)
        deleted += _patiently(store, name, "expiry", tally, partial(_delete, predicate=predicate, announce=True))
        missed = set(some) & _referred(store, references)
        if missed:
            back = kept.filter(pc.is_in(kept[column], pa.array(sorted(missed))))
            write_deltalake(store.delta_table(name), back, mode="append", writer_properties=_COMPACTED)
            deleted -= back.num_rows
    return deleted


def _delete(handle: DeltaTable, predicate: str, announce: bool = False) -> int:
    transactions = [DeltaTransaction(EXPIRY, (handle.transaction_version(EXPIRY) or 0) + 1)] if announce else None
    metrics = handle.delete(
        predicate, writer_properties=_COMPACTED, commit_properties=CommitProperties(app_transactions=transactions)
    )
    return int(metrics["num_deleted_rows"] or 0)


def _referred(store: Store, references: tuple[tuple[str, str], ...], where: str | None = None) -> set[str]:
    """The names that the columns hold. `where` is about days: tables without days are left out of it."""
    dated = [(table, column) for table, column in references if where is None or table in _DATED]
    return set().union(*(_values(store, table, column, where) for table, column in dated))


def _values(store: Store, table: str, column: str, where: str | None = None) -> set[str]:
    return set(store.arrow(table, [column], where).column(0).unique().drop_null().to_pylist())


def _file_sizes(handle: DeltaTable) -> list[int]:
    return list(pa.table(handle.get_add_actions(flatten=True)).column("size_bytes").to_pylist())


def _files_and_bytes(handle: DeltaTable) -> tuple[int, int]:
    sizes = _file_sizes(handle)
    return len(sizes), sum(sizes)
