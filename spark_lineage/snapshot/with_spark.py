"""Checksums taken by Spark: of tables too large for one process, of types and logs that are left to it, of what has no versions.

The same bits as without it, and the sums of a table's data files are shared both ways.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import pyarrow as pa
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import StructType

from ..errors import LineageError, SnapshotError
from ..lineage.naming import DatasetKey, exact_place
from ..model import REDACTED, Snapshot
from ..store.tables import Store, literal
from .delta import DeltaVersion, absolute, resolved, version_of
from .footers import may_have_more
from .kinds import ALGORITHM, Column, columns_of, schema_hash
from .spark import aggregates, row_hashes, sums_from, sums_of_frame
from .sums import Sums
from .taking import file_row, keep, known_snapshot, known_sums
from .unversioned import recorded_files

FileKey = tuple[str, str | None]
_NAMED = 500
"""So many files are named one by one where only some have to be read; with more, all are read."""
_FOOTERS = 16
"""So many footers are read at a time."""


def take_with_spark(
    spark: SparkSession,
    store: Store,
    location: str,
    version: int | None = None,
    at: datetime | None = None,
    key: DatasetKey | None = None,
    *,
    table_id: str | None = None,
    execution_id: str | None = None,
) -> Snapshot:
    """As `taking.take`, in one job of Spark. Whatever happens to the table meanwhile, the version is the one that was found first."""
    found = _version_read(_frame(spark, location, version, at), location)
    frame = _frame(spark, location, found.version, None)  # one without a version would be of the newest when it runs
    if table_id is not None and found.table_id != table_id:
        raise SnapshotError(
            f"{location} is another table now ({found.table_id}, not {table_id}): the version is gone with the old one"
        )
    columns = columns_of(frame.schema.jsonValue())
    key = key or exact_place(found.location).key
    known = known_snapshot(store, key, found.table_id, found.version, columns)
    if known is not None:
        return known
    files = _told_by_the_log(location, found)
    sums = {} if files is None else known_sums(store, files)
    by_place = _sums_by_file(found, frame, columns, files, sums)
    if files is None or by_place is None:
        whole, read, new = _summed(frame, columns), found.files, []
    else:
        read_now = [file for file in files.files if file.named in by_place]
        with ThreadPoolExecutor(_FOOTERS) as pool:
            more = pool.map(partial(may_have_more, files), read_now)
            new = [file_row(files, file, by_place[file.named], more=one) for file, one in zip(read_now, more, strict=True)]
        whole, read = sum(((sums | by_place)[file.named] for file in files.files), Sums(0, 0, 0)), len(by_place)
    return keep(
        store,
        location,
        Snapshot(
            namespace=key[0], name=key[1], table_id=found.table_id, delta_version=found.version,
            committed_at=None if files is None else files.committed_at,
            fingerprint=None if files is None else files.fingerprint, algorithm=ALGORITHM, schema_hash=schema_hash(columns),
            schema=frame.schema.json() if files is None else files.schema, row_count=whole.rows, checksum=whole.checksum,
            files=found.files, bytes=found.bytes, files_read=read, method="scan" if read == found.files else "incremental",
            execution_id=execution_id, computed_at=datetime.now(UTC),
        ),
        new,
    )  # fmt: skip


def take_frame(
    store: Store,
    frame: DataFrame,
    key: DatasetKey,
    fingerprint: str | None = None,
    execution_id: str | None = None,
    unchanged: Callable[[], object] = lambda: None,
) -> Snapshot:
    """The checksum of the rows of a frame, kept as that of a dataset without versions.

    What Spark reads may change while it reads: `unchanged` is called before anything is kept, and may raise SnapshotError.
    """
    columns = columns_of(frame.schema.jsonValue())
    whole = _summed(frame, columns)
    unchanged()
    snapshot = Snapshot(
        namespace=key[0], name=key[1], table_id=None, delta_version=None, fingerprint=fingerprint, algorithm=ALGORITHM,
        schema_hash=schema_hash(columns), schema=frame.schema.json(), row_count=whole.rows, checksum=whole.checksum, method="scan",
        execution_id=execution_id, computed_at=datetime.now(UTC),
    )  # fmt: skip
    store.append("snapshots", [snapshot], None)
    return snapshot


def take_files_with_spark(
    spark: SparkSession, store: Store, location: str, key: DatasetKey, fingerprint: str, execution_id: str | None = None
) -> Snapshot:
    """Of the files whose listing has that fingerprint, read as the execution read them that is recorded with it.

    Raises SnapshotError where they have changed, or where it is not recorded how they are read.
    """
    recorded_files(location, fingerprint)
    frame = _as_recorded(spark, store, location, key, fingerprint)
    return take_frame(store, frame, key, fingerprint, execution_id, lambda: recorded_files(location, fingerprint))


def _as_recorded(spark: SparkSession, store: Store, location: str, key: DatasetKey, fingerprint: str) -> DataFrame:
    named = f"namespace = {literal(key[0])} and name = {literal(key[1])}"
    leaf = _leaf_of(store, key, store.arrow("inputs", ["execution_id"], f"{named} and fingerprint = {literal(fingerprint)}"))
    formats = store.arrow("datasets", ["format"], named).column(0).to_pylist() if leaf is None else [leaf["format"]]
    source = str(formats[0]) if formats else "unknown"
    if leaf is None and source not in _TELLS_ITS_SCHEMA:
        raise SnapshotError(
            f"it is not recorded how these files of format {source} are read (`executables` keeps the plans of writes): "
            f"`jobs/snapshot.py --format {source}` takes their checksum, with the reader's options"
        )
    reader = spark.read.format(source)
    if leaf is not None:
        options = dict(leaf["options"] or ())
        if any(REDACTED in value for value in options.values()):
            raise SnapshotError(
                f"it was read with secrets, which are not recorded: `jobs/snapshot.py --format {source}` takes them"
            )
        reader = reader.options(**options).schema(StructType.fromJson(json.loads(leaf["schema"])))
    try:
        return reader.load(location)
    except (PySparkException, Py4JJavaError) as error:
        raise SnapshotError(f"{location} cannot be read by Spark: {first_line_of_spark(error)}") from error


_TELLS_ITS_SCHEMA = ("parquet", "orc", "avro")


def _leaf_of(store: Store, key: DatasetKey, executions: pa.Table) -> dict[str, Any] | None:
    """How one of these executions read that dataset as a whole."""
    for name in executions.column(0).to_pylist():
        for leaves in store.arrow("plan_executables", ["leaves"], f"execution_id = {literal(name)}").column(0).to_pylist():
            for leaf in leaves or ():
                places = [exact_place(absolute(path)).key for path in leaf["paths"] or ()]
                if leaf["kind"] == "files" and leaf["schema"] and places == [key]:
                    return dict(leaf)
    return None


class _Found:
    """The version that a frame is of."""

    def __init__(self, index: Any) -> None:
        self.location = str(index.path().toString())
        self._snapshot = snapshot = index.getSnapshot()
        self.version = int(snapshot.version())
        self.table_id = str(snapshot.metadata().id())

    @cached_property
    def files(self) -> int:  # a job of Spark, which not everybody needs
        return int(self._snapshot.numOfFiles())

    @cached_property
    def bytes(self) -> int:
        return int(self._snapshot.sizeInBytes())

    def frame_of(self, paths: Collection[str], frame: DataFrame) -> tuple[DataFrame, int]:
        """The rows that the version has of some of its files, and how many of these it has. (Delta does not leave files out by a condition on
        `_metadata`.)"""
        spark = frame.sparkSession
        jvm = spark._jvm
        assert jvm is not None
        with _among(spark, paths) as named:
            adds = self._snapshot.allFiles().filter(named._jc).collect()
        count = len(adds)
        adds = jvm.scala.collection.immutable.ArraySeq.unsafeWrapArray(adds)
        rows = DataFrame(
            self._snapshot.deltaLog().createDataFrame(self._snapshot, adds, False, jvm.scala.Option.empty()), spark
        )
        return rows, count


@contextmanager
def _among(spark: SparkSession, paths: Collection[str]) -> Iterator[SparkColumn]:
    """That a file is one of these. Many are a table of their own: named one by one they would be a condition of that size."""
    if len(paths) <= _NAMED:
        yield F.col("path").isin(*paths)
        return
    view = f"spark_lineage_files_{uuid4().hex}"
    spark.createDataFrame(pa.table({"path": pa.array(sorted(paths), pa.string())})).createGlobalTempView(view)
    try:
        yield F.expr(f"path IN (SELECT path FROM global_temp.{view})")  # the table's log has a session of its own
    finally:
        spark.catalog.dropGlobalTempView(view)


def frame_of_files(frame: DataFrame, location: str, paths: Collection[str]) -> DataFrame:
    """Of a frame of a version of a Delta table the rows of some of its files, by their paths in its log: of those that it has."""
    return files_of(frame, location, paths)[0]


def files_of(frame: DataFrame, location: str, paths: Collection[str]) -> tuple[DataFrame, int]:
    """The same, and how many of them it has."""
    return _version_read(frame, location).frame_of(paths, frame)


def metadata_of(frame: DataFrame, location: str) -> tuple[StructType, tuple[str, ...]]:
    """The schema of the version that a frame is of as the log has it, with what Delta hides from readers, and its partition columns."""
    metadata = _version_read(frame, location)._snapshot.metadata()
    columns = metadata.partitionColumns()
    return StructType.fromJson(json.loads(metadata.schemaString())), tuple(columns.apply(at) for at in range(columns.length()))


def _frame(spark: SparkSession, location: str, version: int | None, at: datetime | None) -> DataFrame:
    reader = spark.read.format("delta")
    if version is not None:
        reader = reader.option("versionAsOf", version)
    if at is not None:
        reader = reader.option("timestampAsOf", at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"))
    try:
        return reader.load(location)
    except (PySparkException, Py4JJavaError) as error:
        raise SnapshotError(f"{location} cannot be read by Spark: {first_line_of_spark(error)}") from error


def _version_read(frame: DataFrame, location: str) -> _Found:
    leaves = frame._jdf.queryExecution().analyzed().collectLeaves()
    for number in range(leaves.size()):
        leaf = leaves.apply(number)
        if leaf.getClass().getSimpleName() == "LogicalRelation":
            index = leaf.relation().location()
            if "delta" in index.getClass().getName():
                return _Found(index)
    raise SnapshotError(f"{location} is no Delta table for Spark: its plan reads none")


def _told_by_the_log(location: str, found: _Found) -> DeltaVersion | None:
    """The version's files as they are known without Spark; None where that is left to Spark, too."""
    try:
        table = version_of(location, found.version)
    except SnapshotError:
        return None
    return table if table.table_id == found.table_id and len(table.files) == found.files else None


def _sums_by_file(
    found: _Found, frame: DataFrame, columns: tuple[Column, ...], table: DeltaVersion | None, known: Collection[FileKey]
) -> dict[FileKey, Sums] | None:
    """The sums of the files that are not known; None where Spark does not tell the rows of each of them apart.

    Then the whole is to be summed: a file of which Spark shows no row may be one that it calls otherwise.
    """
    if table is None or any(name.lower() == "_metadata" for name in frame.columns):
        return None
    wanted = {resolved(table.location, file.path): file for file in table.files if file.named not in known}
    if not wanted:
        return {}
    if len(wanted) < len(table.files) and len(wanted) <= _NAMED:
        frame, _ = found.frame_of([file.path for file in wanted.values()], frame)
    place = F.col("_metadata.file_path").alias("place")
    hashed = frame.select(place, *row_hashes(columns)).groupBy("place").agg(*aggregates())
    told = {local_place(row["place"]): sums_from(row) for row in _rows(hashed)}
    return {file.named: told[name] for name, file in wanted.items()} if wanted.keys() <= told.keys() else None


def _summed(frame: DataFrame, columns: tuple[Column, ...]) -> Sums:
    try:
        return sums_of_frame(frame, columns)
    except (PySparkException, Py4JJavaError) as error:
        raise _unreadable(error) from error


def _rows(frame: DataFrame) -> Iterator[Any]:
    try:
        yield from frame.toLocalIterator()
    except (PySparkException, Py4JJavaError) as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> SnapshotError:
    return SnapshotError(
        f"the rows cannot be read: {first_line_of_spark(error)}. Where a file is gone: removed files are kept for "
        "delta.deletedFileRetentionDuration (one week unless set) until VACUUM, a longer one would have kept it"
    )


def local_place(place: str) -> str:
    """A file's place as `resolved` gives it: Spark tells an encoded URI."""
    place = unquote(place)
    return "/" + place.removeprefix("file:").lstrip("/") if place.startswith("file:") else place


def first_line_of_spark(error: Exception) -> str:
    """Of what the JVM says; py4j's own text of it is that something was called. Spark says of a file that may not be read that it does not
    exist: what says otherwise among the causes is said too."""
    text = str(error)
    if isinstance(error, Py4JJavaError):
        text = error.java_exception.getMessage() or error.java_exception.toString()
    line, refused = (text or type(error).__name__).strip().split("\n")[0].rstrip("."), _refused(error)
    return line if refused is None or refused in line else f"{line}: {refused}"


_CAUSES = 20


def causes_of_spark(error: Exception) -> Iterator[str]:
    """The first lines of what the JVM threw and of its causes."""
    thrown: Any = error.java_exception if isinstance(error, Py4JJavaError) else getattr(error, "_origin", None)
    for _ in range(_CAUSES):
        if thrown is None:
            return
        yield str(thrown.toString().strip().split("\n")[0])
        thrown = thrown.getCause()


def _refused(error: Exception) -> str | None:
    """Of what the JVM threw, or of its causes: that the right to read is missing."""
    refusals = ("Permission denied", "AccessControlException", "AccessDeniedException")
    return next((said for said in causes_of_spark(error) if any(refusal in said for refusal in refusals)), None)


_OF_FILES = (
    "java.io.FileNotFoundException",
    "PATH_NOT_FOUND",
    "FAILED_READ_FILE",
    "DELTA_FILE_NOT_FOUND",
    "DELTA_VERSION",
    "DELTA_LOG_FILE_NOT_FOUND",
)


def storable(error: Exception) -> str:
    """What may be stored of an error. Where one of ours has Spark's words in it, their condition stands for them."""
    if not isinstance(error, LineageError):
        return condition_of_spark(error)
    text, cause = str(error), error.__cause__
    while cause is not None:
        if isinstance(cause, (PySparkException, Py4JError)):
            text = text.replace(first_line_of_spark(cause), condition_of_spark(cause))
        cause = cause.__cause__
    return text


def condition_of_spark(error: Exception) -> str:
    """The condition of Spark's error, or the exception's name. Spark's own words may have values of rows in them, but where they are of
    files and versions that are gone."""
    text = first_line_of_spark(error)
    found = re.match(r"\[([A-Z][A-Z0-9_.]*)\]", text)
    name = error.java_exception.getClass().getName() if isinstance(error, Py4JJavaError) else type(error).__name__
    if (found[1] if found else name).startswith(_OF_FILES):
        return text
    return f"Spark failed with {found[1] if found else name}; its own words are in the log of the command that took the sample"
