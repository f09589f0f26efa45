"""The Arrow schema of each lineage table: a public contract, written out.

Adding a column or a table is free; renaming or dropping one needs a step in ``migrate.py``. In either case
`SCHEMA_VERSION` goes up. A test holds that these columns, the fields of the records in ``model.py`` and the tables of
``docs/tables.md`` are the same.

Only columns that a row cannot be without are NOT NULL: Delta cannot add such a column to a table that has rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from .. import model

SCHEMA_VERSION = 11

STORE_INFO = "store_info"
"""The table of the store itself: one row for each schema version that it has been at."""

_STRING = pa.string()
_LONG = pa.int64()
_INT = pa.int32()
_BOOL = pa.bool_()
_DOUBLE = pa.float64()
_DATE = pa.date32()
_TIME = pa.timestamp("us", tz="UTC")
_STRINGS = pa.list_(_STRING)
_MAP = pa.map_(_STRING, _STRING)
_FIELDS = pa.list_(
    pa.struct([("path", _STRING), ("data_type", _STRING), ("nullable", _BOOL), ("ordinal", _INT), ("comment", _STRING)])
)
_BYTES = pa.binary()
_LEAVES = pa.list_(
    pa.struct(
        {
            "number": _INT,
            "kind": _STRING,
            "location": _STRING,
            "name": _STRING,
            "format": _STRING,
            "paths": _STRINGS,
            "options": _MAP,
            "columns": _STRINGS,
            "schema": _STRING,
            "table_id": _STRING,
            "delta_version": _LONG,
            "version_basis": _STRING,
        }
    )
)
_REPLAY_INPUTS = pa.list_(
    pa.struct(
        [(name, _LONG if name == "delta_version" else _STRING)
         for name in ("namespace", "name", "table_id", "delta_version", "version_basis", "fingerprint")]
    )
)  # fmt: skip
_VIEWS = pa.list_(pa.struct([("name", _STRING), ("temporary", _BOOL), ("sql", _STRING)]))
_OPERATORS = pa.list_(
    pa.struct([("id", _INT), ("inputs", pa.list_(_INT)), ("kind", _STRING), ("description", _STRING), ("fields", _STRINGS)])
)
_PLAN_COLUMNS = pa.list_(
    pa.struct(
        {
            "column": _INT,
            "operator": _INT,
            "kind": _STRING,
            "name": _STRING,
            "expression": _STRING,
            "condition": _STRING,
            "inputs": pa.list_(_INT),
            "target": _STRING,
            "source_kind": _STRING,
            "sources": pa.list_(pa.struct([("namespace", _STRING), ("name", _STRING), ("column", _STRING)])),
        }
    )
)


@dataclass(frozen=True)
class TableSchema:
    """One lineage table.

    `key` names one row; `content_named` tables may hold a row twice for a moment (two writers at once), always equal
    but for `first_seen_at`: readers take any, maintenance removes the rest. `cluster_by` is the order maintenance
    sorts by. `statistics` are the columns whose minimum and maximum go into the log, so that reads skip files.
    """

    name: str
    record: type
    arrow: pa.Schema
    key: tuple[str, ...]
    statistics: tuple[str, ...]
    content_named: bool = False
    upserted: bool = False
    partition_by: tuple[str, ...] = ()
    cluster_by: tuple[str, ...] = ()
    apart: bool = False
    """It may lie in a place of its own, with rights of its own (the option `executables.store`)."""
    repetitive: bool = False
    """Most columns of a file have few values: dictionaries make it small."""
    filled: str | None = None
    """A column that rows of an earlier release lack: content that has such rows alone is written once more."""

    @property
    def file_bytes(self) -> int:
        """Size of a full data file. An upsert rewrites the files that hold its keys, so those are kept small."""
        return 8_388_608 if self.upserted else 104_857_600


def _schema(required: str, **columns: pa.DataType) -> pa.Schema:
    names = required.split()
    return pa.schema([pa.field(name, data_type, nullable=name not in names) for name, data_type in columns.items()])


_VERSION_COLUMNS: dict[str, pa.DataType] = {
    "execution_id": _STRING,
    "run_id": _STRING,
    "job_name": _STRING,
    "event_time": _TIME,
    "namespace": _STRING,
    "name": _STRING,
    "alias": _STRING,
    "table_id": _STRING,
    "delta_version": _LONG,
}

_REPLAYS = _schema(
    "replay_id execution_id run_id replay_mode verdict started_at ended_at",
    replay_id=_STRING, execution_id=_STRING, run_id=_STRING, job_name=_STRING, replay_mode=_STRING, namespace=_STRING, name=_STRING,
    table_id=_STRING, delta_version=_LONG, verdict=_STRING, reason=_STRING, causes=_STRINGS, columns=_STRINGS, volatile=_STRINGS,
    tolerance=_DOUBLE, schema_hash=_STRING, recorded_rows=_LONG, replayed_rows=_LONG, recorded_checksum=_STRING, replayed_checksum=_STRING,
    rows_missing=_LONG, rows_unexpected=_LONG, rows_changed=_LONG, inputs=_REPLAY_INPUTS, code_commit=_STRING, code_dirty=_BOOL,
    code_sha256=_STRING, spark_version=_STRING, tool_version=_STRING, started_at=_TIME, ended_at=_TIME, whole=_BOOL, trusted=_BOOL,
    strict=_BOOL, replayed_command=_STRINGS, replayed_commit=_STRING, replayed_sha256=_STRING,
)  # fmt: skip

TABLES: dict[str, TableSchema] = {
    table.name: table
    for table in (
        TableSchema(
            "runs",
            model.Run,
            _schema(
                "run_id",
                run_id=_STRING,
                application_id=_STRING,
                attempt=_STRING,
                job_namespace=_STRING,
                job_name=_STRING,
                parent_run_id=_STRING,
                parent_job_name=_STRING,
                root_run_id=_STRING,
                started_at=_TIME,
                ended_at=_TIME,
                last_seen_at=_TIME,
                status=_STRING,
                error=_STRING,
                user_name=_STRING,
                host=_STRING,
                spark_version=_STRING,
                tool_version=_STRING,
                entry_point=_STRING,
                arguments=_STRINGS,
                code_repository=_STRING,
                code_commit=_STRING,
                code_dirty=_BOOL,
                code_sha256=_STRING,
                command=_STRINGS,
                working_directory=_STRING,
                spark_confs=_MAP,
                parameters=_MAP,
                labels=_MAP,
                documents_missing=_LONG,
            ),
            key=("run_id",),
            statistics=("run_id", "job_name", "started_at", "ended_at"),
            upserted=True,
            cluster_by=("run_id",),
        ),
        TableSchema(
            "datasets",
            model.Dataset,
            _schema(
                "namespace name",
                namespace=_STRING,
                name=_STRING,
                table_id=_STRING,
                aliases=_STRINGS,
                format=_STRING,
                location=_STRING,
                schema_hash=_STRING,
                first_seen_at=_TIME,
                last_seen_at=_TIME,
            ),
            key=("namespace", "name", "table_id"),
            statistics=("namespace", "name"),
            upserted=True,
            cluster_by=("name",),
        ),
        TableSchema(
            "schemas",
            model.Schema,
            _schema("schema_hash", schema_hash=_STRING, fields=_FIELDS),
            key=("schema_hash",),
            statistics=("schema_hash",),
            content_named=True,
            cluster_by=("schema_hash",),
        ),
        TableSchema(
            "session_confs",
            model.SessionConfs,
            _schema("session_confs_id", session_confs_id=_STRING, confs=_MAP),
            key=("session_confs_id",),
            statistics=("session_confs_id",),
            content_named=True,
            cluster_by=("session_confs_id",),
        ),
        TableSchema(
            "plans",
            model.Plan,
            _schema("plan_id", plan_id=_STRING, operators=_OPERATORS, columns=_PLAN_COLUMNS),
            key=("plan_id",),
            statistics=("plan_id",),
            content_named=True,
            filled="columns",
            cluster_by=("plan_id",),
        ),
        TableSchema(
            "dataset_lineage",
            model.DatasetEdge,
            _schema(
                "lineage_id target_namespace target_name source_namespace source_name",
                lineage_id=_STRING,
                target_namespace=_STRING,
                target_name=_STRING,
                source_namespace=_STRING,
                source_name=_STRING,
                certainty=_STRING,
            ),
            key=("lineage_id", "target_namespace", "target_name", "source_namespace", "source_name", "certainty"),
            statistics=("lineage_id", "target_name", "source_name"),
            content_named=True,
            cluster_by=("target_name", "source_name"),
        ),
        TableSchema(
            "column_lineage",
            model.ColumnEdge,
            _schema(
                "lineage_id edge_id target_namespace target_name",
                lineage_id=_STRING,
                edge_id=_STRING,
                target_namespace=_STRING,
                target_name=_STRING,
                target_column=_STRING,
                source_kind=_STRING,
                source_namespace=_STRING,
                source_name=_STRING,
                source_column=_STRING,
                edge_type=_STRING,
                subtype=_STRING,
                masking=_BOOL,
                expression=_STRING,
                steps=_STRINGS,
                first_seen_at=_TIME,
                certainty=_STRING,
                order_only=_BOOL,
            ),
            key=("lineage_id", "edge_id"),
            statistics=("lineage_id", "target_name", "source_name", "first_seen_at"),
            content_named=True,
            cluster_by=("target_name", "source_name"),
        ),
        TableSchema(
            "inputs",
            model.Input,
            _schema(
                "execution_id run_id namespace name event_date",
                **_VERSION_COLUMNS,
                committed_at=_TIME,
                fingerprint=_STRING,
                offsets=_STRING,
                version_basis=_STRING,
                schema_hash=_STRING,
                scans=_INT,
                rows_read=_LONG,
                bytes_read=_LONG,
                files_read=_LONG,
                columns_read=_STRINGS,
                predicates=_STRINGS,
                event_date=_DATE,
            ),
            key=("execution_id", "namespace", "name", "table_id", "delta_version", "fingerprint", "offsets"),
            statistics=("execution_id", "run_id", "name", "event_time"),
            partition_by=("event_date",),
        ),
        TableSchema(
            "outputs",
            model.Output,
            _schema(
                "execution_id run_id namespace name event_date",
                **_VERSION_COLUMNS,
                delta_version_before=_LONG,
                committed_at=_TIME,
                fingerprint=_STRING,
                offsets=_STRING,
                version_basis=_STRING,
                schema_hash=_STRING,
                write_mode=_STRING,
                rows_written=_LONG,
                rows_deleted=_LONG,
                bytes_written=_LONG,
                files_written=_LONG,
                observed_rows=_LONG,
                observed_checksum=_STRING,
                observed_classes=_STRING,
                sample_column=_STRING,
                sample_fraction=_DOUBLE,
                sample_key=_STRINGS,
                sample_mark=_STRING,
                event_date=_DATE,
            ),
            key=("execution_id", "namespace", "name", "table_id", "delta_version"),
            statistics=("execution_id", "run_id", "name", "event_time"),
            partition_by=("event_date",),
        ),
        TableSchema(
            "executable_blobs",
            model.ExecutableBlob,
            _schema("executable_id", executable_id=_STRING, blob=_BYTES),
            key=("executable_id",),
            statistics=("executable_id",),
            content_named=True,
            apart=True,
        ),
        TableSchema(
            "plan_executables",
            model.PlanExecutable,
            _schema(
                "execution_id run_id event_date",
                execution_id=_STRING,
                run_id=_STRING,
                executable_id=_STRING,
                spark_version=_STRING,
                commands=_STRINGS,
                leaves=_LEAVES,
                views=_VIEWS,
                session_confs_id=_STRING,
                current_catalog=_STRING,
                current_namespace=_STRINGS,
                user_name=_STRING,
                instant=_TIME,
                instant_basis=_STRING,
                signature=_STRING,
                event_date=_DATE,
            ),
            key=("execution_id",),
            statistics=("execution_id", "run_id", "executable_id"),
            partition_by=("event_date",),
            apart=True,
        ),
        TableSchema(
            "snapshot_files",
            model.SnapshotFile,
            _schema(
                "table_id path algorithm layout row_count checksum",
                table_id=_STRING,
                path=_STRING,
                deletion_vector=_STRING,
                algorithm=_STRING,
                layout=_STRING,
                bytes=_LONG,
                row_count=_LONG,
                checksum=_STRING,
            ),
            key=("table_id", "path", "deletion_vector", "algorithm", "layout"),
            statistics=("table_id", "layout"),
            cluster_by=("table_id",),
        ),
        TableSchema(
            "snapshot_parts",
            model.SnapshotPart,
            _schema(
                "namespace name algorithm schema_hash part row_count checksum computed_at",
                namespace=_STRING,
                name=_STRING,
                table_id=_STRING,
                delta_version=_LONG,
                algorithm=_STRING,
                schema_hash=_STRING,
                grouping=_STRING,
                part=_STRING,
                row_count=_LONG,
                checksum=_STRING,
                computed_at=_TIME,
            ),
            key=("namespace", "name", "table_id", "delta_version", "algorithm", "schema_hash", "grouping", "part"),
            statistics=("table_id", "delta_version"),
            cluster_by=("table_id",),
        ),
        TableSchema(
            "snapshots",
            model.Snapshot,
            _schema(
                "namespace name algorithm method computed_at",
                namespace=_STRING,
                name=_STRING,
                table_id=_STRING,
                delta_version=_LONG,
                committed_at=_TIME,
                fingerprint=_STRING,
                algorithm=_STRING,
                schema_hash=_STRING,
                schema=_STRING,
                row_count=_LONG,
                checksum=_STRING,
                files=_LONG,
                bytes=_LONG,
                files_read=_LONG,
                method=_STRING,
                execution_id=_STRING,
                reason=_STRING,
                computed_at=_TIME,
            ),
            key=("namespace", "name", "table_id", "delta_version", "algorithm", "computed_at"),
            statistics=("name", "table_id", "delta_version"),
            cluster_by=("name",),
        ),
        TableSchema(
            "archives",
            model.Archive,
            _schema(
                "namespace name table_id delta_version location created_at",
                namespace=_STRING,
                name=_STRING,
                table_id=_STRING,
                delta_version=_LONG,
                location=_STRING,
                files=_LONG,
                bytes=_LONG,
                checksum=_STRING,
                created_at=_TIME,
            ),
            key=("table_id", "delta_version", "location"),
            statistics=("name", "table_id", "delta_version"),
        ),
        TableSchema(
            "preserved",
            model.Preserved,
            _schema(
                "namespace name fingerprint created_at",
                namespace=_STRING,
                name=_STRING,
                fingerprint=_STRING,
                manifest=_STRING,
                files=_LONG,
                bytes=_LONG,
                reason=_STRING,
                created_at=_TIME,
            ),
            key=("namespace", "name", "fingerprint", "created_at"),
            statistics=("name", "fingerprint"),
        ),
        TableSchema(
            "row_lineage",
            model.RowLineage,
            _schema(
                "execution_id target_namespace target_name target_version target_row completeness sample_fraction event_date",
                execution_id=_STRING,
                target_namespace=_STRING,
                target_name=_STRING,
                table_id=_STRING,
                target_version=_LONG,
                sample_id=_STRING,
                target_row=_BYTES,
                target_key=_LONG,
                source_namespace=_STRING,
                source_name=_STRING,
                source_version=_LONG,
                source_row_kind=_STRING,
                source_file=_STRING,
                source_position=_LONG,
                source_fingerprint=_BYTES,
                multiplicity=_LONG,
                source_rows=_LONG,
                completeness=_STRING,
                sample_fraction=_DOUBLE,
                event_date=_DATE,
            ),
            key=(
                "execution_id",
                "target_namespace",
                "target_name",
                "table_id",
                "target_version",
                "sample_id",
                "target_row",
                "source_namespace",
                "source_name",
                "source_version",
                "source_row_kind",
                "source_file",
                "source_position",
                "source_fingerprint",
            ),
            statistics=("execution_id", "target_name", "target_version", "target_key", "source_name"),
            partition_by=("event_date",),
            repetitive=True,
        ),
        TableSchema(
            "row_samples",
            model.RowSample,
            _schema(
                "namespace name table_id delta_version execution_id fraction per_row taken_at event_date",
                namespace=_STRING,
                name=_STRING,
                table_id=_STRING,
                delta_version=_LONG,
                execution_id=_STRING,
                fraction=_DOUBLE,
                per_row=_LONG,
                sample_id=_STRING,
                key=_STRINGS,
                rows_written=_LONG,
                rows_chosen=_LONG,
                witness_rows=_LONG,
                rows_exact=_LONG,
                rows_superset=_LONG,
                rows_partial=_LONG,
                rows_truncated=_LONG,
                reasons=_STRINGS,
                reason=_STRING,
                seconds=_DOUBLE,
                taken_at=_TIME,
                event_date=_DATE,
            ),
            key=("namespace", "name", "table_id", "delta_version", "execution_id", "taken_at"),
            statistics=("name", "table_id", "delta_version"),
            partition_by=("event_date",),
        ),
        TableSchema(
            "replays",
            model.Replay,
            _REPLAYS,
            key=("replay_id", "execution_id", "namespace", "name", "delta_version"),
            statistics=("execution_id", "run_id", "name", "started_at"),
        ),
        TableSchema(
            "executions",
            model.Execution,
            _schema(
                "execution_id run_id event_date",
                execution_id=_STRING,
                run_id=_STRING,
                job_name=_STRING,
                sequence=_LONG,
                sql_id=_LONG,
                parent_execution_id=_STRING,
                operation=_STRING,
                status=_STRING,
                error_class=_STRING,
                error_message=_STRING,
                started_at=_TIME,
                ended_at=_TIME,
                description=_STRING,
                call_site=_STRING,
                statement=_STRING,
                tags=_STRINGS,
                job_group=_STRING,
                stream_query_id=_STRING,
                batch_id=_LONG,
                stream_name=_STRING,
                stream_run_id=_STRING,
                batches=_LONG,
                lineage_id=_STRING,
                plan_id=_STRING,
                session_confs_id=_STRING,
                rows_written=_LONG,
                bytes_written=_LONG,
                completeness=_STRING,
                incomplete_reasons=_STRINGS,
                event_date=_DATE,
            ),
            key=("execution_id",),
            statistics=("execution_id", "run_id", "job_name", "ended_at", "lineage_id"),
            partition_by=("event_date",),
        ),
    )
}
"""The lineage tables, in the order a batch is written: `executions` last, since its presence means the rest is there."""

STORE_INFO_SCHEMA = _schema(
    "schema_version",
    schema_version=_INT,
    tool_version=_STRING,
    written_at=_TIME,
)
