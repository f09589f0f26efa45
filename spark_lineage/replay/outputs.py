"""What executions wrote, from the lineage tables alone, and which of an execution's plans wrote it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ..errors import Ambiguous, NotFound, QueryError
from ..lineage.naming import DatasetKey
from ..model import SampleColumn
from ..query.recorded import names as recorded_names
from ..query.tables import DeltaTables
from ..store.tables import Store, in_parts, literal, one_of
from .plans import stands_in
from .stream_files import Batch
from .verdict import Replayed

_EXECUTION = (
    "execution_id", "run_id", "job_name", "sequence", "operation", "status", "ended_at", "started_at", "incomplete_reasons", "stream_query_id", "batch_id",
)  # fmt: skip
_OUTPUT = (
    "execution_id", "namespace", "name", "alias", "table_id", "delta_version", "delta_version_before", "fingerprint", "write_mode", "rows_written",
    "bytes_written", "version_basis", "sample_column", "sample_fraction", "sample_key",
)  # fmt: skip
_INPUT = ("namespace", "name", "table_id", "delta_version", "version_basis", "fingerprint")
_CODE = ("code_commit", "code_dirty", "code_sha256")
MODES = {
    "append",
    "overwrite",
    "overwrite_partitions",
    "replace_where",
    "create",
    "replace",
    "merge",
    "update",
    "delete",
    "write",
}
"""Values of `outputs.write_mode` of what writes rows of a query."""
_COME_TO = {
    "create table as select": "create",
    "replace table as select": "replace",
    "create or replace table as select": "replace",
    "streaming update": "append",
    "ignore": "create",
}
"""What other values come to: Delta's own names of writes that no command of a plan could be told to have made (of these `write` may be any of `append`,
`overwrite` and `replace_where`), and a save that writes where nothing is."""
NO_QUERY = {
    "restore": "RESTORE puts back the rows of an earlier version: no query gives them",
    "convert to delta": "CONVERT TO DELTA takes over files that were there: no query gives their rows",
    "clone": "a clone takes over the files of another table: no query gives its rows",
}
"""Of what makes rows of a version without a query, by `executions.operation`: why it cannot be replayed."""
UNKNOWN_PLAN = "none of the plans that are kept of its execution is known to have given what it wrote there"
MODEL = "save model"
"""`executions.operation` of a model's being saved: files that are no rows."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """A dataset that an execution wrote, with the command and the number of the plan that gave its rows, where they are known."""

    namespace: str
    name: str
    alias: str | None = None
    table_id: str | None = None
    version: int | None = None
    fingerprint: str | None = None
    mode: str | None = None
    rows: int | None = None
    bytes: int | None = None
    exact: bool = True
    part: int | None = None
    command: Mapping[str, Any] | None = None
    key_column: SampleColumn | None = None
    batch: Batch | None = None

    @property
    def key(self) -> DatasetKey:
        return self.namespace, self.name


@dataclass(frozen=True, kw_only=True)
class Past:
    """An execution that wrote rows."""

    execution_id: str
    run_id: str
    job_name: str | None
    sequence: int
    operation: str
    status: str
    ended_at: datetime
    reasons: tuple[str, ...]
    is_batch: bool
    outputs: tuple[Written, ...]


def executions_of(store: Store, wanted: str) -> tuple[Past, ...]:
    """The executions that an id names: one execution, or those of a run that wrote rows, in order. A beginning is enough; `last` is the newest run.

    Raises NotFound, Ambiguous, and QueryError for the id of a replay, or of a run that wrote nothing.
    """
    run, mark, number = wanted.partition(":")
    run_id = run_of(store, run, wanted)
    found = past(store, f"run_id = {literal(run_id)}", writing=not mark)
    if mark:
        found = tuple(one for one in found if one.execution_id == f"{run_id}:{number}")
        if not found:
            raise NotFound(f"run {run_id} has no execution {number}; `spark-lineage show {run_id}` lists those that it has")
        return found
    if not found:
        raise QueryError(f"run {run_id} wrote no rows that are recorded: there is nothing to replay")
    return found


def run_of(store: Store, begin: str, wanted: str) -> str:
    rows = store.arrow("runs", ["run_id", "started_at"]).to_pylist()
    ids = [row["run_id"] for row in rows]
    if begin == "last" and ids:
        return str(max(rows, key=lambda row: (row["started_at"] is not None, row["started_at"], row["run_id"]))["run_id"])
    found = [begin] if begin in ids else sorted(one for one in ids if begin and one.startswith(begin.lower()))
    if len(found) > 1:
        raise Ambiguous(
            f"{begin!r} begins the ids of {len(found)} runs: {', '.join(found[:10])}. Write more of the id.", tuple(found)
        )
    if found:
        return found[0]
    condition = f"replay_id = {literal(wanted)}"
    if begin and store.arrow("replays", ["replay_id"], condition).num_rows:
        raise QueryError(f"{wanted} is a replay, which wrote nothing: name the execution that it is of")
    raise NotFound(f"no run whose id begins with {begin!r} is recorded; `spark-lineage runs` lists all that are")


def past(
    store: Store, condition: str | None = None, writing: bool = True, ids: Iterable[str] | None = None
) -> tuple[Past, ...]:
    """Executions in the order in which they ended; `writing`: only those that wrote rows, as far as is recorded.

    A write to a Delta table that made no commit changed nothing (MERGE, UPDATE, DELETE of no row, an append of none): it is none.
    """
    conditions = [condition] if ids is None else [one_of("execution_id", part) for part in in_parts(ids)]
    outputs: dict[str, list[Written]] = {}
    executions: list[dict[str, Any]] = []
    delta: set[DatasetKey] = set()

    def is_delta(one: Written) -> bool:
        if not delta:
            found = store.arrow("datasets", ["namespace", "name"], "format = 'delta'").to_pylist()
            delta.update((row["namespace"], row["name"]) for row in found)
        return one.key in delta

    for some in conditions:
        for row in store.arrow("outputs", list(_OUTPUT), some).to_pylist():
            outputs.setdefault(row["execution_id"], []).append(_written(row))
        executions += store.arrow("executions", list(_EXECUTION), some).to_pylist()
    found = []
    for row in executions:
        mine = [one for one in outputs.get(row["execution_id"], ()) if row["status"] == "succeeded" or one.version is not None]
        mine = list(dict.fromkeys(one for one in mine if row["operation"] != MODEL and _has_rows(one)))
        if not any("commit" in reason for reason in row["incomplete_reasons"] or ()):
            mine = [one for one in mine if one.version is not None or one.fingerprint is not None or not is_delta(one)]
        if row["batch_id"] is not None:
            mine = [replace(one, batch=_batch(row)) for one in mine]
        if mine or not writing:
            found.append(
                Past(
                    execution_id=row["execution_id"], run_id=row["run_id"], job_name=row["job_name"], sequence=row["sequence"],
                    operation=row["operation"], status=row["status"], ended_at=row["ended_at"], outputs=tuple(mine),
                    reasons=tuple(row["incomplete_reasons"] or ()), is_batch=row["stream_query_id"] is not None,
                )
            )  # fmt: skip
    return tuple(sorted(found, key=lambda one: (one.ended_at, one.run_id, one.sequence)))


def _batch(row: Mapping[str, Any]) -> Batch:
    began, ended = (math.floor((row[name] or row["ended_at"]).timestamp() * 1000) for name in ("started_at", "ended_at"))
    return Batch(int(row["batch_id"]), began, ended + 1)


def _has_rows(one: Written) -> bool:
    """Whether it wrote rows of a query: a table that is created without one has none."""
    return one.mode in MODES and (one.mode not in ("create", "replace") or one.rows is not None)


def _mode(mode: str | None, rows: int | None) -> str | None:
    """One of `MODES` where it is a write of rows. `ignore` that wrote none met something that was there."""
    return mode if mode is None or (mode == "ignore" and not rows) else _COME_TO.get(mode, mode)


def _written(row: Mapping[str, Any]) -> Written:
    return Written(
        namespace=row["namespace"], name=row["name"], alias=row["alias"], table_id=row["table_id"], version=row["delta_version"],
        fingerprint=row["fingerprint"], mode=_mode(row["write_mode"], row["rows_written"]), rows=row["rows_written"], bytes=row["bytes_written"], exact=row["version_basis"] != "inferred",
        key_column=None if row["sample_column"] is None
        else SampleColumn(None, row["sample_column"], row["sample_fraction"], tuple(row["sample_key"] or ())),
    )  # fmt: skip


def wrote_nothing(one: Written, source: str | None) -> bool:
    """Whether its files, where it left any, hold no row and no byte, so that no listing has them: of no rows, and of CSV rows whose one column is null."""
    return one.bytes == 0 and (one.rows == 0 or (source == "csv" and one.namespace == "file"))


def with_plans(
    outputs: Sequence[Written], commands: Sequence[Mapping[str, Any] | None], parts: Sequence[int]
) -> tuple[Written, ...]:
    """Each output with the plan that gave it: by the name of the target in its command, in the order of versions; `parts`: those that may have."""
    left = sorted(outputs, key=lambda one: (one.version is None, one.version or 0))
    if len(left) == len(parts) == 1:
        return (replace(left[0], part=parts[0], command=commands[parts[0]] or {}),)
    found: dict[Written, int] = {}
    for how in (stands_in, _in_schema, _named, _ends_like):
        _pair(left, commands, [part for part in parts if part not in found.values()], how, found)
    return tuple(one if one not in found else replace(one, part=found[one], command=commands[found[one]] or {}) for one in left)


def _pair(
    outputs: Sequence[Written],
    commands: Sequence[Mapping[str, Any] | None],
    parts: Sequence[int],
    how: Callable[[str, Mapping[str, Any] | None], bool],
    found: dict[Written, int],
) -> None:
    """Plans with what they wrote, where as many of a kind name a table as there are commits of that kind: else one of them made no commit, and which
    is not known."""
    free = [one for one in outputs if one not in found]
    named: dict[tuple[DatasetKey, str], list[int]] = {}
    for part in parts:
        kind = _KINDS.get(str((commands[part] or {}).get("class")), "rows")
        tables = {one.key for one in free if _kind(one) == kind and any(how(name, commands[part]) for name in _names(one, how))}
        if len(tables) == 1:
            named.setdefault((tables.pop(), kind), []).append(part)
    for (key, kind), mine in named.items():
        others = [one for one in free if one.key == key and _kind(one) == kind]
        if len(others) == len(mine):
            found.update(zip(others, mine, strict=True))


_KINDS = {"UpdateCommand": "update", "DeleteCommand": "delete", "MergeIntoCommand": "merge"}


def _kind(one: Written) -> str:
    return one.mode if one.mode in _KINDS.values() else "rows"  # type: ignore[return-value]


def _names(one: Written, how: object) -> tuple[str, ...]:
    """What a command may call it: its place, and its name in the catalog."""
    if how is stands_in:
        return (one.name,)
    if how is _ends_like:
        return (one.name.rstrip("/").rsplit("/", 1)[-1],)
    return (one.alias,) if one.alias is not None and "/" not in one.alias else ()


def _in_schema(alias: str, command: Mapping[str, Any] | None) -> bool:
    """Whether a command names the table with its schema."""
    schema, _, table = alias.rpartition(".")
    schema = re.escape(schema.rpartition(".")[2])
    quoted = '[`"\\\\]*'
    text = json.dumps(command, ensure_ascii=False)
    return (
        bool(schema)
        and re.search(f'(^|[/."`:]){schema}{quoted}\\s*[.,]\\s*{quoted}{re.escape(table)}[`"\\\\]', text) is not None
    )


def _named(alias: str, command: Mapping[str, Any] | None) -> bool:
    return stands_in(alias.split(".")[-1], command)


def _ends_like(name: str, command: Mapping[str, Any] | None) -> bool:
    return stands_in(name, command)


class Evidence:
    """What replayed executions read when they ran, and the code of their runs."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._code: dict[str, dict[str, Any]] = {}
        self._execution, self._inputs = "", ()  # type: tuple[str, tuple[dict[str, Any], ...]]

    def added(self, one: Replayed) -> Replayed:
        """To a verdict."""
        if one.execution_id != self._execution:  # its other outputs follow it
            self._execution, self._inputs = one.execution_id, self._read(one.execution_id)
        if one.run_id not in self._code:
            runs = self._store.arrow("runs", list(_CODE), f"run_id = {literal(one.run_id)}").to_pylist()
            self._code[one.run_id] = runs[0] if runs else {}
        return replace(one, inputs=self._inputs, **self._code[one.run_id])

    def _read(self, execution_id: str) -> tuple[dict[str, Any], ...]:
        rows = self._store.arrow("inputs", list(_INPUT), f"execution_id = {literal(execution_id)}").to_pylist()
        inputs: list[dict[str, Any]] = []
        for row in sorted(rows, key=lambda row: (row["namespace"], row["name"], row["delta_version"] or 0)):
            if row not in inputs:
                inputs.append(row)
        return tuple(inputs)


class Labels:
    """What datasets are called, and where they lie."""

    def __init__(self, store: Store) -> None:
        self._names = recorded_names(DeltaTables(store.location))

    def label(self, key: DatasetKey) -> str:
        return self._names.label(key)

    def datasets(self) -> tuple[DatasetKey, ...]:
        return tuple(self._names.known)

    def location(self, key: DatasetKey) -> str | None:
        known = self._names.known.get(key)
        return None if known is None else known.location


def recorded_format(store: Store, key: DatasetKey) -> str | None:
    condition = f"namespace = {literal(key[0])} and name = {literal(key[1])}"
    formats = store.arrow("datasets", ["format"], condition).column(0).to_pylist()
    return next((str(name) for name in formats if name), None)
