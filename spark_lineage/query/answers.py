"""What questions are answered with: frozen values, whose fields are also those of the command line's ``--json``.

Times are timezone-aware and UTC. `label` is the shortest text that names a dataset here and now; `namespace` and `name` stay.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any, Literal

from .edges import PlaceKind
from .graph import Indirect, Reach


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """A run, with what its executions add up to."""

    run_id: str
    short_id: str
    """The shortest beginning of `run_id`, of 8 characters or more, that is this run's alone."""
    job_name: str | None
    status: str
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    executions: int
    failed_executions: int
    outputs: tuple[str, ...]
    """Labels of the datasets written."""
    rows_written: int | None
    parent_run_id: str | None
    user_name: str | None
    error: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetVersion:
    """A dataset as an execution read or wrote it. Of files that are no Delta table, `version` is None."""

    namespace: str
    name: str
    label: str
    alias: str | None
    version: int | None
    version_basis: str
    fingerprint: str | None
    rows: int | None
    write_mode: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionSummary:
    """An execution with what it read and wrote."""

    execution_id: str
    run_id: str
    job_name: str | None
    sequence: int
    operation: str
    status: str
    started_at: datetime | None
    ended_at: datetime
    seconds: float | None
    description: str | None
    call_site: str | None
    statement: str | None
    rows_written: int | None
    completeness: str
    incomplete_reasons: tuple[str, ...]
    error_message: str | None
    stream_name: str | None
    batch_id: int | None
    """Of a streaming query: the number of the batch; of several `batches`, the last one's."""
    batches: int | None
    inputs: tuple[DatasetVersion, ...]
    outputs: tuple[DatasetVersion, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunDetail:
    """A run with all that is recorded of it, its executions in order."""

    run: RunSummary
    application_id: str | None
    attempt: str | None
    job_namespace: str
    parent_job_name: str | None
    host: str | None
    spark_version: str | None
    tool_version: str | None
    entry_point: str | None
    arguments: tuple[str, ...]
    code_repository: str | None
    code_commit: str | None
    code_dirty: bool | None
    code_sha256: str | None
    command: tuple[str, ...]
    working_directory: str | None
    parameters: dict[str, str]
    labels: dict[str, str]
    spark_confs: dict[str, str]
    documents_missing: int | None
    executions: tuple[ExecutionSummary, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetSummary:
    """A dataset, all its incarnations together."""

    namespace: str
    name: str
    label: str
    aliases: tuple[str, ...]
    format: str | None
    location: str | None
    version: int | None
    """The last version recorded as written or read."""
    columns: int | None
    writes: int
    reads: int
    last_written_at: datetime | None
    last_job: str | None
    last_seen_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A place in a walk.

    `kind` ``all_columns`` stands for each column of the dataset. `reach` says how it hangs together with the start: by its
    value (``direct``), by deciding about rows or values (``indirect``), or through a dataset edge that was only inferred.
    `in_force` is False for what is only on the way: overwritten since, though not what was made of it.
    """

    id: str
    kind: PlaceKind
    namespace: str | None
    name: str | None
    label: str
    column: str | None
    reach: Reach
    in_force: bool
    distance: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """An edge of a walk, from `source` to `target` (ids of nodes), as the last of `executions` executions made it.

    `jobs` are those of all these executions, the last one's first. `certainty` and `order_only` are those of the table
    ``column_lineage``. `distance` counts the edges from the start, from 1.
    """

    source: str
    target: str
    edge_type: str | None
    subtype: str | None
    certainty: str
    masking: bool
    expression: str | None
    order_only: bool
    distance: int
    executions: int
    last_execution_id: str
    last_run_id: str
    last_job_name: str | None
    last_at: datetime
    jobs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Walk:
    """The answer of `upstream` and `downstream`. `nodes` begin with the start, and are nearest first as `links` are."""

    direction: Literal["upstream", "downstream"]
    start: str
    at: datetime
    depth: int | None
    indirect: Indirect
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]

    def node(self, node_id: str) -> Node:
        """Raises `KeyError` for an id that is not in this walk."""
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Labels of the datasets that were reached, each once, nearest first."""
        start = self.nodes[0]
        reached = (n for n in self.nodes[1:] if n.name is not None and (n.namespace, n.name) != (start.namespace, start.name))
        return tuple(
            dict.fromkeys(node.label.removesuffix(f".{node.column}") if node.column else node.label for node in reached)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnSources:
    """A column and the links that lead to it now; those that bear on every column are in `DatasetColumns.every_column`."""

    path: str
    data_type: str | None
    nullable: bool | None
    links: tuple[Link, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetColumns:
    """The columns of a dataset, in the order of its schema, and what they come from."""

    dataset: DatasetSummary
    at: datetime
    columns: tuple[ColumnSources, ...]
    every_column: tuple[Link, ...]
    nodes: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Operator:
    """An operator of a stored plan; `description` has no literals."""

    id: int
    kind: str
    description: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """A column that another was made from: the `number` of its `Making`, and the operators between the two that decided about the
    rows, nearest to the target first. One that was left out, since the plan is too large, has no making."""

    number: int
    through: tuple[Operator, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnVersion:
    """A column of a dataset in the versions that the execution read: one, or none where none is known."""

    namespace: str
    name: str
    label: str
    column: str
    versions: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Making:
    """How one column of a plan was made, as the table ``plans`` tells it. `keys`: what its operator grouped by."""

    number: int
    operator: int | None
    kind: str
    name: str | None
    expression: str | None
    condition: str | None
    keys: str | None
    source_kind: str | None
    sources: tuple[ColumnVersion, ...]
    inputs: tuple[Taken, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """How the last write in force made a column, from its `target` (the number of a making) down to what was read."""

    namespace: str
    name: str
    label: str
    column: str
    at: datetime
    execution_id: str
    run_id: str
    job_name: str | None
    operation: str
    written_at: datetime
    version: int | None
    other_writes: int
    """Earlier writes that are in force beside it."""
    target: int
    makings: tuple[Making, ...]
    """Nearest to the target first."""


def plain(value: Any) -> Any:
    """An answer as JSON has it: objects with the fields' names, lists, ISO times."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value
