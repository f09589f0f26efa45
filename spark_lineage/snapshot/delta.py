"""A version of a Delta table as files, each with its checksum: without a JVM, through delta-rs and pyarrow.

Schemas, deletion vectors and partition values come from delta-rs; data files are read by pyarrow. What these two cannot read as
Spark does (variants, files in the calendar of Spark 2) is left to Spark, by a SnapshotError that says so.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from ..config import known_to_arrow, local_path
from ..errors import SnapshotError, first_line
from .arrow import PLAIN, without_views
from .batches import bounded
from .calendars import old_calendar
from .kinds import PHYSICAL_NAME, Column, Kind, columns_of
from .stored import as_stored, stored_in
from .sums import Summing

_DECODED = re.compile(r"%[0-9A-Fa-f]{2}|\\")
_AZURE = re.compile(r"abfss?://(?P<container>[^@/]+)@(?P<account>[^./]+)\.(?:dfs|blob)\.core\.windows\.net(?P<path>/.*)")
_AZURE_KEY = "AZURE_STORAGE_ACCOUNT_KEY"
"""From where delta-rs takes it, too."""
_OLDEST = 1_000
"""Commits that are looked through for the time of one."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A data file as a version of a table has it.

    `path` is as in Delta's log: below the table, or a whole URI. `deletion_vector` names the rows that are left out by their
    content (None: there is none), `kept` says of each row whether it is left in: a bit each, until the rows are read.
    """

    path: str
    size: int
    partition: dict[str, Any]
    deletion_vector: str | None = None
    kept: pa.BooleanArray | None = None

    @property
    def named(self) -> tuple[str, str | None]:
        """What its sum is kept by."""
        return self.path, self.deletion_vector

    def left(self, batch: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Of the file's rows from the one numbered `first` on those that are left in. A vector may end before the rows do: what
        it does not name is left in."""
        kept = None if self.kept is None else self.kept.slice(first, batch.num_rows)
        if kept is None or not kept.false_count:
            return batch
        rest = pa.repeat(True, batch.num_rows - len(kept))
        return without_views(batch).filter(pa.concat_arrays([kept, rest]))


@dataclass(frozen=True)
class DeltaVersion:
    """A table at a version. `columns` are as its schema has them then; `committed_at` is None where no log tells."""

    location: str
    version: int
    table_id: str
    committed_at: datetime | None
    schema: str
    columns: tuple[Column, ...]
    files: tuple[DataFile, ...]

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def fingerprint(self) -> str:
        """Of the set of files, from the log alone: `files:` and a hash of the sorted lines "path TAB size TAB deletion vector"."""
        lines = sorted(f"{file.path}\t{file.size}\t{file.deletion_vector or ''}\n" for file in self.files)
        return f"files:{hashlib.sha256(''.join(lines).encode()).hexdigest()[:32]}"


_LEFT_TO_SPARK = ("file stats", "table features")


def version_of(location: str, version: int | None = None, at: datetime | None = None) -> DeltaVersion:
    """The table at a version, or as it was at a time, or as it is.

    Raises SnapshotError where there is no table, or the version cannot be told any more: with what would have kept it.
    """
    place = absolute(location)
    try:
        table = DeltaTable(for_delta_rs(place))
        newest = table.version()
        if version is not None and version > newest:
            raise SnapshotError(f"{location} has no version {version}: the newest is {newest}")
        if at is not None:
            table.load_as_version(at)
        elif version is not None and version != newest:
            table.load_as_version(version)
        return _read(place, table, _committed_at(place, table, newest))
    except TableNotFoundError as error:
        raise SnapshotError(
            f"{location} is no Delta table: {first_line(error)}; name a table's folder or its dataset"
        ) from error
    except (DeltaError, OSError, ValueError) as error:
        wanted = (
            f"version {version}"
            if version is not None
            else f"the version of {at:%Y-%m-%d %H:%M:%S %Z}"
            if at
            else "the newest version"
        )
        if any(told in str(error) for told in _LEFT_TO_SPARK):
            raise SnapshotError(
                f"{wanted} of {location} is left to Spark: its log has what delta-rs cannot read ({first_line(error)})"
            ) from error
        raise SnapshotError(
            f"{wanted} of {location} cannot be read: {first_line(error)}. Logs are kept for delta.logRetentionDuration "
            "(30 days unless set), removed files for delta.deletedFileRetentionDuration (one week): longer ones would have kept it"
        ) from error


def sums_of_file(
    table: DeltaVersion, file: DataFile, scheme: Summing = PLAIN, footer: Callable[[pa.Schema], object] = lambda schema: None
) -> Any:
    """Those of the rows that the version has of the file, whose schema `footer` is told. Raises SnapshotError for what is left to
    Spark or is gone."""
    try:
        return scheme.of(batches_of(table, file, footer=footer), table.columns)
    except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
        raise SnapshotError(
            f"{file.path} of {table.location} has values that cannot be summed: {first_line(error)}; restore it where it was changed, or "
            "write it anew"
        ) from error


def only_rearranges(location: str, version: int) -> bool:
    """Whether the commit of a version adds and removes files, and says of all that the table's rows stay what they are
    (`dataChange`; https://github.com/delta-io/delta/blob/master/PROTOCOL.md, "Add File and Remove File"). False where no log tells.
    """
    actions = commit_actions(location, version) or ()
    files = [action[kind] for action in actions for kind in ("add", "remove") if action.get(kind)]
    return bool(files) and not any(file.get("dataChange", True) for file in files)


def commit_actions(location: str, version: int) -> list[dict[str, Any]] | None:
    """The actions of the commit of a version; None where no log tells."""
    system, path = opened(f"{absolute(location)}/_delta_log/{version:020}.json")
    try:
        with system.open_input_stream(path) as log:
            return [json.loads(line) for line in log.read().splitlines() if line.strip()]
    except (pa.ArrowException, OSError, ValueError):
        return None


def _committed_at(place: str, table: DeltaTable, newest: int) -> datetime | None:
    """From the log's history, which delta-rs numbers rightly only for a table that is opened at its newest version."""
    version = table.version()
    if newest - version >= _OLDEST:
        return None
    whole = table if version == newest else DeltaTable(for_delta_rs(place))
    for commit in whole.history(newest - version + 1):
        if commit.get("version") == version and commit.get("timestamp") is not None:
            return datetime.fromtimestamp(commit["timestamp"] / 1000, UTC)
    return None


def _read(place: str, table: DeltaTable, committed_at: datetime | None) -> DeltaVersion:
    schema = json.loads(table.schema().to_json())
    physical = {field["name"]: (field.get("metadata") or {}).get(PHYSICAL_NAME, field["name"]) for field in schema["fields"]}  # fmt: skip
    vectors = dict(_deletion_vectors(place, table))
    metadata = table.metadata()
    actions = pa.table(table.get_add_actions(flatten=False))
    partitioned = metadata.partition_columns
    files = []
    for action in actions.select([name for name in actions.column_names if name in _ACTION]).to_pylist():
        partition = action.get("partition") or {}
        kept = vectors.pop(known_to_arrow(resolved(place, action["path"])), None)
        files.append(
            DataFile(
                path=action["path"],
                size=action["size_bytes"],
                partition={physical[name]: partition.get(physical[name], partition.get(name)) for name in partitioned},
                deletion_vector=None if kept is None else _name_of(kept),
                kept=kept,
            )
        )
    if vectors:
        raise SnapshotError(
            f"deletion vectors of {place} are of files that its version {table.version()} does not have: {sorted(vectors)[0]}"
        )
    return DeltaVersion(
        location=place,
        version=table.version(),
        table_id=str(metadata.id),
        committed_at=committed_at,
        schema=_written(schema),
        columns=columns_of(schema),
        files=tuple(sorted(files, key=lambda file: file.path)),
    )


_ACTION = ("path", "size_bytes", "partition")


def _deletion_vectors(place: str, table: DeltaTable) -> Iterator[tuple[str, pa.BooleanArray]]:
    protocol = table.protocol()
    if "deletionVectors" not in (protocol.reader_features or ()):
        return
    for batch in pa.RecordBatchReader.from_stream(table.deletion_vectors()):
        for path, kept in zip(batch.column(0), batch.column(1), strict=True):
            yield known_to_arrow(resolved(place, path.as_py())), kept.values


def batches_of(
    table: DeltaVersion,
    file: DataFile,
    columns: Collection[str] | None = None,
    footer: Callable[[pa.Schema], object] = lambda schema: None,
) -> Iterator[pa.RecordBatch]:
    """The rows that the version has of the file, with the columns that it has of these (all of the table), called as they are
    stored. Raises SnapshotError for what is left to Spark or is gone."""
    names = {column.stored for column in table.columns} if columns is None else set(columns)
    wanted = [column for column in table.columns if column.stored in names]
    partition = {column.stored: file.partition[column.stored] for column in wanted if column.stored in file.partition}
    wanted = [column for column in wanted if column.stored not in partition]  # a file may have it too: the log's value counts
    system, path = opened(resolved(table.location, file.path))
    try:
        with system.open_input_file(path) as source:
            parquet = pq.ParquetFile(source, coerce_int96_timestamp_unit="us")
            footer(parquet.schema_arrow)
            fields = stored_in(parquet.schema_arrow, wanted, file.path)
            _refuse_old_calendar(parquet, wanted, fields, file.path)
            seen = 0
            for batch in bounded(parquet, list(fields)):
                yield _with_partition(as_stored(file.left(batch, seen), fields), partition)
                seen += batch.num_rows
    except FileNotFoundError as error:
        raise SnapshotError(
            f"{file.path} of {table.location} is gone: version {table.version} cannot be read any more. Removed files are kept for "
            "delta.deletedFileRetentionDuration (one week unless set) until VACUUM: a longer one would have kept it"
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise SnapshotError(f"{file.path} of {table.location} cannot be read: {first_line(error)}") from error


def _refuse_old_calendar(parquet: pq.ParquetFile, wanted: list[Column], fields: dict[str, pa.Field], place: str) -> None:
    there = {field.name for field in fields.values()}
    paths = [
        column.path for column in map(parquet.schema.column, range(len(parquet.schema))) if column.physical_type == "INT96"
    ]
    old = old_calendar(
        parquet.metadata.metadata,
        has_int96=any(path == name or path.startswith(f"{name}.") for path in paths for name in fields),
        has_others=any(column.stored in there and _has_days(column.kind) for column in wanted),
    )
    if old is not None:
        raise SnapshotError(f"{place} is written in the calendar of Spark 2 ({old}): it is left to Spark")


def _has_days(kind: Kind) -> bool:
    """Whether it has dates or instants: times without a zone were never of the old calendar."""
    return kind.name in ("date", "timestamp") or any(_has_days(part.kind) for part in kind.parts)


def _with_partition(batch: pa.RecordBatch, partition: dict[str, Any]) -> pa.RecordBatch:
    for name, value in partition.items():
        array = pa.nulls(batch.num_rows) if value is None else pa.repeat(value, batch.num_rows)
        batch = batch.append_column(name, array)
    return batch


def _name_of(kept: pa.BooleanArray) -> str:
    """By the numbers of the rows that are left out, so that it does not depend on where and how Delta keeps the vector."""
    return hashlib.sha256(np.flatnonzero(~kept.to_numpy(zero_copy_only=False)).astype("<i8").tobytes()).hexdigest()[:32]


def _written(schema: dict[str, Any]) -> str:
    """The schema as it is stored: Spark's JSON, of metadata only what says where a column is in the data files."""

    def plain(kind: Any) -> Any:
        if isinstance(kind, dict):
            return {name: plain(value) for name, value in kind.items() if name != "metadata" or value} | (
                {"metadata": {key: value for key, value in (kind.get("metadata") or {}).items() if key == PHYSICAL_NAME}}
                if "metadata" in kind
                else {}
            )
        return [plain(one) for one in kind] if isinstance(kind, list) else kind

    return json.dumps(plain(schema), separators=(",", ":"))


def identity_of(location: str, version: int | None = None) -> tuple[str, int] | None:
    """The table's id and the version, the newest if none is asked for, from the log alone; None where no log tells."""
    try:
        table = DeltaTable(for_delta_rs(location), version=version)
        return str(table.metadata().id), table.version()
    except (SnapshotError, DeltaError, OSError, ValueError):
        return None


def is_delta(location: str) -> bool:
    """Whether there is a Delta table in that folder."""
    try:
        return bool(DeltaTable.is_deltatable(_quoted(absolute(location))))
    except (DeltaError, OSError, ValueError):
        return False


def absolute(location: str) -> str:
    path = local_path(location)
    return location.rstrip("/") if path is None else str(Path(path).absolute())


def for_delta_rs(location: str) -> str:
    """A table's place as delta-rs takes it, whose log and files go by one name there as on the disk.

    Raises SnapshotError for a name that delta-rs decodes, however it is given: it would open the log of another folder.
    """
    place = absolute(location)
    if found := _DECODED.search(place):
        raise SnapshotError(
            f"{location} cannot be opened: delta-rs takes {found[0]} in a name for another character, so for another folder; "
            "rename it, or have Spark take the checksum (jobs/snapshot.py)"
        )
    return _quoted(place)


def _quoted(place: str) -> str:
    scheme, _, rest = known_to_arrow(place if "://" in place else f"file://{place}").partition("://")
    return f"{scheme}://{quote(rest, safe='/@:')}"


def resolved(place: str, path: str) -> str:
    """A data file's own location: paths in the log are below the table, or whole URIs, and encoded as in one."""
    if path.startswith("file:/"):
        return unquote("/" + path.removeprefix("file:").lstrip("/"))
    return unquote(path) if "://" in path or path.startswith("/") else f"{place}/{unquote(path)}"


def opened(location: str) -> tuple[Any, str]:
    """The file system that a place is on, and the path there. Raises SnapshotError."""
    if location.startswith("/"):
        return pafs.LocalFileSystem(), location
    place = known_to_arrow(location)
    try:
        return _azure(place) if place.startswith(("abfs:", "abfss:")) else pafs.FileSystem.from_uri(quote(place, safe=":/@"))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SnapshotError(f"{location} cannot be opened: {first_line(error)}") from error


def _azure(place: str) -> tuple[Any, str]:
    """With the account's key alone: pyarrow ends the whole process where it looks for other credentials and finds none, and
    tells tokens in its errors."""
    found = _AZURE.fullmatch(place)
    if found is None:
        raise ValueError("pyarrow takes places on Azure as abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH alone")
    key = os.environ.get(_AZURE_KEY, "")
    if not key:
        raise ValueError(
            f"pyarrow reads Azure with the account's key here, and {_AZURE_KEY} is not set; set it, or have Spark take the checksum "
            "(jobs/snapshot.py)"
        )
    try:
        base64.b64decode(key, validate=True)
    except ValueError:
        raise ValueError(f"{_AZURE_KEY} is no key of an account, which is Base64") from None
    return pafs.AzureFileSystem(found["account"], account_key=key), f"{found['container']}{found['path']}"
