"""Finds recorded plans in the tables, and makes DataFrames of them in a Spark session.

::

    found = find("./lineage", execution_id)
    rows = restore(spark, found)                      # on the versions that were read then
    rows = restore(spark, found, versions={0: 17})    # on others

    rows = restore(spark, found, gives="table")       # of UPDATE, DELETE, MERGE: the table after it

Nothing is run before its signature holds. What a DataFrame gives is the rows of the execution's query: of a write what
it wrote, of MERGE its source, of UPDATE and DELETE the target before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from ..errors import ExecutableError, NotFound
from ..lineage.edges import content_id
from ..model import REDACTED, ExecutableLeaf, ExecutableView, PlanExecutable
from ..snapshot.availability import ENFORCED
from ..store.rows import records_of
from ..store.schemas import TABLES
from ..store.signing import Keys, key_file, load_keys
from ..store.tables import MOST_KEYS, Store, literal
from .bridge_sources import RESTORER

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_SET = re.compile(
    r"spark\.sql\.(warehouse\.|extensions|catalog\.|catalogImplementation|hive\.|streaming\.|artifact)|spark\.databricks\.delta\.snapshotPartitions"
)
"""Settings that say where a session lives, not what a plan gives."""


BATCHES = 1_000
"""So many micro-batches of a stream are looked back to."""
_PASS_OVER_FILES = ("spark.sql.files.ignoreMissingFiles", "spark.sql.files.ignoreCorruptFiles")
"""Settings by which rows are left out in silence that were read then: without them what is gone is told."""
_HIDDEN = "_metadata"
Gives = Literal["rows", "changed", "table"]
"""Of UPDATE, DELETE and MERGE: the rows that it starts from, the rows that it made, or all that the table has after it."""


@dataclass(frozen=True)
class Found:
    """A recorded plan whose signature holds, with the settings it ran under."""

    executable: PlanExecutable
    blob: bytes = field(repr=False)
    confs: Mapping[str, str] = field(repr=False)

    @property
    def commands(self) -> tuple[dict[str, Any] | None, ...]:
        """For each plan the command that its rows were for, None for a query."""
        return tuple(None if text is None else json.loads(text) for text in self.executable.commands)


def find(store: str, execution_id: str, *, executables: str = "", key: str = "", trusted: bool = False) -> Found:
    """The recorded plan of an execution.

    `executables` and `key` are the options `executables.store` and `executables.key`. `trusted`: whoever can write to the tables is, so that
    no signature is asked for. Raises NotFound where there is
    none, ExecutableError where its signature does not hold, StoreError and its kinds.
    """
    opened = Store.open(store, executables=executables or None)
    condition = f"execution_id = {literal(execution_id)}"
    rows = records_of(TABLES["plan_executables"], opened.arrow("plan_executables", filter=condition))
    if not rows:
        raise NotFound(f"no plan of {execution_id} is kept{_why_not(opened, condition)}")
    return _verified(opened, _typed(rows[0]), None if trusted else load_keys(key_file(key)), {}, {})


def find_batches(store: str, execution_id: str, *, executables: str = "", key: str = "") -> tuple[tuple[int, Found], ...]:
    """The recorded plans of a stream's micro-batches up to that of an execution, the newest first, with their numbers.

    Of the last thousand, and of those that have one. Raises as `find` does.
    """
    opened = Store.open(store, executables=executables or None)
    columns = ["execution_id", "stream_query_id", "batch_id", "status", "ended_at"]
    (this,) = opened.arrow("executions", columns, f"execution_id = {literal(execution_id)}").to_pylist()
    query, last = this["stream_query_id"], int(this["batch_id"])
    of_query = f"stream_query_id = {literal(query)} and batch_id <= {last} and batch_id > {last - BATCHES}"
    tried: dict[int, dict[str, Any]] = {last: this}
    for row in opened.arrow("executions", columns, of_query).to_pylist():  # a batch that failed was run again
        known = tried.get(int(row["batch_id"]))
        order = (row["status"] == "succeeded", row["ended_at"])
        if known is None or (known is not this and order > (known["status"] == "succeeded", known["ended_at"])):
            tried[int(row["batch_id"])] = row
    numbers = {row["execution_id"]: number for number, row in tried.items()}
    keys, ids = load_keys(key_file(key)), list(map(literal, numbers))
    blobs, confs = dict[str, bytes](), dict[str | None, dict[str, str]]()
    found: list[tuple[int, Found]] = []
    for begin in range(0, len(ids), MOST_KEYS):
        named = f"execution_id in ({', '.join(ids[begin : begin + MOST_KEYS])})"
        rows = records_of(TABLES["plan_executables"], opened.arrow("plan_executables", filter=named))
        found += [(numbers[row.execution_id], _verified(opened, _typed(row), keys, blobs, confs)) for row in rows]
    return tuple(sorted(found, key=lambda one: -one[0]))


def _verified(
    opened: Store,
    executable: PlanExecutable,
    keys: Keys | None,
    blobs: dict[str, bytes],
    confs: dict[str | None, dict[str, str]],
) -> Found:
    """With its plan, where the signature holds. `blobs`, `confs`: those that were read already, by their ids."""
    if executable.executable_id not in blobs:
        named = f"executable_id = {literal(executable.executable_id)}"
        for blob in opened.arrow("executable_blobs", ["blob"], named).column("blob").to_pylist():
            blobs[executable.executable_id] = blob
    if executable.executable_id not in blobs:
        raise NotFound(
            f"the plan of {executable.execution_id} is not in the tables any more; a backup of executable_blobs has it"
        )
    blob = blobs[executable.executable_id]
    if keys is not None:
        keys.verify(executable, blob)
    if executable.session_confs_id not in confs:
        confs[executable.session_confs_id] = _confs(opened, executable)
    return Found(executable, blob, confs[executable.session_confs_id])


def restore(
    spark: SparkSession,
    found: Found,
    *,
    versions: Mapping[int, int | None] | None = None,
    frames: Mapping[int, DataFrame] | None = None,
    options: Mapping[str, str] | None = None,
    part: int = 0,
    classes: Sequence[str] = (),
    leaf_rows: Callable[[ExecutableLeaf, DataFrame], DataFrame] = lambda leaf, rows: rows,
    gives: Gives = "rows",
) -> DataFrame:
    """A DataFrame of the recorded plan, in a new session with the recorded settings, schema and instant.

    By number of leaf (`found.executable.leaves`): `versions`, other Delta versions than the recorded ones (None: the
    latest), and `frames`, other rows, which leaves of kind `rows` need. `options` are put in the place of redacted ones.
    `part`: which plan, where the execution has several (multi-insert). `classes`: prefixes of Java classes that the plan
    may hold beside Spark's. `leaf_rows` is given what each leaf reads, and gives that with more columns, say. `gives`: what
    is meant of UPDATE, DELETE and MERGE, as a query over the target before and the source (reenactment: Arab and others 2018).
    Raises ExecutableError with what is missing.
    """
    executable = found.executable
    check_spark(spark, executable)
    session = session_of(spark, found)

    unread: dict[int, ExecutableError] = {}

    def read(leaf: ExecutableLeaf) -> DataFrame:
        given = (frames or {}).get(leaf.number)
        if given is not None:
            return given
        try:
            return _read(session, leaf, versions or {}, options or {})
        except ExecutableError as error:
            if len(found.commands) < 2:
                raise
            unread[leaf.number] = error  # another of the plans may have it
            return _none(session, leaf).alias(_unread(leaf.number))

    def rows(leaf: ExecutableLeaf) -> DataFrame:
        return _with_hidden(leaf, leaf_rows(leaf, read(leaf)))

    def checked(frame: DataFrame) -> DataFrame:
        plan = frame._jdf.queryExecution().analyzed().toString() if unread else ""
        for number, error in unread.items():
            if _unread(number) in plan:
                raise error
        return frame

    batch = None
    if part > 0 and any(leaf.kind == "batch" for leaf in executable.leaves):
        batch = checked(
            _frame(session, found, [rows(leaf) if leaf.kind != "batch" else _none(session, leaf) for leaf in executable.leaves])
        )

    def given(leaf: ExecutableLeaf) -> DataFrame:
        if leaf.kind != "batch" or leaf.number in (frames or {}):
            return rows(leaf)
        if (
            batch is not None and list(leaf.columns) != batch.columns
        ):  # another frame of the function's, that was made of an RDD
            return rows(replace(leaf, kind="rows"))
        return _none(session, leaf) if batch is None else batch

    return checked(_frame(session, found, [given(leaf) for leaf in executable.leaves], part, classes, gives))


def _with_hidden(leaf: ExecutableLeaf, rows: DataFrame) -> DataFrame:
    """With what Spark tells of each row's file, where the plan asks for it and it is no column of the rows themselves: before them, as which row
    it is comes last (Block.java)."""
    return rows.select(_HIDDEN, "*") if _HIDDEN in leaf.columns and _HIDDEN not in rows.columns else rows


def _unread(number: int) -> str:
    """Stands in a plan where a leaf could not be read."""
    return f"spark_lineage_unread_{number}_"


def _why_not(store: Store, condition: str) -> str:
    reasons = store.arrow("executions", ["incomplete_reasons"], condition).column(0).to_pylist()
    if not reasons:
        return ": there is no such execution"
    told = [reason.removeprefix("executable: ") for reason in reasons[0] or () if reason.startswith("executable: ")]
    return f": {told[0]}" if told else "; the option `executables` says of which executions they are kept"


def _typed(row: PlanExecutable) -> PlanExecutable:
    """With records inside, as it was signed: what comes from Arrow has dicts there."""

    def leaf(raw: Any) -> ExecutableLeaf:
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) and key != "options" else value for key, value in raw.items()
        }
        values["options"] = dict(raw["options"]) if raw["options"] else None
        return ExecutableLeaf(**values)

    leaves = tuple(leaf(raw) for raw in row.leaves)
    return replace(row, leaves=leaves, views=tuple(ExecutableView(**raw) for raw in row.views))  # type: ignore[arg-type]


def _confs(store: Store, executable: PlanExecutable) -> dict[str, str]:
    """The settings; their name, which is signed, is the hash of their content."""
    if executable.session_confs_id is None:
        return {}
    named = f"session_confs_id = {literal(executable.session_confs_id)}"
    rows = records_of(TABLES["session_confs"], store.arrow("session_confs", filter=named))
    if not rows:
        raise NotFound(f"the settings of {executable.execution_id} are not in the tables any more")
    confs = dict(sorted(rows[0].confs.items()))
    if content_id([list(pair) for pair in confs.items()]) != executable.session_confs_id:
        raise ExecutableError(
            f"the settings of {executable.execution_id} were changed after they were recorded; it will not be run"
        )
    return confs


def check_spark(spark: SparkSession, executable: PlanExecutable) -> None:
    if spark.version != executable.spark_version:
        raise ExecutableError(
            f"the plan of {executable.execution_id} was written by Spark {executable.spark_version}, this session runs "
            f"{spark.version}: plans are restored by the version that wrote them; start a session of Spark {executable.spark_version}"
        )


def session_of(spark: SparkSession, found: Found) -> SparkSession:
    """A session of its own with what is recorded of settings, catalog and schema, as far as this one has them; settings of SQL that this one has and
    the recorded one had not are at their defaults."""
    session = spark.newSession()
    own = {key: None for key in session.conf.getAll if key not in found.confs}
    for key, value in (*own.items(), *found.confs.items()):
        if key.startswith("spark.sql.") and value != REDACTED and not _NOT_SET.match(key) and session.conf.isModifiable(key):
            if value is None:
                session.conf.unset(key)
            else:
                session.conf.set(key, value)
    reads_what_was(session)
    executable = found.executable
    try:
        if executable.current_catalog:
            session.catalog.setCurrentCatalog(executable.current_catalog)
        if executable.current_namespace:
            session.catalog.setCurrentDatabase(".".join(f"`{part}`" for part in executable.current_namespace))
    except Exception:  # it is not there: only current_schema() shows it, and that is put into the plan
        return session
    return session


def reads_what_was(session: SparkSession) -> SparkSession:
    """The session, set to read versions that are older than Delta lets anybody read by default, and to pass over no file that is gone."""
    for key in (ENFORCED, *_PASS_OVER_FILES):
        session.conf.set(key, "false")
    return session


def _none(session: SparkSession, leaf: ExecutableLeaf) -> DataFrame:
    """No rows, of a leaf that the plan which is meant does not have."""
    return session.range(0).selectExpr(*(f"NULL AS {_quoted(name)}" for name in leaf.columns))


def _quoted(name: str) -> str:
    escaped = name.replace("`", "``")
    return f"`{escaped}`"


def _read(
    session: SparkSession, leaf: ExecutableLeaf, versions: Mapping[int, int | None], options: Mapping[str, str]
) -> DataFrame:
    said = {**(leaf.options or {}), **options}
    if hidden := sorted(key for key, value in said.items() if REDACTED in value):
        raise ExecutableError(
            f"leaf {leaf.number} ({_what(leaf)}) needs {', '.join(hidden)}, which are not recorded: give them as options"
        )
    reader = session.read.options(**said)
    if leaf.kind in ("delta", "delta_files"):
        version = versions.get(leaf.number, leaf.delta_version)
        plain = session.read.format("delta")
        table = (plain if version is None else plain.option("versionAsOf", version)).load(leaf.location)
        return table if leaf.kind == "delta" else _of_files(table, leaf)
    if leaf.kind == "files":
        from pyspark.sql.types import StructType

        return reader.format(str(leaf.format)).schema(StructType.fromJson(json.loads(str(leaf.schema)))).load(list(leaf.paths))
    if leaf.kind == "jdbc":
        return reader.format("jdbc").load()
    if leaf.kind == "table" and leaf.name:
        return reader.table(leaf.name)
    raise ExecutableError(
        f"leaf {leaf.number} ({_what(leaf)}) had rows that lived in the driver or that cannot be read by their description: "
        f"give them as frames={{{leaf.number}: a DataFrame with the columns {', '.join(leaf.columns)}}}"
    )


def _of_files(table: DataFrame, leaf: ExecutableLeaf) -> DataFrame:
    """The rows of the files that a micro-batch read. Raises ExecutableError where the version does not have them all."""
    from ..snapshot.with_spark import files_of

    paths = {*leaf.paths}
    rows, there = files_of(table, str(leaf.location), paths)
    if there < len(paths):
        raise ExecutableError(
            f"{len(paths) - there} of {len(paths)} files that the stream read of {_what(leaf)} are not in its version {leaf.delta_version}: "
            "they were written again (OPTIMIZE, UPDATE) or removed before that"
        )
    return rows


def _what(leaf: ExecutableLeaf) -> str:
    return leaf.name or leaf.location or leaf.kind


def _frame(
    session: SparkSession,
    found: Found,
    given: Sequence[DataFrame],
    part: int = 0,
    classes: Sequence[str] = (),
    gives: Gives = "rows",
) -> DataFrame:
    """The frame of a plan, whose leaves are given."""
    from pyspark.sql import DataFrame

    executable = found.executable
    if part >= len(found.commands or (None,)):
        raise ExecutableError(
            f"{executable.execution_id} has {len(found.commands)} plans, numbered from 0; there is no part {part}"
        )
    context: Any = session.sparkContext
    jvm = context._jvm
    leaves, prefixes, moment = jvm.java.util.ArrayList(), jvm.java.util.ArrayList(), jvm.java.util.HashMap()
    for frame in given:
        leaves.add(frame._jdf.queryExecution().analyzed())
    for prefix in classes:
        prefixes.add(prefix)
    for key, value in moment_of(found).items():
        moment.put(key, value)
    environment = jvm.java.util.HashMap()
    for key, value in context.environment.items():
        environment.put(key, value)
    python = [context.pythonExec, context.pythonVer, environment, context._javaAccumulator]
    command = None if gives == "rows" else str((found.commands[part] or {}).get("class", "a query"))
    values = (session._jsparkSession, found.blob, leaves, moment, prefixes, *python, part, command, gives == "changed")
    try:
        restored = RESTORER.new(context._gateway, "Restorer", *values).frame()
    except ExecutableError:
        raise
    except Exception as error:
        raise ExecutableError(f"the plan of {executable.execution_id} cannot be restored: {_cause(error)}") from error
    if restored is None:
        raise ExecutableError(f"the plan {part} of {executable.execution_id} is not in what is kept of it")
    return DataFrame(restored, session)


def moment_of(found: Found) -> dict[str, str]:
    """What was so then, by the names that Moment.java has for it."""
    executable = found.executable
    values = {
        "instant_us": None if executable.instant is None else str(micros(executable.instant)),
        "time_zone": found.confs.get("spark.sql.session.timeZone"),
        "user": executable.user_name,
        "catalog": executable.current_catalog,
        "schema": ".".join(executable.current_namespace) if executable.current_namespace else None,
    }
    return {key: value for key, value in values.items() if value is not None}


def micros(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _cause(error: Exception) -> str:
    """What the JVM said, its kind left out where it is a plain refusal."""
    text = str(getattr(error, "java_exception", None) or error).splitlines()[0]
    return re.sub(r"^java\.io\.\w+: ", "", text)[:1000]
