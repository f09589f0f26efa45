"""Finds recorded plans in the tables, and makes DataFrames of them in a Spark session.

::

    found = find("./lineage", execution_id)
    rows = restore(spark, found)                      # on the versions that were read then
    rows = restore(spark, found, versions={0: 17})    # on others

Nothing is run before its signature holds. What a DataFrame gives is the rows of the execution's query: of a write what
it wrote, of MERGE its source, of UPDATE and DELETE the target before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..errors import ExecutableError, NotFound
from ..lineage.edges import content_id
from ..model import REDACTED, ExecutableLeaf, ExecutableView, PlanExecutable
from ..store.rows import records_of
from ..store.schemas import TABLES
from ..store.signing import key_file, load_keys
from ..store.tables import Store, literal
from .bridge_sources import RESTORER

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_SET = re.compile(
    r"spark\.sql\.(warehouse\.|extensions|catalog\.|catalogImplementation|hive\.|streaming\.|artifact)|spark\.databricks\.delta\.snapshotPartitions"
)
"""Settings that say where a session lives, not what a plan gives."""


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


def find(store: str, execution_id: str, *, executables: str = "", key: str = "") -> Found:
    """The recorded plan of an execution.

    `executables` and `key` are the options `executables.store` and `executables.key`. Raises NotFound where there is
    none, ExecutableError where its signature does not hold, StoreError and its kinds.
    """
    opened = Store.open(store, executables=executables or None)
    condition = f"execution_id = {literal(execution_id)}"
    rows = records_of(TABLES["plan_executables"], opened.arrow("plan_executables", filter=condition))
    if not rows:
        raise NotFound(f"no plan of {execution_id} is kept{_why_not(opened, condition)}")
    executable = _typed(rows[0])
    named = f"executable_id = {literal(executable.executable_id)}"
    blobs = opened.arrow("executable_blobs", ["blob"], named).column("blob").to_pylist()
    if not blobs:
        raise NotFound(f"the plan of {execution_id} is not in the tables any more; a backup of executable_blobs has it")
    load_keys(key_file(key)).verify(executable, blobs[0])
    return Found(executable, blobs[0], _confs(opened, executable))


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
) -> DataFrame:
    """A DataFrame of the recorded plan, in a new session with the recorded settings, schema and instant.

    By number of leaf (`found.executable.leaves`): `versions`, other Delta versions than the recorded ones (None: the
    latest), and `frames`, other rows, which leaves of kind `rows` need. `options` are put in the place of redacted ones.
    `part`: which plan, where the execution has several (multi-insert). `classes`: prefixes of Java classes that the plan
    may hold beside Spark's. `leaf_rows` is given what each leaf reads, and gives that with more columns, say. Raises
    ExecutableError with what is missing.
    """
    executable = found.executable
    _check_spark(spark, executable)
    session = _session(spark, found)
    given = [_rows(session, leaf, versions or {}, frames or {}, options or {}, leaf_rows) for leaf in executable.leaves]
    restored = _frames(session, found, given, classes)
    if part >= len(restored):
        raise ExecutableError(f"{executable.execution_id} has {len(restored)} plans, numbered from 0; there is no part {part}")
    from pyspark.sql import DataFrame

    return DataFrame(restored[part], session)


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


def _check_spark(spark: SparkSession, executable: PlanExecutable) -> None:
    if spark.version != executable.spark_version:
        raise ExecutableError(
            f"the plan of {executable.execution_id} was written by Spark {executable.spark_version}, this session runs "
            f"{spark.version}: plans are restored by the version that wrote them; start a session of Spark {executable.spark_version}"
        )


def _session(spark: SparkSession, found: Found) -> SparkSession:
    """A session of its own with what is recorded of settings, catalog and schema, as far as this one has them."""
    session = spark.newSession()
    for key, value in found.confs.items():
        if key.startswith("spark.sql.") and value != REDACTED and not _NOT_SET.match(key) and session.conf.isModifiable(key):
            session.conf.set(key, value)
    executable = found.executable
    try:
        if executable.current_catalog:
            session.catalog.setCurrentCatalog(executable.current_catalog)
        if executable.current_namespace:
            session.catalog.setCurrentDatabase(".".join(f"`{part}`" for part in executable.current_namespace))
    except Exception:  # it is not there: only current_schema() shows it, and that is put into the plan
        return session
    return session


def _rows(
    session: SparkSession,
    leaf: ExecutableLeaf,
    versions: Mapping[int, int | None],
    frames: Mapping[int, DataFrame],
    options: Mapping[str, str],
    leaf_rows: Callable[[ExecutableLeaf, DataFrame], DataFrame],
) -> Any:
    """The analyzed plan of what a leaf reads."""
    frame = frames.get(leaf.number)
    if frame is None:
        frame = _read(session, leaf, versions, options)
    return leaf_rows(leaf, frame)._jdf.queryExecution().analyzed()


def _read(
    session: SparkSession, leaf: ExecutableLeaf, versions: Mapping[int, int | None], options: Mapping[str, str]
) -> DataFrame:
    said = {**(leaf.options or {}), **options}
    if hidden := sorted(key for key, value in said.items() if REDACTED in value):
        raise ExecutableError(
            f"leaf {leaf.number} ({_what(leaf)}) needs {', '.join(hidden)}, which are not recorded: give them as options"
        )
    reader = session.read.options(**said)
    if leaf.kind == "delta":
        version = versions.get(leaf.number, leaf.delta_version)
        plain = session.read.format("delta")
        return (plain if version is None else plain.option("versionAsOf", version)).load(leaf.location)
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


def _what(leaf: ExecutableLeaf) -> str:
    return leaf.name or leaf.location or leaf.kind


def _frames(session: SparkSession, found: Found, given: list[Any], classes: Sequence[str]) -> list[Any]:
    context: Any = session.sparkContext
    gateway, jvm = context._gateway, context._jvm
    leaves, prefixes, moment = jvm.java.util.ArrayList(), jvm.java.util.ArrayList(), jvm.java.util.HashMap()
    for plan in given:
        leaves.add(plan)
    for prefix in classes:
        prefixes.add(prefix)
    for key, value in _moment(found).items():
        moment.put(key, value)
    environment = jvm.java.util.HashMap()
    for key, value in context.environment.items():
        environment.put(key, value)
    python = [context.pythonExec, context.pythonVer, environment, context._javaAccumulator]
    values = [session._jsparkSession, found.blob, leaves, moment, prefixes, *python]
    arguments = gateway.new_array(jvm.java.lang.Object, len(values))
    for number, value in enumerate(values):
        arguments[number] = value
    try:
        return list(RESTORER.load(gateway).getConstructors()[0].newInstance(arguments).frames())
    except ExecutableError:
        raise
    except Exception as error:
        raise ExecutableError(f"the plan of {found.executable.execution_id} cannot be restored: {_cause(error)}") from error


def _moment(found: Found) -> dict[str, str]:
    executable = found.executable
    values = {
        "instant_us": None if executable.instant is None else str(_micros(executable.instant)),
        "time_zone": found.confs.get("spark.sql.session.timeZone"),
        "user": executable.user_name,
        "catalog": executable.current_catalog,
        "schema": ".".join(executable.current_namespace) if executable.current_namespace else None,
    }
    return {key: value for key, value in values.items() if value is not None}


def _micros(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _cause(error: Exception) -> str:
    """What the JVM said, its kind left out where it is a plain refusal."""
    text = str(getattr(error, "java_exception", None) or error).splitlines()[0]
    return re.sub(r"^java\.io\.\w+: ", "", text)[:1000]
