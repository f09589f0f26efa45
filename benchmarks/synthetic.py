"""A store as a platform's months would leave it, made from records and written by the real `Store`. Deterministic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from spark_lineage.model import ColumnEdge, Dataset, DatasetEdge, Execution, Input, Output, Run, Schema, SchemaField
from spark_lineage.store.tables import Store

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
LAYERS = 10
NAMESPACE = "file"


def make(location: str, runs: int, per_run: int, edges: int, batches: int = 20) -> Store:
    """`runs` runs of `per_run` executions; the lineages, of which each table keeps one, have `edges` column edges in all.

    Tables stand in ten layers; each is made of two of the layer before, overwritten by some executions, appended to by
    the others, so that walks go through ten jobs and many versions.
    """
    store = Store.open(location, create=True)
    tables = per_run * 10
    width = max(2, edges // tables)
    columns = max(1, width - 1)
    store.append("schemas", [_schema(columns)], None)
    store.upsert("datasets", [_dataset(number) for number in range(tables)], None)
    store.append("dataset_lineage", [edge for number in range(tables) for edge in _dataset_edges(number, tables)], None)
    store.append("column_lineage", [edge for number in range(tables) for edge in _column_edges(number, tables, columns)], None)
    versions = [-1] * tables
    step = max(1, runs // batches)
    for start in range(0, runs, step):
        numbers = range(start, min(runs, start + step))
        store.upsert("runs", [_run(number, per_run) for number in numbers], None)
        executions, inputs, outputs = [], [], []
        for number in numbers:
            for sequence in range(per_run):
                table = (number % 10) * per_run + sequence
                execution = _execution(number, sequence, table)
                inputs += [
                    _input(execution, source, versions[source]) for source in _sources(table, tables) if versions[source] >= 0
                ]
                outputs.append(_output(execution, table, versions[table]))
                versions[table] += 1
                executions.append(execution)
        store.append("inputs", inputs, None)
        store.append("outputs", outputs, None)
        store.append("executions", executions, None)
    return store


def name(table: int) -> str:
    return f"/warehouse/layer_{table // 10 % LAYERS}/table_{table:05d}"


def _sources(table: int, tables: int) -> tuple[int, ...]:
    """Two tables of the layer before; the first layer has none that is written."""
    layer = max(1, tables // LAYERS)
    if table < layer:
        return ()
    return tuple({table - layer, (table - layer + 1) % layer + (table // layer - 1) * layer})


def _run_id(run: int) -> str:
    return f"01890000-{run:04x}-7000-8000-{run:012x}"


def _time(run: int, sequence: int, seconds: float = 0) -> datetime:
    return FIRST + timedelta(hours=run, minutes=sequence, seconds=seconds)


def _run(run: int, per_run: int) -> Run:
    return Run(
        run_id=_run_id(run),
        job_name=f"job_{run % 10}",
        started_at=_time(run, 0),
        ended_at=_time(run, per_run),
        status="succeeded",
        user_name="etl",
        entry_point=f"jobs/job_{run % 10}.py",
    )


def _execution(run: int, sequence: int, table: int) -> Execution:
    ended = _time(run, sequence, 30)
    return Execution(
        execution_id=f"{_run_id(run)}:{sequence}",
        run_id=_run_id(run),
        job_name=f"job_{run % 10}",
        sequence=sequence + 1,
        sql_id=sequence,
        operation="command",
        status="succeeded",
        started_at=_time(run, sequence),
        ended_at=ended,
        lineage_id=f"{table:032x}",
        rows_written=1000,
        event_date=ended.date(),
    )


def _input(execution: Execution, table: int, version: int) -> Input:
    return Input(
        execution_id=execution.execution_id,
        run_id=execution.run_id,
        job_name=execution.job_name,
        event_time=execution.ended_at,
        namespace=NAMESPACE,
        name=name(table),
        table_id=f"t{table}",
        delta_version=version,
        rows_read=1000,
        event_date=execution.event_date,
    )


def _output(execution: Execution, table: int, before: int) -> Output:
    return Output(
        execution_id=execution.execution_id,
        run_id=execution.run_id,
        job_name=execution.job_name,
        event_time=execution.ended_at,
        namespace=NAMESPACE,
        name=name(table),
        table_id=f"t{table}",
        delta_version=before + 1,
        delta_version_before=before,
        write_mode="overwrite" if table % 2 else "append",
        rows_written=1000,
        event_date=execution.event_date,
    )


def _dataset(table: int) -> Dataset:
    return Dataset(
        namespace=NAMESPACE,
        name=name(table),
        table_id=f"t{table}",
        aliases=(f"spark_catalog.default.table_{table:05d}",),
        format="delta",
        location=f"file:{name(table)}",
        schema_hash="s",
        first_seen_at=FIRST,
        last_seen_at=FIRST,
    )


def _schema(columns: int) -> Schema:
    fields = (SchemaField(path=f"c{n}", data_type="double", nullable=True, ordinal=n) for n in range(columns))
    return Schema(schema_hash="s", fields=tuple(fields))


def _dataset_edges(table: int, tables: int) -> list[DatasetEdge]:
    return [
        DatasetEdge(
            lineage_id=f"{table:032x}",
            target_namespace=NAMESPACE,
            target_name=name(table),
            source_namespace=NAMESPACE,
            source_name=name(source),
        )
        for source in _sources(table, tables)
    ]


def _column_edges(table: int, tables: int, columns: int) -> list[ColumnEdge]:
    sources = _sources(table, tables)
    if not sources:
        return []
    shared = {"lineage_id": f"{table:032x}", "target_namespace": NAMESPACE, "target_name": name(table), "first_seen_at": FIRST}
    direct = [
        ColumnEdge(
            **shared,
            edge_id=f"{table}-{n}",
            target_column=f"c{n}",
            source_namespace=NAMESPACE,
            source_name=name(sources[n % len(sources)]),
            source_column=f"c{n}",
            edge_type="DIRECT",
            subtype=("IDENTITY", "TRANSFORMATION", "AGGREGATION")[n % 3],
            expression=f"c{n}" if n % 3 == 0 else f"sum(c{n} * 2)",
        )
        for n in range(columns)
    ]
    join = ColumnEdge(
        **shared,
        edge_id=f"{table}-join",
        target_column=None,
        source_namespace=NAMESPACE,
        source_name=name(sources[0]),
        source_column="c0",
        edge_type="INDIRECT",
        subtype="JOIN",
    )
    return [*direct, join]
