"""The records: one frozen class for each lineage table, its fields the table's columns.

All times are UTC, as timezone-aware `datetime` with microseconds. `event_date` is the UTC date of the execution's end.
Ids: runs are UUIDv7 text; `execution_id` is ``<application run id>:<SQL execution id>``; everything that names content
(`lineage_id`, `plan_id`, `schema_hash`, `session_confs_id`, `edge_id`, `executable_id`) is the first 32 hex digits of a SHA-256.

The meaning of each column is in ``docs/tables.md``; the Arrow schemas are in ``store/schemas.py`` and a test holds that
the three agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal

RunStatus = Literal["running", "succeeded", "failed", "lost"]
ExecutionStatus = Literal["succeeded", "failed"]
Completeness = Literal["complete", "partial"]
VersionBasis = Literal["exact", "inferred"]
Certainty = Literal["plan", "declared", "inferred", "opaque", "unknown"]
SourceKind = Literal["column", "literal", "generated", "unknown"]
LeafKind = Literal["delta", "files", "jdbc", "table", "rows", "delta_files", "batch", "unknown"]
InstantBasis = Literal["exact", "bounded"]
SnapshotMethod = Literal["scan", "incremental", "inline", "none"]
RowLineageKind = Literal["row_id", "file_row", "fingerprint", "values", "whole"]
ReplayMode = Literal["plan", "job"]
ReplayVerdict = Literal["identical", "equivalent", "different", "not_replayable"]
WitnessCompleteness = Literal["exact", "superset", "partial", "truncated"]
EdgeType = Literal["DIRECT", "INDIRECT"]
Subtype = Literal[
    "IDENTITY", "TRANSFORMATION", "AGGREGATION",  # DIRECT
    "JOIN", "FILTER", "GROUP_BY", "SORT", "WINDOW", "CONDITIONAL",  # INDIRECT
]  # fmt: skip
REDACTED: Final = "*********(redacted)"
"""Stands where a secret was, as Spark has it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One execution of a job. Upserted by `run_id`: a later record fills what an earlier one left None."""

    run_id: str
    application_id: str | None = None
    attempt: str | None = None
    job_namespace: str = "default"
    job_name: str | None = None
    parent_run_id: str | None = None
    parent_job_name: str | None = None
    root_run_id: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    last_seen_at: datetime | None = None
    status: RunStatus = "running"
    error: str | None = None
    user_name: str | None = None
    host: str | None = None
    spark_version: str | None = None
    tool_version: str | None = None
    entry_point: str | None = None
    arguments: tuple[str, ...] | None = None
    code_repository: str | None = None
    code_commit: str | None = None
    code_dirty: bool | None = None
    code_sha256: str | None = None
    command: tuple[str, ...] | None = None
    working_directory: str | None = None
    spark_confs: dict[str, str] | None = None
    parameters: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    documents_missing: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """One top-level query execution: an action or a command the user started."""

    execution_id: str
    run_id: str
    job_name: str | None
    sequence: int
    sql_id: int | None
    parent_execution_id: str | None = None
    operation: str
    status: ExecutionStatus
    error_class: str | None = None
    error_message: str | None = None
    started_at: datetime | None
    ended_at: datetime
    description: str | None = None
    call_site: str | None = None
    statement: str | None = None
    tags: tuple[str, ...] = ()
    job_group: str | None = None
    stream_query_id: str | None = None
    batch_id: int | None = None
    stream_name: str | None = None
    stream_run_id: str | None = None
    batches: int | None = None
    lineage_id: str | None = None
    plan_id: str | None = None
    session_confs_id: str | None = None
    rows_written: int | None = None
    bytes_written: int | None = None
    completeness: Completeness = "complete"
    incomplete_reasons: tuple[str, ...] = ()
    event_date: date


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """A thing read or written. Upserted by (`namespace`, `name`, `table_id`); aliases are united."""

    namespace: str
    name: str
    table_id: str | None = None
    aliases: tuple[str, ...] = ()
    format: str | None = None
    location: str | None = None
    schema_hash: str | None = None
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaField:
    """One field of a schema, nested ones by dotted path."""

    path: str
    data_type: str
    nullable: bool
    ordinal: int
    comment: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """A schema, named by its content."""

    schema_hash: str
    fields: tuple[SchemaField, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """A dataset read by an execution, in one version."""

    execution_id: str
    run_id: str
    job_name: str | None
    event_time: datetime
    namespace: str
    name: str
    alias: str | None = None
    table_id: str | None = None
    delta_version: int | None = None
    committed_at: datetime | None = None
    fingerprint: str | None = None
    offsets: str | None = None
    version_basis: VersionBasis = "exact"
    schema_hash: str | None = None
    scans: int | None = None
    rows_read: int | None = None
    bytes_read: int | None = None
    files_read: int | None = None
    columns_read: tuple[str, ...] | None = None
    predicates: tuple[str, ...] | None = None
    event_date: date


@dataclass(frozen=True, slots=True)
class SampleColumn:
    """A column that the rows of a write to a Delta table were given (`rows.column`): the hash of the key of those that are chosen. `path`: where
    the table lies, None where that was not known yet."""

    path: str | None
    name: str
    fraction: float
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Observed:
    """What was summed in a write: its rows, their checksum, and a hash of the columns' names and classes."""

    rows: int
    checksum: str
    classes: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """A dataset written by an execution."""

    execution_id: str
    run_id: str
    job_name: str | None
    event_time: datetime
    namespace: str
    name: str
    alias: str | None = None
    table_id: str | None = None
    delta_version: int | None = None
    delta_version_before: int | None = None
    committed_at: datetime | None = None
    fingerprint: str | None = None
    offsets: str | None = None
    version_basis: VersionBasis = "exact"
    schema_hash: str | None = None
    write_mode: str | None = None
    rows_written: int | None = None
    rows_deleted: int | None = None
    bytes_written: int | None = None
    files_written: int | None = None
    observed_rows: int | None = None
    observed_checksum: str | None = None
    observed_classes: str | None = None
    sample_column: str | None = None
    sample_fraction: float | None = None
    sample_key: tuple[str, ...] | None = None
    sample_mark: str | None = None
    event_date: date


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetEdge:
    """A dataset edge of a distinct lineage (table ``dataset_lineage``)."""

    lineage_id: str
    target_namespace: str
    target_name: str
    source_namespace: str
    source_name: str
    certainty: Certainty = "plan"


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnEdge:
    """A column edge of a distinct lineage (table ``column_lineage``).

    `target_column` None: the edge bears on every column of the target. `source_kind` other than ``column`` has no
    source columns: ``literal`` and ``generated`` say that there is no source, ``unknown`` that it could not be told.
    `steps` names the operators the value passed, nearest to the source first. Columns are dotted paths where a field of a
    struct is meant. `certainty`: ``plan``, or how else it is known: ``declared`` by the user, ``inferred``, ``opaque``, where a
    function over whole rows may make any of its columns of any it is given, or ``unknown``, where no rule is for something on the way. `order_only`: the source decides about the order of
    the rows, not about what they hold.
    """

    lineage_id: str
    edge_id: str
    target_namespace: str
    target_name: str
    target_column: str | None
    source_kind: SourceKind = "column"
    source_namespace: str | None = None
    source_name: str | None = None
    source_column: str | None = None
    edge_type: EdgeType
    subtype: Subtype
    masking: bool = False
    expression: str | None = None
    steps: tuple[str, ...] = ()
    first_seen_at: datetime
    certainty: Certainty = "plan"
    order_only: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanOperator:
    """One operator of a stored plan: `inputs` are ids of the operators it takes from, `fields` the columns it gives."""

    id: int
    inputs: tuple[int, ...]
    kind: str
    description: str
    fields: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanSource:
    """A column of a dataset, as a plan reads it."""

    namespace: str
    name: str
    column: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanColumn:
    """A column on the way of a stored plan, or one that the plan writes: then `target` is its path, ``*`` for every column.

    `operator` is the id of the operator that made it, None for one of a plan that ran inside this one; `kind` is that operator's.
    `inputs` are the numbers of the columns that it was made from; one that is not there was left out, since the plan is too large.
    `expression` and `condition` have no literals: what made it, and what decided about it beside that. A column that was made from
    no other says why in `source_kind`, and in `sources` which columns of datasets it is; one that such a plan
    writes, which column that is.
    """

    column: int
    operator: int | None
    kind: str
    name: str | None
    expression: str | None = None
    condition: str | None = None
    inputs: tuple[int, ...] = ()
    target: str | None = None
    source_kind: SourceKind | None = None
    sources: tuple[PlanSource, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A distinct logical plan: ids renumbered, literals and versions out. `columns` None: a release stored it that did not tell."""

    plan_id: str
    operators: tuple[PlanOperator, ...]
    columns: tuple[PlanColumn, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionConfs:
    """A distinct set of SQL settings."""

    session_confs_id: str
    confs: dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutableLeaf:
    """What a leaf of a stored plan reads, and at which version. `kind` says how it is read again (docs/tables.md). `paths` of `delta_files` are
    the files of the table that a micro-batch read."""

    number: int
    kind: LeafKind
    location: str | None = None
    name: str | None = None
    format: str | None = None
    paths: tuple[str, ...] = ()
    options: dict[str, str] | None = None
    columns: tuple[str, ...] = ()
    schema: str | None = None
    table_id: str | None = None
    delta_version: int | None = None
    version_basis: VersionBasis = "exact"


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutableView:
    """A view between a stored plan and its leaves; `sql` None: it was made from a DataFrame."""

    name: str
    temporary: bool
    sql: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanExecutable:
    """What is needed to run an execution's plan again, beside the plan itself; `signature` is over all of it and the plan."""

    execution_id: str
    run_id: str
    executable_id: str
    spark_version: str
    commands: tuple[str | None, ...] = ()
    leaves: tuple[ExecutableLeaf, ...] = ()
    views: tuple[ExecutableView, ...] = ()
    session_confs_id: str | None = None
    current_catalog: str | None = None
    current_namespace: tuple[str, ...] | None = None
    user_name: str | None = None
    instant: datetime | None = None
    instant_basis: InstantBasis | None = None
    signature: str | None = None
    event_date: date


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutableBlob:
    """A stored plan, named by its content."""

    executable_id: str
    blob: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """The checksum of a version of a dataset. `schema` is the columns it is of, in Spark's JSON.

    `method` is ``none`` where there is no checksum, and `reason` then says why. Beside a checksum, `reason` says what is wrong with
    the version: that a commit which only rearranges rows has changed them.
    """

    namespace: str
    name: str
    table_id: str | None
    delta_version: int | None
    committed_at: datetime | None = None
    fingerprint: str | None = None
    algorithm: str
    schema_hash: str | None = None
    schema: str | None = None
    row_count: int | None = None
    checksum: str | None = None
    files: int | None = None
    bytes: int | None = None
    files_read: int | None = None
    method: SnapshotMethod
    execution_id: str | None = None
    reason: str | None = None
    computed_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotPart:
    """The checksum of a part of a version: of the column `part`, or, with a `grouping`, of the group of rows `part`."""

    namespace: str
    name: str
    table_id: str | None
    delta_version: int | None
    algorithm: str
    schema_hash: str
    grouping: str | None
    part: str
    row_count: int
    checksum: str
    computed_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotFile:
    """The checksum of one data file of a Delta table, of the columns that `layout` names: a hash of their names, types and places."""

    table_id: str
    path: str
    deletion_vector: str | None
    algorithm: str
    layout: str
    bytes: int
    row_count: int
    checksum: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Archive:
    """A copy of a version of a Delta table, which is a Delta table of its own with an id of its own."""

    namespace: str
    name: str
    table_id: str
    delta_version: int
    location: str
    files: int | None = None
    bytes: int | None = None
    checksum: str | None = None
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Preserved:
    """A listing of files without versions, kept as it was read, or why it was not."""

    namespace: str
    name: str
    fingerprint: str
    manifest: str | None = None
    files: int | None = None
    bytes: int | None = None
    reason: str | None = None
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RowSample:
    """What became of the sample of the rows of a version that an execution wrote; `reason`: why none was taken."""

    namespace: str
    name: str
    table_id: str
    delta_version: int
    execution_id: str
    fraction: float
    per_row: int
    sample_id: str | None = None
    key: tuple[str, ...] | None = None
    rows_written: int | None = None
    rows_chosen: int | None = None
    witness_rows: int | None = None
    rows_exact: int | None = None
    rows_superset: int | None = None
    rows_partial: int | None = None
    rows_truncated: int | None = None
    reasons: tuple[str, ...] | None = None
    reason: str | None = None
    seconds: float | None = None
    taken_at: datetime
    event_date: date


@dataclass(frozen=True, kw_only=True, slots=True)
class RowLineage:
    """A source row in the witness of a row that was written, or, of a `whole`, all rows of that source."""

    execution_id: str
    target_namespace: str
    target_name: str
    table_id: str | None = None
    target_version: int
    sample_id: str | None = None
    target_row: bytes
    target_key: int | None = None
    source_namespace: str | None = None
    source_name: str | None = None
    source_version: int | None = None
    source_row_kind: RowLineageKind | None = None
    source_file: str | None = None
    source_position: int | None = None
    source_fingerprint: bytes | None = None
    multiplicity: int | None = None
    source_rows: int | None = None
    completeness: WitnessCompleteness
    sample_fraction: float
    event_date: date


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """What a recorded write of an execution gave when it was computed again, held against what it wrote then.

    Checksums and rows are of what was compared: of a `whole` version, or of what the write changed. The dataset is None where
    nothing was written, or nothing of it is known. Inputs (as rows of `inputs`) and code are those of then: they stay when the run has expired. Of a
    job that was run again `replayed_…` are the command, where it is not the recorded one, and the code that its lineage told."""

    replay_id: str
    execution_id: str
    run_id: str
    job_name: str | None = None
    replay_mode: ReplayMode
    namespace: str | None = None
    name: str | None = None
    table_id: str | None = None
    delta_version: int | None = None
    verdict: ReplayVerdict
    reason: str | None = None
    causes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()
    tolerance: float | None = None
    schema_hash: str | None = None
    recorded_rows: int | None = None
    replayed_rows: int | None = None
    recorded_checksum: str | None = None
    replayed_checksum: str | None = None
    rows_missing: int | None = None
    rows_unexpected: int | None = None
    rows_changed: int | None = None
    inputs: tuple[dict[str, Any], ...] = ()
    code_commit: str | None = None
    code_dirty: bool | None = None
    code_sha256: str | None = None
    spark_version: str | None = None
    tool_version: str | None = None
    started_at: datetime
    ended_at: datetime
    whole: bool | None = None
    trusted: bool | None = None
    strict: bool | None = None
    replayed_command: tuple[str, ...] | None = None
    replayed_commit: str | None = None
    replayed_sha256: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Records:
    """What one document, or one batch of documents, adds to the lineage tables."""

    runs: tuple[Run, ...] = ()
    executions: tuple[Execution, ...] = ()
    datasets: tuple[Dataset, ...] = ()
    schemas: tuple[Schema, ...] = ()
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    dataset_lineage: tuple[DatasetEdge, ...] = ()
    column_lineage: tuple[ColumnEdge, ...] = ()
    plans: tuple[Plan, ...] = ()
    session_confs: tuple[SessionConfs, ...] = ()
    executable_blobs: tuple[ExecutableBlob, ...] = ()
    plan_executables: tuple[PlanExecutable, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RunReads:
    """What a run has read and written so far, for inference across its executions (through a trained model, say). `trained`: the edges of its
    trainings, in their order, which went into the models that it made; `trained_on`: their datasets; `saved`: the edges into models that it saved."""

    datasets: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    models: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    trained: tuple[ColumnEdge, ...] = ()
    trained_on: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    saved: tuple[ColumnEdge, ...] = ()
