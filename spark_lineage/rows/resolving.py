"""What is kept of rows, brought back: the values of source rows whose ids are stored, and the witness that a sample has of a row.

Values are read from the sources with the caller's rights, and are stored nowhere.
"""

from __future__ import annotations

import struct
from collections import Counter
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
from ..store.rows import records_of
from ..store.schemas import TABLES
from ..store.tables import Store, in_parts, literal
from .identity import PREFIX, identified
from .listings import held
from .local import as_then, collected, local_frame
from .stored import of_sample, samples
from .tracing import check_identity, is_fixed, source_of, text_of
from .witness import Completeness, RowKind, Source, SourceRow, Witness, worse

_SOURCE = tuple[str, DatasetKey, int | None]
"""The execution that read it, the dataset, and its version."""
Known = tuple[_SOURCE, str, str | None, int | None, bytes | None]
"""What a source row is known by: its source, the kind, the file, the position or id, the hash of its content."""
_KINDS: Mapping[str, RowKind] = {"row_id": "row_id", "file_row": "file_row", "fingerprint": "fingerprint"}
_WANTED = StructType(
    [
        StructField("__lineage_w_file", StringType()),
        *(StructField(f"__lineage_w_{name}", LongType()) for name in ("place", "h0", "h1")),
    ]
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
            met = _met(spark, store, source, those, places, executables, key)
            values.update(met)
            if len(met) < len(those):
                failed.append(f"{len(those) - len(met)} of {len(those)} rows of {source[1][1]} are not there as they were read")
        except (LineageError, PySparkException, Py4JJavaError) as error:
            failed.append(f"{source[1][1]} cannot be read: {text_of(error)}")
    return Resolved(values, tuple(failed))


def _met(
    spark: SparkSession,
    store: Store,
    source: _SOURCE,
    wanted: set[Known],
    places: Mapping[DatasetKey, str | None],
    executables: str,
    key: str,
) -> dict[Known, dict[str, Any]]:
    """The values of rows of a source as it was read."""
    execution, dataset, version = source
    location = places.get(dataset)
    if version is None or location is None:
        return _by_plan(spark, store, source, wanted, executables, key)
    condition = f"execution_id = {literal(execution)} and namespace = {literal(dataset[0])} and name = {literal(dataset[1])}"
    tables = {row["table_id"] for row in store.arrow("inputs", ["table_id"], condition).to_pylist()} - {None}
    there = identity_of(absolute(location), version)
    if tables and there is not None and there[0] not in tables:
        raise TraceError(f"{location} is another table now: what was read is gone with the old one")
    return _values(identified(as_then(spark).read.format("delta").option("versionAsOf", version).load(location), 0), wanted)


def _by_plan(
    spark: SparkSession, store: Store, source: _SOURCE, wanted: set[Known], executables: str, key: str
) -> dict[Known, dict[str, Any]]:
    """By each leaf of the plan that reads it. Where that may have changed, only rows that are known by their content: these prove themselves."""
    execution, dataset, version = source
    found = find(store.location, execution, executables=executables, key=key)
    read: list[tuple[ExecutableLeaf, DataFrame]] = []

    def noted(leaf: ExecutableLeaf, rows: DataFrame) -> DataFrame:
        told = source_of(leaf, (), 0, None)
        if ((told.namespace, told.name), told.version) == (dataset, version):
            check_identity(leaf)
            read.append((leaf, identified(rows, 0)))
        return rows

    restore(spark, found, leaf_rows=noted)
    if not read:
        raise NotFound("the recorded plan does not read it")
    listed = held(spark, store, found)
    values: dict[Known, dict[str, Any]] = {}
    for leaf, rows in read:
        as_it_was = is_fixed(leaf) or (leaf.number in listed.known and not listed.changed)
        left = {one for one in wanted - values.keys() if as_it_was or one[1] == "fingerprint"}
        values.update(_values(rows, left) if left else {})
    return values


def _values(frame: DataFrame, wanted: set[Known]) -> dict[Known, dict[str, Any]]:
    identity = f"{PREFIX}0"
    by_kind: dict[str, dict[tuple[Any, ...], Known]] = {}
    for one in wanted:
        lanes = struct.unpack(">qq", one[4]) if one[4] is not None else (None, None)
        by_kind.setdefault(one[1], {})[(one[2], one[3], *lanes)] = one
    found: dict[Known, dict[str, Any]] = {}
    for kind, those in by_kind.items():
        ids = F.broadcast(local_frame(frame.sparkSession, list(those), _WANTED))
        met = frame.join(ids, _same(kind, identity)).dropDuplicates(_WANTED.names)
        for row in collected(met):
            values = row.asDict()
            place = tuple(values.pop(name) for name in _WANTED.names)
            del values[identity]
            found[those[place]] = values
    return found


def _same(kind: str, identity: str) -> Any:
    file, place, h0, h1 = (F.col(name) for name in _WANTED.names)
    if kind == "row_id":
        return F.col(f"{identity}.row_id") == place
    if kind == "file_row":
        return (F.col(f"{identity}.file") == file) & (F.col(f"{identity}.position") == place)
    return (F.col(f"{identity}.h0") == h0) & (F.col(f"{identity}.h1") == h1)


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
    by_source = _by_source(kept)
    told = {source: _first(rows, limit) for source, rows in by_source.items()}
    resolved = resolve(spark, store, (row for rows in told.values() for row in rows), executables=executables, key=signed_by)
    places = locations(store)
    sources = tuple(
        _source(source, rows, told[source], resolved.values, places.get(source[0])) for source, rows in by_source.items()
    )
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
    if any(_is_cut(rows) for rows in by_source.values()):
        reasons.append(
            f"the sample has at most {taken[-1].per_row} rows of each source of a row: `count` says how many there are"
        )
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


_Read = tuple[DatasetKey, int | None]


def _by_source(kept: Sequence[RowLineage]) -> dict[_Read, list[RowLineage]]:
    found: dict[_Read, list[RowLineage]] = {}
    for row in kept:
        if row.source_name is not None:
            found.setdefault(((row.source_namespace or "", row.source_name), row.source_version), []).append(row)
    return dict(sorted(found.items(), key=lambda one: (one[0][0], one[0][1] or 0)))


def _distinct(rows: Sequence[RowLineage]) -> dict[Known, RowLineage]:
    return {known(row): row for row in rows if row.source_row_kind in _KINDS}


def _first(rows: Sequence[RowLineage], limit: int) -> list[RowLineage]:
    return list(_distinct(rows).values())[:limit]


def _is_cut(rows: Sequence[RowLineage]) -> bool:
    """Whether there are more of a traced row than are kept."""
    kept = Counter(row.target_row for row in rows if row.source_row_kind != "whole")
    return any((row.source_rows or 0) > kept[row.target_row] for row in rows)


def _source(
    source: _Read,
    rows: Sequence[RowLineage],
    told: Sequence[RowLineage],
    values: Mapping[Known, dict[str, Any]],
    location: str | None,
) -> Source:
    count = sum(row.multiplicity or 1 for row in _distinct(rows).values())
    if _is_cut(rows):  # rows of one traced row may be those of another, too: so many at most
        most = {row.target_row: 0 for row in rows}
        for row in rows:
            most[row.target_row] = max(most[row.target_row], row.source_rows or 0)
        count = max(count, sum(most.values()))
    whole = any(row.source_row_kind == "whole" for row in rows)
    return Source(
        namespace=source[0][0], name=source[0][1], alias=None, location=location, table_id=None, version=source[1],
        rows=tuple(_row(row, values.get(known(row), {})) for row in told), count=count, whole="all of its rows decide, says the sample" if whole else None,
    )  # fmt: skip


def _row(row: RowLineage, values: dict[str, Any]) -> SourceRow:
    kind = _KINDS[str(row.source_row_kind)]
    return SourceRow(
        kind=kind, file=row.source_file, position=row.source_position if kind == "file_row" else None,
        row_id=row.source_position if kind == "row_id" else None,
        fingerprint=row.source_fingerprint.hex() if row.source_fingerprint is not None else None, multiplicity=row.multiplicity or 1, values=values,
    )  # fmt: skip
