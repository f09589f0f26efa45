"""What an execution wrote, as rows that a replay can be held against, and the replay's rows as the writer would have stored them.

Of a Delta table what its version has of files that it added; where the write also wrote rows again that it did not change (UPDATE, MERGE, a
`replaceWhere`) the whole version, and the replay is the state before with the command's rows in their places.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import ArrayType, DataType, MapType, StringType, StructField, StructType, TimestampType

from ..errors import ExecutableError, SnapshotError
from ..model import SampleColumn
from ..sample_marks import bound_of
from ..snapshot.delta import DeltaVersion, absolute, commit_actions, version_of
from ..snapshot.kinds import PHYSICAL_NAME, Column, columns_of, layout_hash
from ..snapshot.spark import by_names, of_fixed_length, quoted, same_names
from ..snapshot.sums import Sums
from ..snapshot.taking import known_snapshot, known_sums, snapshots
from ..snapshot.with_spark import first_line_of_spark, frame_of_files
from ..store.tables import Store
from ..store.views import FULL_OVERWRITES
from .clock import clock_of, without
from .comparing import Term
from .executables import Found, Gives, reads_what_was
from .line_columns import Lines
from .outputs import Written
from .plans import UNKNOWN_ROWS, replaced

COMMANDS = {"UpdateCommand", "DeleteCommand", "MergeIntoCommand"}
"""These change rows in their places."""
NUMBERED = "Delta numbers it (an identity column): a replay cannot know the numbers"
KEYED = "the write gave it to the rows (rows.column), of what their key was then"
DEFAULTED = "the write left it to its default, which is not the same each time"
_PARQUET = ("delta", "parquet")
_TIMES = "spark.sql.parquet.outputTimestampType"
_GENERATED, _IDENTITY, _DEFAULT = "delta.generationExpression", "delta.identity.start", "CURRENT_DEFAULT"


@dataclass(frozen=True)
class Expected:
    """What is compared.

    `recorded` is None where the rows are gone, and `gone` says why; then `sums` are known. `before`: what the replay's rows are put into. `volatile`:
    columns whose values nobody can give again, with the reason. `whole`: it is all of a version. `put`: how rows are stored, where it is not as the
    columns of a table; `lines`: it is lines that have columns.
    """

    schema: StructType
    columns: tuple[Column, ...]
    gives: Gives
    whole: bool
    recorded: tuple[Term, ...] | None = None
    sums: Sums | None = None
    before: tuple[Term, ...] = ()
    gone: str | None = None
    volatile: Mapping[str, str] | None = None
    table: Table | None = None
    put: Callable[[DataFrame], DataFrame] | None = None
    lines: Lines | None = None

    def replayed(self, rows: DataFrame) -> tuple[Term, ...]:
        """The rows of the plan as they would have been stored, put into what was there before."""
        written = as_written(rows, self.schema, self.table) if self.put is None else self.put(rows)
        return (Term(written), *self.before)


@dataclass(frozen=True)
class Table:
    """A Delta table at a version, as its log has it: names of columns that are computed or numbered when rows are written. Of files their `source`."""

    fields: StructType
    partitioned: tuple[str, ...]
    expressions: Mapping[str, str]
    identities: tuple[str, ...]
    source: str = "delta"

    def is_folder(self, name: str) -> bool:
        return name.lower() in {partition.lower() for partition in self.partitioned}


def reading(spark: SparkSession) -> SparkSession:
    """A session of its own, in which old versions of Delta tables can be read."""
    return reads_what_was(spark.newSession())


def expected_of_state(spark: SparkSession, store: Store, one: Written, location: str) -> Expected:
    """All of a version of a Delta table, whoever wrote it, or the checksum that is kept of it. Raises ExecutableError."""
    assert one.version is not None
    try:
        log = _log_of(one, location)
    except SnapshotError as error:
        return of_checksum(store, one, True, str(error))
    frame = version_frame(spark, location, one.version)
    columns, table = columns_of(frame.schema.jsonValue()), table_of(frame, location)
    return Expected(
        schema=frame.schema, columns=columns, gives="rows", whole=True, recorded=(Term(frame),), volatile=_volatile(one, table), table=table,
        sums=kept_sums(store, one, log, columns),
    )  # fmt: skip


def _log_of(one: Written, location: str) -> DeltaVersion:
    """Raises SnapshotError where the version is gone, or of another table."""
    assert one.version is not None
    log = version_of(location, one.version)
    if one.table_id is not None and log.table_id != one.table_id:
        raise SnapshotError(
            f"another table is there now ({log.table_id}, not {one.table_id}): it was dropped and created again, or replaced"
        )
    return log


def _volatile(one: Written, table: Table) -> dict[str, str]:
    """Columns whose values nobody can give again, with the reason."""
    told = dict.fromkeys(table.identities, NUMBERED)
    if one.key_column is not None:
        told[one.key_column.name] = KEYED
    return told


def expected_of_delta(spark: SparkSession, store: Store, one: Written, found: Found, location: str) -> Expected:
    """Of a version of a Delta table. `spark`: a session in which old versions can be read, with the settings that it was written under. Raises
    ExecutableError where nothing of it is known."""
    assert one.version is not None
    command = one.command or {}
    in_places = command.get("class") in COMMANDS
    replaces = one.mode in ("replace_where", "write") and one.version > 0  # version 0 is all new
    condition = replaced(command) if replaces else None
    if replaces and condition is None and one.mode == "replace_where":
        raise ExecutableError(UNKNOWN_ROWS)
    try:
        log = _log_of(one, location)
    except SnapshotError as error:
        return of_checksum(store, one, one.mode in FULL_OVERWRITES and not in_places, str(error))
    frame = version_frame(spark, location, one.version)
    table = table_of(frame, location)
    schema = frame.schema
    columns = columns_of(schema.jsonValue())
    volatile = _volatile(one, table)
    plain = Expected(
        schema=schema, columns=columns, gives="rows", whole=True, recorded=(Term(frame),), volatile=volatile, table=table
    )
    if in_places:
        before = _meanwhile(spark, found, one, location, schema)
        sums = kept_sums(store, one, log, columns)
        return replace(plain, gives="table", sums=sums, before=before)
    if condition is not None:
        kept = without(version_frame(spark, location, one.version - 1), condition, spark, clock_of(store, found, command))
        sums = kept_sums(store, one, log, columns)
        before = (Term(padded(kept, schema)),)
        return replace(plain, sums=sums, before=before)
    added = _added(location, one.version, log)
    if added is None:
        raise ExecutableError(f"the log of version {one.version} of {location} is gone, which tells the files that it added")
    whole = len(added) == len(log.files)
    rows = frame if whole else frame_of_files(frame, location, [file.path for file in added])
    sums = _sums_of_files(store, log, added)
    if sums is None and whole:
        sums = kept_sums(store, one, log, columns)
    return replace(plain, whole=whole, recorded=(Term(rows),), sums=sums)


def of_checksum(store: Store, one: Written, whole: bool, gone: str) -> Expected:
    """Where the version is gone, and it is meant as a whole: what its checksum says, where that is kept."""
    kept = snapshots(store, table_id=one.table_id, version=one.version, key=(one.namespace, one.name)) if one.table_id else []
    for snapshot in kept:
        if whole and snapshot.schema is not None and snapshot.checksum is not None:
            schema = StructType.fromJson(json.loads(snapshot.schema))
            sums, table = Sums.parse(snapshot.row_count or 0, snapshot.checksum), _table(schema, ())
            return Expected(
                schema=schema, columns=columns_of(snapshot.schema), gives="rows", whole=True, sums=sums, gone=gone, table=table,
                volatile=_volatile(one, table),
            )  # fmt: skip
    raise ExecutableError(f"what it wrote cannot be read any more, and no checksum of it is kept: {gone}")


def version_frame(spark: SparkSession, location: str, version: int | None) -> DataFrame:
    """`version`: None for the newest. Raises ExecutableError."""
    reader = spark.read.format("delta")
    try:
        return (reader if version is None else reader.option("versionAsOf", version)).load(location)
    except (PySparkException, Py4JJavaError) as error:
        which = "the newest version" if version is None else f"version {version}"
        raise ExecutableError(f"{which} of {location} cannot be read by Spark: {first_line_of_spark(error)}") from error


def table_of(frame: DataFrame, location: str) -> Table:
    from ..snapshot.with_spark import metadata_of

    fields, partitioned = metadata_of(frame, location)
    return _table(fields, partitioned)


def _table(fields: StructType, partitioned: tuple[str, ...]) -> Table:
    told: dict[str, Mapping[str, Any]] = {field.name: field.metadata or {} for field in fields}
    expressions = {
        name: str(metadata.get(_GENERATED) or metadata[_DEFAULT])
        for name, metadata in told.items()
        if {_GENERATED, _DEFAULT} & metadata.keys()
    }
    return Table(fields, partitioned, expressions, tuple(name for name, metadata in told.items() if _IDENTITY in metadata))


def _added(location: str, version: int, log: DeltaVersion) -> list[Any] | None:
    actions = commit_actions(location, version)
    if actions is None:
        return None
    paths = {action["add"]["path"] for action in actions if action.get("add")}
    found = [file for file in log.files if file.path in paths]
    return found if len(found) == len(paths) else None


def _sums_of_files(store: Store, log: DeltaVersion, added: Sequence[Any]) -> Sums | None:
    known = known_sums(store, replace(log, files=tuple(added)))
    if any(file.named not in known for file in added):
        return None
    return sum((known[file.named] for file in added), Sums(0, 0, 0))


def kept_sums(store: Store, one: Written, log: DeltaVersion, columns: tuple[Column, ...]) -> Sums | None:
    kept = known_snapshot(store, (one.namespace, one.name), log.table_id, log.version, columns)
    if kept is None or kept.checksum is None or kept.schema is None:
        return None
    same = layout_hash(columns_of(kept.schema)) == layout_hash(log.columns)
    return Sums.parse(kept.row_count or 0, kept.checksum) if same else None


def _meanwhile(spark: SparkSession, found: Found, one: Written, location: str, schema: StructType) -> tuple[Term, ...]:
    """What others committed between the version that the command read and its own: they are in its version too."""
    assert one.version is not None
    place = absolute(location)
    read = {
        leaf.delta_version
        for leaf in found.executable.leaves
        if leaf.kind == "delta" and leaf.location and absolute(leaf.location) == place
    }
    last = one.version - 1
    if not read or last in read or None in read:
        return ()
    then = max(version for version in read if version is not None)
    newer = padded(version_frame(spark, location, last), schema)
    older = padded(version_frame(spark, location, then), schema)
    return Term(newer), Term(older, -1)


def padded(frame: DataFrame, schema: StructType) -> DataFrame:
    """With the columns of a later version, and the fields of its structs: those that it lacks are null."""
    there = same_names(frame.columns, schema.names)
    columns = []
    for place, field in enumerate(schema):
        value = F.lit(None)
        if place in there:
            given = frame.schema[there[place]]
            value = by_names(F.col(quoted(given.name)), given.dataType, field.dataType)
        columns.append(of_fixed_length(value.cast(field.dataType), field).alias(field.name))
    return frame.select(*columns)


def names_now(was: StructType, now: StructType) -> dict[str, str]:
    """What the columns of a version are called in a later one, where that still has them: by what the log calls them in the files, where it does."""
    later = {field.metadata.get(PHYSICAL_NAME, field.name): field.name for field in now}
    called = {field.name: later.get(field.metadata.get(PHYSICAL_NAME, field.name)) for field in was}
    return {old: new for old, new in called.items() if new is not None}


def as_written(rows: DataFrame, schema: StructType, table: Table | None, unknown: Collection[str] = ()) -> DataFrame:
    """Rows of a plan as a table with that schema has them: by name, else by position; cast, and with what the writer computes, but for the columns
    `unknown`, which are null.

    Raises ExecutableError where they have other columns.
    """
    named = rows.toDF(*(f"c{at}" for at in range(len(rows.columns))))
    there = _places(rows.columns, schema)
    expressions = {} if table is None else table.expressions
    identities = () if table is None else table.identities
    missing = [field.name for field in schema if field.name not in there]
    given = [_stored(named, there[field.name], field, table).alias(field.name) for field in schema if field.name in there]
    try:
        frame = named.select(*given)
        for name in missing:
            known = name in expressions and name not in identities and name not in unknown
            frame = frame.withColumn(name, F.expr(expressions[name]) if known else F.lit(None))
        return frame.select(
            *(of_fixed_length(F.col(quoted(field.name)).cast(field.dataType), field).alias(field.name) for field in schema)
        )
    except PySparkException as error:
        raise ExecutableError(f"its rows cannot be put into the table's columns: {first_line_of_spark(error)}") from error


def defaulted(rows: DataFrame, schema: StructType, table: Table | None) -> tuple[str, ...]:
    """The columns that rows of a plan leave to a default that is not the same each time, such as current_timestamp(), and those generated of these."""
    there = _places(rows.columns, schema)
    expressions = {} if table is None else table.expressions
    left = {name: told for name, told in expressions.items() if name in schema.names and name not in there}
    if not left:
        return ()
    jvm: Any = rows.sparkSession._jvm
    current = jvm.org.apache.spark.sql.catalyst.trees.TreePattern.CURRENT_LIKE()
    none = rows.sparkSession.range(0).select(*(F.lit(None).cast(field.dataType).alias(field.name) for field in schema))
    plans = {name: none.select(F.expr(told).alias(name))._jdf.queryExecution().analyzed() for name, told in left.items()}
    found = {name for name, plan in plans.items() if plan.containsPattern(current) or not plan.deterministic()}
    read = {name: _names(plan.references()) for name, plan in plans.items()}
    while more := {name for name in left if name not in found and read[name] & found}:
        found |= more
    return tuple(name for name in left if name in found)


def _names(attributes: Any) -> set[str]:
    iterator, found = attributes.iterator(), set()
    while iterator.hasNext():
        found.add(str(iterator.next().name()))
    return found


def with_key(rows: DataFrame, told: SampleColumn | None) -> DataFrame:
    """A plan's rows with the column that they were given when they were written (`rows.column`)."""
    if told is None:
        return rows
    hashed = F.xxhash64(*(F.col(quoted(name)) for name in told.key))
    return rows.withColumn(told.name, F.when(hashed < F.lit(bound_of(told.fraction)), hashed))


def extra_columns(rows: DataFrame, schema: StructType) -> tuple[str, ...]:
    """Columns of a plan that are nowhere in what was written."""
    there = {field.name.lower() for field in schema}
    if len(rows.columns) == len(schema) and not any(name.lower() in there for name in rows.columns):
        return ()
    return tuple(name for name in rows.columns if name.lower() not in there)


def retyped(rows: StructType, schema: StructType) -> dict[str, str]:
    """By column of what was written, how its type differs from that which a plan gives."""
    told = {}
    for name, place in _places(rows.names, schema).items():
        how = retype(name, schema[name].dataType, rows[place].dataType)
        if how is not None:
            told[name] = how
    return told


def retype(name: str, then: DataType, now: DataType) -> str | None:
    """How the types of a column differ; None where they do not."""
    return None if _is_same(then, now) else f"{name} was {then.simpleString()}, and is {now.simpleString()}"


def _places(columns: Sequence[str], schema: StructType) -> dict[str, int]:
    """By name of the table's columns the positions of the plan's."""
    found = {schema[place].name: at for place, at in same_names(columns, schema.names).items()}
    if not found and len(columns) == len(schema):
        return {field.name: place for place, field in enumerate(schema)}
    return found


def _stored(frame: DataFrame, at: int, field: StructField, table: Table | None) -> SparkColumn:
    value = F.col(f"c{at}")
    given = frame.schema[at].dataType
    is_folder = table is not None and table.is_folder(field.name)
    if not _is_same(given, field.dataType):
        if is_folder and table is not None and table.source != "delta":
            value, given = value.cast("string"), StringType()  # as its name says it, which is read again
        if is_folder and isinstance(given, StringType):
            value = _folder(value)
        value = by_names(value, given, field.dataType).cast(field.dataType)
    if is_folder:  # '' is null in its name, and in a log of Delta
        return _folder(value) if isinstance(field.dataType, StringType) else value
    if table is not None and table.source in _PARQUET and frame.sparkSession.conf.get(_TIMES, None) == "TIMESTAMP_MILLIS":
        return _in_millis(value, field.dataType)
    return value


def _folder(value: SparkColumn) -> SparkColumn:
    """A text as the name of a folder has it. By its length: '' is equal to blanks where a CHAR is compared."""
    return F.when(F.length(value) > 0, value)


def _in_millis(value: SparkColumn, data_type: DataType) -> SparkColumn:
    """With the times within cut to milliseconds, as Spark's writer of Parquet is told to by a setting."""
    if isinstance(data_type, TimestampType):
        return F.date_trunc("MILLISECOND", value)
    if isinstance(data_type, StructType):
        fields = (_in_millis(value.getField(one.name), one.dataType).alias(one.name) for one in data_type)
        return F.when(value.isNotNull(), F.struct(*fields)) if _has_times(data_type) else value
    if isinstance(data_type, ArrayType) and _has_times(data_type):
        element = data_type.elementType
        return F.transform(value, lambda one: _in_millis(one, element))
    if isinstance(data_type, MapType) and _has_times(data_type):
        kinds = data_type.keyType, data_type.valueType
        if _has_times(kinds[0]):
            value = F.transform_keys(value, lambda key, _: _in_millis(key, kinds[0]))
        return F.transform_values(value, lambda _, one: _in_millis(one, kinds[1]))
    return value


def _has_times(data_type: DataType) -> bool:
    return re.search(r"\btimestamp\b", data_type.simpleString()) is not None


def _is_same(one: DataType, other: DataType) -> bool:
    return one.simpleString() == other.simpleString()
