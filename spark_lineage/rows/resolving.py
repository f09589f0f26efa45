"""What is kept of rows, brought back: the values of source rows whose ids are stored, and the witness that a sample has of a row.

Values are read from the sources with the caller's rights, and are stored nowhere.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import LongType, StringType, StructField, StructType

from ..errors import LineageError, NotFound, TraceError
from ..lineage.naming import DatasetKey
from ..model import ExecutableLeaf, RowLineage, RowSample
from ..replay.executables import find, restore
from ..snapshot.delta import absolute, identity_of
from ..snapshot.kinds import columns_of
from ..snapshot.recorded_versions import locations
from ..snapshot.spark import row_hashes
from ..snapshot.with_spark import first_line_of_spark
from ..store.rows import records_of
from ..store.schemas import TABLES
from ..store.tables import Store, in_parts, literal
from .identity import PREFIX, identified, in_session
from .local import local_frame
from .stored import of_sample, samples
from .tracing import source_of
from .witness import Completeness, RowKind, Source, SourceRow, Witness, worse

_SOURCE = tuple[str, DatasetKey, int | None]
"""The execution that read it, the dataset, and its version."""
Known = tuple[_SOURCE, str, str | None, int | None, bytes | None]
"""What a source row is known by: its source, the kind, the file, the position or id, the hash of its content."""
_KINDS: Mapping[str, RowKind] = {"row_id": "row_id", "file_row": "file_row", "fingerprint": "fingerprint"}
_WANTED = StructType(
    [StructField("w_file", StringType()), *(StructField(name, LongType()) for name in ("w_place", "w_h0", "w_h1"))]
)


@dataclass(frozen=True)
class Resolved:
    """The values of rows by what they are known by, and why there are none of some sources."""

    values: Mapping[Known, dict[str, Any]]
    failed: tuple[str, ...]


def known(row: RowLineage) -> Known:
    """What a kept row is known by."""
    source = (row.execution_id, (row.source_namespace or "", row.source_name or ""), row.source_version)
    return source, str(row.source_row_kind), row.source_file, row.source_position, row.source_fingerprint


def resolve(spark: SparkSession, store: Store, rows: Iterable[RowLineage], *, executables: str = "", key: str = "") -> Resolved:
    """The values of kept source rows, all columns of the versions that were read.

    Of sources with versions nothing else is needed; others are read by the execution's recorded plan, which has the options that they were read
    with. What cannot be read is told.
    """
    wanted: dict[_SOURCE, set[Known]] = {}
    for row in rows:
        if row.source_row_kind in _KINDS:
            wanted.setdefault(known(row)[0], set()).add(known(row))
    places = locations(store) if wanted else {}
    values: dict[Known, dict[str, Any]] = {}
    failed: list[str] = []
    for source, those in wanted.items():
        try:
            values.update(_values(_read(spark, store, source, places, executables, key), those))
        except (LineageError, PySparkException, Py4JJavaError) as error:
            failed.append(f"{source[1][1]} cannot be read: {_text(error)}")
    return Resolved(values, tuple(failed))


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, LineageError) else first_line_of_spark(error)


def _read(
    spark: SparkSession, store: Store, source: _SOURCE, places: Mapping[DatasetKey, str | None], executables: str, key: str
) -> DataFrame:
    """The rows of a source as it was read, with their identity as the last column."""
    execution, dataset, version = source
    location = places.get(dataset)
    if version is None or location is None:
        return _by_plan(spark, store, source, executables, key)
    condition = f"execution_id = {literal(execution)} and namespace = {literal(dataset[0])} and name = {literal(dataset[1])}"
    tables = {row["table_id"] for row in store.arrow("inputs", ["table_id"], condition).to_pylist()} - {None}
    there = identity_of(absolute(location), version)
    if tables and there is not None and there[0] not in tables:
        raise TraceError(f"{location} is another table now: what was read is gone with the old one")
    return identified(spark.read.format("delta").option("versionAsOf", version).load(location), 0)


def _by_plan(spark: SparkSession, store: Store, source: _SOURCE, executables: str, key: str) -> DataFrame:
    execution, dataset, version = source
    read: list[DataFrame] = []

    def noted(leaf: ExecutableLeaf, rows: DataFrame) -> DataFrame:
        told = source_of(leaf, (), 0, None)
        if ((told.namespace, told.name), told.version) == (dataset, version):
            read.append(identified(rows, 0))
        return rows

    restore(spark, find(store.location, execution, executables=executables, key=key), leaf_rows=noted)
    if not read:
        raise NotFound("the recorded plan does not read it")
    return read[0]


def _values(frame: DataFrame, wanted: set[Known]) -> dict[Known, dict[str, Any]]:
    identity = f"{PREFIX}0"
    by_kind: dict[str, dict[tuple[Any, ...], Known]] = {}
    for one in wanted:
        lanes = struct.unpack(">qq", one[4]) if one[4] is not None else (None, None)
        by_kind.setdefault(one[1], {})[(one[2], one[3], *lanes)] = one
    found: dict[Known, dict[str, Any]] = {}
    for kind, those in by_kind.items():
        ids = F.broadcast(in_session(local_frame(frame.sparkSession, list(those), _WANTED), frame.sparkSession))
        met = frame.join(ids, _same(kind, identity)).dropDuplicates(_WANTED.names)
        for row in met.collect():
            values = row.asDict()
            place = tuple(values.pop(name) for name in _WANTED.names)
            del values[identity]
            found[those[place]] = values
    return found


def _same(kind: str, identity: str) -> Any:
    if kind == "row_id":
        return F.col(f"{identity}.row_id") == F.col("w_place")
    if kind == "file_row":
        return (F.col(f"{identity}.file") == F.col("w_file")) & (F.col(f"{identity}.position") == F.col("w_place"))
    return (F.col(f"{identity}.h0") == F.col("w_h0")) & (F.col(f"{identity}.h1") == F.col("w_h1"))


def witness_of_sample(
    spark: SparkSession,
    store: Store,
    key: DatasetKey,
    table_id: str,
    version: int,
    targets: DataFrame,
    *,
    limit: int,
    why: str,
    executables: str = "",
    signed_by: str = "",
) -> Witness | None:
    """What the sample of a version has of rows that it wrote, where they cannot be traced; None where it has nothing of them. `why` they cannot."""
    taken = [one for one in samples(store, key) if (one.delta_version, one.table_id, one.reason) == (version, table_id, None)]
    if not taken:
        return None
    kept, missing = _kept(store, taken[-1], targets)
    if not kept:
        return None
    resolved = resolve(spark, store, kept, executables=executables, key=signed_by)
    sources = tuple(_sources(store, kept, resolved.values, limit))
    reasons = [
        f"from the sample that was taken on {taken[-1].taken_at:%Y-%m-%d %H:%M} UTC; a trace ends: {why}",
        *resolved.failed,
    ]
    reasons += [reason for reason in taken[-1].reasons or () if any(row.completeness != "exact" for row in kept)]
    label: Completeness = "exact"
    for row in kept:
        label = worse(label, row.completeness)
    if missing:
        reasons.append(f"{missing} of the rows are not in the sample")
        label = "partial"
    if any(one.count > sum(row.multiplicity for row in one.rows) for one in sources):
        label = worse(label, "truncated")
    return Witness(sources=sources, completeness=label, reasons=tuple(reasons), queries=0)


def _kept(store: Store, sample: RowSample, targets: DataFrame) -> tuple[list[RowLineage], int]:
    """What a sample has of these rows, and how many of them it does not have."""
    one, two = row_hashes(columns_of(targets.schema.jsonValue()))
    hashes = {struct.pack(">qq", row[0], row[1]) for row in targets.select(one, two).collect()}
    rows: list[RowLineage] = []
    for part in in_parts({value.hex() for value in hashes}):
        condition = f"{of_sample(sample)} and target_row in ({', '.join(f'{_binary(text)}' for text in part)})"
        rows += records_of(TABLES["row_lineage"], store.arrow("row_lineage", filter=condition))
    return rows, len(hashes - {row.target_row for row in rows})


def _binary(text: str) -> str:
    return f"X'{text}'"


def _sources(store: Store, kept: Sequence[RowLineage], values: Mapping[Known, dict[str, Any]], limit: int) -> Iterable[Source]:
    places = locations(store)
    by_source: dict[tuple[DatasetKey, int | None], list[RowLineage]] = {}
    for row in kept:
        if row.source_name is not None:
            by_source.setdefault(((row.source_namespace or "", row.source_name), row.source_version), []).append(row)
    for (dataset, version), rows in sorted(by_source.items(), key=lambda one: (one[0][0], one[0][1] or 0)):
        distinct = {known(row): row for row in rows if row.source_row_kind in _KINDS}
        told = tuple(_row(row, values.get(one, {})) for one, row in list(distinct.items())[:limit])
        times = sum(row.multiplicity or 1 for row in distinct.values())
        whole = any(row.source_row_kind == "whole" for row in rows)
        yield Source(
            namespace=dataset[0], name=dataset[1], alias=None, location=places.get(dataset), table_id=None, version=version, rows=told,
            count=max([times, *(row.source_rows or 0 for row in distinct.values())]),
            whole="all of its rows decide, says the sample" if whole else None,
        )  # fmt: skip


def _row(row: RowLineage, values: dict[str, Any]) -> SourceRow:
    kind = _KINDS[str(row.source_row_kind)]
    return SourceRow(
        kind=kind, file=row.source_file, position=row.source_position if kind == "file_row" else None,
        row_id=row.source_position if kind == "row_id" else None,
        fingerprint=row.source_fingerprint.hex() if row.source_fingerprint is not None else None, multiplicity=row.multiplicity or 1, values=values,
    )  # fmt: skip
