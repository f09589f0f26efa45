"""What an execution wrote to files without versions: Parquet and its like by their rows, CSV and JSON by their lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import StructField, StructType, TimestampType

from ..errors import ExecutableError, SnapshotError
from ..snapshot.kinds import columns_of
from ..snapshot.spark import quoted
from ..snapshot.sums import Sums
from ..snapshot.taking import snapshots
from ..snapshot.unversioned import recorded_files
from ..snapshot.with_spark import first_line_of_spark
from ..store.listing import WHOLE
from ..store.tables import Store
from ..store.views import FULL_OVERWRITES
from .comparing import Term
from .formats import COLUMNAR, TEXTS, encoding_of, not_compared, not_given_again, options_of, partitions_of
from .line_columns import Lines, recorded_schema
from .outputs import Written, recorded_format, wrote_nothing
from .stream_files import as_write, files_of_batch
from .written import Expected, Table

ZONED = "in which time zone the kept checksum took the times in the names of folders is not known"


def expected_of_files(spark: SparkSession, store: Store, one: Written, location: str, folder: bool = False) -> Expected:
    """Of the files that are there, while their listing is the recorded one; else of a checksum that is kept of that listing. `folder`: all that
    is there, and not what this write added.

    Raises ExecutableError where neither is so, and where the files of one write cannot be told from those of others.
    """
    if not folder and wrote_nothing(one, recorded_format(store, one.key)):
        return _of_nothing(spark, store, one, location)
    if one.fingerprint is None or not one.fingerprint.startswith(WHOLE):
        raise ExecutableError(
            f"{location} has no versions, and no fingerprint of its files is recorded: nothing says what it wrote"
        )
    source = format_of(store, one, location)
    why = None if folder else not_given_again(source, one.command or {})
    if why is not None:
        raise ExecutableError(f"{location} {why}")
    try:
        recorded_files(one.name, one.fingerprint)
    except SnapshotError as error:
        return of_kept_checksum(store, one, location, error, source)
    try:
        frame = rows_of_files(spark, source, location, one.command or {})
        if not folder and one.mode not in FULL_OVERWRITES and frame.count() != one.rows:
            raise ExecutableError(
                f"{location} has files of other writes too, and which of them it wrote is not recorded: write to a Delta table"
            )
    except (PySparkException, Py4JJavaError) as error:
        raise ExecutableError(f"{location} cannot be read: {first_line_of_spark(error)}") from error
    return _of_rows(frame, source, one.command or {})


def expected_of_batch(spark: SparkSession, store: Store, one: Written, execution_id: str, location: str) -> Expected:
    """Of the files that the log of a stream says a micro-batch wrote. Raises ExecutableError where it does not, and where they are others now."""
    assert one.batch is not None
    files = files_of_batch(location, one.batch)
    schema = recorded_schema(store, execution_id, one.key)
    command = as_write(one.command or {}, location, schema.names if schema else (), files)
    one = replace(one, command=command)
    source = format_of(store, one, location)
    why = not_given_again(source, command)
    if why is not None:
        raise ExecutableError(f"{location} {why}")
    if not files:
        return _of_nothing(spark, store, one, location)
    try:
        return _of_rows(rows_of_files(spark, source, location, command, files), source, command)
    except (PySparkException, Py4JJavaError) as error:
        raise ExecutableError(f"{location} cannot be read: {first_line_of_spark(error)}") from error


def _of_rows(frame: DataFrame, source: str, command: Mapping[str, Any]) -> Expected:
    options = options_of(command)
    table = Table(frame.schema, partitions_of(command), {}, (), source)
    put = (lambda rows: lines(rows, source, options, encoding_of(source, command))) if source in TEXTS else None
    return Expected(
        schema=frame.schema, columns=columns_of(frame.schema.jsonValue()), gives="rows", whole=True, recorded=(Term(frame),), table=table, put=put,
        lines=Lines(source, options) if source in ("csv", "json") else None,
    )  # fmt: skip


def _of_nothing(spark: SparkSession, store: Store, one: Written, location: str) -> Expected:
    """No lines, whatever is there now. Of formats that have columns, which nothing tells, a row of the replay would be shown as JSON."""
    source = format_of(store, one, location)
    options = options_of(one.command or {}) if source in TEXTS else {}
    source = source if source in TEXTS else "json"
    frame = spark.range(0).select(F.lit("").alias("value"))
    return Expected(
        schema=frame.schema, columns=columns_of(frame.schema.jsonValue()), gives="rows", whole=True, recorded=(Term(frame),),
        put=lambda rows: lines(rows, source, options), lines=Lines(source, options) if source != "text" else None,
    )  # fmt: skip


def rows_of_files(
    spark: SparkSession, source: str, location: str, command: Mapping[str, Any], files: Sequence[str] = ()
) -> DataFrame:
    """The rows of a folder, or of some of its files, or its lines where its format has no columns. Times in the names of folders are read in the zone of `spark`, unless the write
    named one. Raises ExecutableError, and what Spark raises."""
    _check(source, command, location)
    options = options_of(command)
    if source in COLUMNAR:
        zone = {key: value for key, value in options.items() if key == "timezone"}
        return _columnar(spark, source, location, zone, files)
    frame = _all_lines(spark, source, location, command, files)
    header = _header(spark, source, options, _names(command))
    return frame if header is None else _without_headers(frame, header)


def _all_lines(
    spark: SparkSession, source: str, location: str, command: Mapping[str, Any], files: Sequence[str] = ()
) -> DataFrame:
    options = options_of(command)
    encoding, separator = encoding_of(source, command), options.get("linesep")
    bytes_of = (
        options.get("encoding", encoding) if source == "text" and separator else encoding
    )  # Spark writes that of text in the one it was told
    frame = spark.read.option("lineSep", separator or "\n").option("encoding", bytes_of).text([*files] or location)
    if encoding != "UTF-8":
        frame = frame.withColumn("value", F.decode(F.col("value").cast("binary"), encoding))
    return frame


def _columnar(
    spark: SparkSession, source: str, location: str, options: Mapping[str, str], files: Sequence[str] = ()
) -> DataFrame:
    """With the columns of all files: by itself Spark takes those of one, and which one is a matter of chance."""
    reader = spark.read.format(source).options(**options)
    places: str | list[str] = location
    if files:
        reader, places = reader.option("basePath", location), [*files]
    if source != "avro":
        return reader.option("mergeSchema", True).load(places)
    frame = reader.load(places)
    fields: dict[str, StructField] = {}
    for schema in {spark.read.format(source).load(unquote(file)).schema.json(): None for file in frame.inputFiles()}:
        for field in StructType.fromJson(json.loads(schema)):
            known = fields.setdefault(field.name, field)
            if known.dataType != field.dataType:
                raise ExecutableError(f"{location} has files in which {field.name} is of several types")
    missing = [field for name, field in fields.items() if name not in frame.columns]
    if not missing:
        return frame
    return reader.schema(StructType([*frame.schema, *missing])).load(places)


def as_text(spark: SparkSession, text: bool) -> None:
    """Whether a session takes the partitions of files by what their folders are called, and not as numbers and dates: `01` is not `1`."""
    spark.conf.set("spark.sql.sources.partitionColumnTypeInference.enabled", not text)


def has_header(spark: SparkSession, source: str, location: str, command: Mapping[str, Any]) -> bool:
    """Whether CSV that was written with a header has one in any of its files. False of what was written without."""
    header = _header(spark, source, options_of(command), _names(command))
    if header is None:
        return False
    _check(source, command, location)
    return any(one["headed"] for one in _headed(_all_lines(spark, source, location, command), header))


def of_kept_checksum(store: Store, one: Written, location: str, gone: SnapshotError, source: str = "parquet") -> Expected:
    for snapshot in snapshots(store, key=(one.namespace, one.name)):
        if snapshot.fingerprint == one.fingerprint and snapshot.checksum and snapshot.schema and one.mode in FULL_OVERWRITES:
            schema, folders = (
                StructType.fromJson(json.loads(snapshot.schema)),
                {name.lower() for name in partitions_of(one.command or {})},
            )
            times = {field.name for field in schema if isinstance(field.dataType, TimestampType)}
            return Expected(
                schema=schema, columns=columns_of(snapshot.schema), gives="rows", whole=True,
                sums=Sums.parse(snapshot.row_count or 0, snapshot.checksum), gone=str(gone),
                table=Table(schema, partitions_of(one.command or {}), {}, (), source), volatile=dict.fromkeys((name for name in times if name.lower() in folders), ZONED),
            )  # fmt: skip
    raise ExecutableError(
        f"{location} has no versions and has changed since, and no checksum of what it wrote is kept "
        "(the option `snapshots` keeps one of Parquet and ORC)"
    ) from gone


def lines(rows: DataFrame, source: str, options: Mapping[str, str], encoding: str = "UTF-8") -> DataFrame:
    """Rows as the lines that the writer makes of them; a line break within a value parts them, as it does in a file. What an encoding does not have
    makes them fail: the writer put something else there."""
    if source == "text":
        text = F.coalesce(F.col(quoted(rows.columns[0])).cast("string"), F.lit(""))
    else:
        text = Lines(source, options).of([F.col(quoted(name)) for name in rows.columns], rows.columns)
    if encoding != "UTF-8":
        text = F.decode(F.encode(text, encoding), encoding)
    parted = F.explode(F.split(text, _literal(options.get("linesep", "\n"))))  # of null, which is no line, nothing
    return rows.select(parted.alias("value"))


def _header(spark: SparkSession, source: str, options: Mapping[str, str], names: Sequence[str]) -> str | None:
    """The line that names the columns, as the writer spells it; None where it writes none."""
    if source != "csv" or options.get("header", "false").lower() != "true" or not names:
        return None
    line = F.to_csv(F.struct(*(F.lit(name).alias(f"c{at}") for at, name in enumerate(names))), dict(options))
    row = spark.range(1).select(line).first()
    assert row is not None
    return str(row[0])


def _without_headers(frame: DataFrame, header: str) -> DataFrame:
    """Without one header of each file that begins with it: a row of data may read the same."""
    found = _headed(frame, header)
    rows = sum(one["alike"] - one["headed"] for one in found)
    others = frame.where(F.col("value") != header)
    return others.unionAll(frame.sparkSession.range(rows).select(F.lit(header))) if rows else others


def _headed(frame: DataFrame, header: str) -> list[Row]:
    """Of each file how many lines read as the header does (`alike`), and whether it begins with it (`headed`, 1 or 0)."""
    is_header, begin = (F.col("value") == header).cast("int"), F.col("_metadata.file_block_start") == 0
    numbered = frame.select(
        F.col("_metadata.file_path").alias("file"), is_header.alias("alike"), begin.alias("begin"), F.monotonically_increasing_id().alias("at"),
    )  # fmt: skip
    first = F.min_by("alike", F.when(F.col("begin"), F.col("at")))  # lines of a block have their numbers in its order
    return numbered.groupBy("file").agg(F.sum("alike").alias("alike"), F.coalesce(first, F.lit(0)).alias("headed")).collect()


def _literal(text: str) -> str:
    return f"\\Q{text}\\E"


def _check(source: str, command: Mapping[str, Any], location: str) -> None:
    """Raises ExecutableError where rows of such files are not compared."""
    why = not_compared(source, command)
    if why is not None:
        raise ExecutableError(f"{location} {why}")


def _names(command: Mapping[str, Any]) -> list[str]:
    return [str(name) for name in command.get("outputColumnNames") or ()]


def format_of(store: Store, one: Written, location: str) -> str:
    """Raises ExecutableError for one whose rows are not compared."""
    source = recorded_format(store, one.key) or "unknown"
    if source not in COLUMNAR + TEXTS:
        raise ExecutableError(f"{location} {not_compared(source, {})}")
    return source
