"""A folder of Parquet or ORC files, or one file: the files and rows that Spark would read there."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pyarrow.types as pat

from ..errors import SnapshotError, first_line
from ..store.listing import ListedFile, is_hidden
from .arrow_types import spark_field
from .batches import bounded, sliced
from .calendars import calendar_of
from .delta import absolute, opened
from .kinds import Column, columns_of
from .partitions import partition_of, type_of, value_of
from .sides import Side, Told

_SPARK_SCHEMA = b"org.apache.spark.sql.parquet.row.metadata"
_GREGORIAN = dt.date(1582, 10, 15)
_WIDTHS = ("byte", "short", "integer", "long"), ("float", "double")
_NEEDS_SPARK = (
    "other formats, as CSV and JSON, need Spark to be read as it reads them: `spark-submit jobs/snapshot.py --format csv` takes their "
    "checksum; to compare rows, write them as Parquet"
)


@dataclass(frozen=True, slots=True)
class _File:
    """`modified` in nanoseconds. `partition`: the texts that the folders name, below `base`."""

    path: str
    size: int
    modified: int | None
    base: tuple[str, ...]
    partition: dict[str, str]


class FilesSide(Side):
    """All files below a folder but hidden ones, with the columns that folders named `column=value` say. Names that differ in case
    alone are those of one column, as Spark has it.

    Raises SnapshotError where there are none, for other formats, and for files that are a table's of a format that tells which of
    them count.
    """

    def __init__(self, location: str, ignored: Collection[str] = ()) -> None:
        self.location = absolute(location)
        self._ignored = frozenset(name.lower() for name in ignored)
        self._system, self._root = opened(self.location)
        self._files = self._listed()
        if not self._files:
            raise SnapshotError(f"{location} has no files of data: name a folder or a file of Parquet or ORC, or a Delta table")
        self._format = ""
        self._format = self._format_of(self._files[0])
        named = self._files[0].partition
        self._there = {name.lower() for name in named}
        self._folders = frozenset(self._there)
        self._partitions = {
            name: type_of(name, {file.partition[name] for file in self._files})
            for name in named
            if name.lower() not in self._ignored
        }
        self.schema = self._schema()
        self.columns = columns_of(self.schema)
        self.left_out = frozenset(name for name in ignored if name.lower() in self._there)

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self._files)

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(file.path for file in self._files)

    @property
    def listing(self) -> frozenset[ListedFile]:
        """As `store.listing` has it."""
        return frozenset(ListedFile(file.path, file.size, (file.modified or 0) // 1_000_000) for file in self._files)

    def batches(self, columns: tuple[Column, ...], told: Told) -> Iterator[pa.RecordBatch]:
        wanted = [column.stored for column in columns]
        for file in self._files:
            with self._read(file) as source:
                for batch in self._batches(source, wanted):
                    for name in wanted:
                        if name in self._partitions:
                            kind = self._partitions[name]
                            value = pa.scalar(value_of(file.partition[name], kind), kind)
                            batch = batch.append_column(name, pa.repeat(value, batch.num_rows))
                    yield batch
            told(file.size)
        if self._listed() != self._files:
            raise SnapshotError(f"the files of {self.location} have changed while they were read; do it again")

    def _listed(self) -> list[_File]:
        selector = pafs.FileSelector(self._root, recursive=True)
        try:
            info = self._system.get_file_info(self._root)
            if info.type == pafs.FileType.NotFound:
                raise SnapshotError(
                    f"there is nothing at {self.location}: name a recorded dataset, or a folder or file that is there"
                )
            found = [info] if info.type == pafs.FileType.File else self._system.get_file_info(selector)
            found = sorted(found, key=lambda one: one.path)
        except UnicodeError as error:
            raise SnapshotError(
                f"{self.location} has names that are not UTF-8 ({error}): rename them, or leave it to Spark"
            ) from error
        except (OSError, ValueError) as error:
            raise SnapshotError(f"{self.location} cannot be listed: {first_line(error)}") from error
        files = []
        for one in found:
            parts = [] if one.path == self._root else one.path[len(self._root) :].strip("/").split("/")
            self._refuse_tables(parts)
            if one.type == pafs.FileType.File and one.size and not any(is_hidden(part) for part in parts):
                files.append(_File(one.path, one.size, one.mtime_ns, *partition_of(parts[:-1])))
        for file in files:
            first = files[0]
            if list(file.partition) != list(first.partition) or (first.partition and file.base != first.base):
                raise SnapshotError(
                    f"{file.path} is in folders of other partition columns than {first.path}: name the folder of one dataset"
                )
        return files

    def _refuse_tables(self, parts: list[str]) -> None:
        table = (
            "Delta" if "_delta_log" in parts
            else "stream" if "_spark_metadata" in parts
            else "Hudi" if ".hoodie" in parts
            else "Iceberg" if parts[-2:-1] == ["metadata"] and parts[-1].endswith(".metadata.json")
            else None
        )  # fmt: skip
        if table is None:
            return
        if table == "Delta":
            place = "/".join((self.location, *parts[: parts.index("_delta_log")]))
            raise SnapshotError(f"{place} is a Delta table, whose log tells which files count: name it by itself")
        if table == "stream":
            place = "/".join((self.location, *parts[: parts.index("_spark_metadata")]))
            raise SnapshotError(
                f"{place} is written by a stream of Spark, whose log (_spark_metadata) tells which files count: "
                f"`spark-submit jobs/snapshot.py --format parquet {place}` takes its checksum"
            )
        raise SnapshotError(
            f"{self.location} has files of a table of {table}, which needs Spark: its own log tells which count"
        )

    def _format_of(self, file: _File) -> str:
        with self._read(file) as source:
            begin = source.read(4)
        if begin == b"PAR1":
            return "parquet"
        if begin[:3] == b"ORC":
            return "orc"
        raise SnapshotError(f"{file.path} is neither Parquet nor ORC; {_NEEDS_SPARK}")

    def _schema(self) -> dict[str, Any]:
        """Of all files together: what is not in each is null where it is not."""
        fields: dict[str, dict[str, Any]] = {}
        for file in self._files:
            with self._read(file) as source:
                found = self._fields(source, file)
            found = [field for field in found if field["name"].lower() not in self._folders]
            _refuse_twins(found, file)
            for field in found:
                name = field["name"].lower()
                fields[name] = (
                    self._merged(fields[name], field | {"name": fields[name]["name"]}, file) if name in fields else field
                )
        folders = [spark_field(pa.field(name, kind)) for name, kind in self._partitions.items()]
        return {"type": "struct", "fields": [*fields.values(), *folders]}

    def _merged(self, one: dict[str, Any], other: dict[str, Any], file: _File) -> dict[str, Any]:
        if one["type"] == other["type"]:
            return one
        for widths in _WIDTHS:
            if one["type"] in widths and other["type"] in widths:
                return max(one, other, key=lambda field: widths.index(field["type"]))
        if "void" in (one["type"], other["type"]):
            return other if one["type"] == "void" else one
        if _classes(one) == _classes(other):  # nested types that differ in what may be null
            return one
        raise SnapshotError(
            f"column {one['name']} is of another type in {file.path} than in the files before it: "
            f"{json.dumps(other['type'])}, {json.dumps(one['type'])}; --ignore-column {one['name']} leaves it out"
        )

    def _fields(self, source: Any, file: _File) -> list[dict[str, Any]]:
        if self._format == "orc":
            from pyarrow import orc

            schema = orc.ORCFile(source).schema
            fields = self._wanted(schema)
            for field in fields:
                if not pat.is_date(field.type) and _means_what_its_writer_meant(field.type):
                    raise SnapshotError(
                        f"column {field.name} of {file.path} has times of ORC without a zone or dates within a nested value, which mean "
                        f"what their writer meant: they are left to Spark; --ignore-column {field.name} leaves it out"
                    )
            return [spark_field(field) for field in fields]
        parquet = _parquet(source, file)
        metadata = parquet.metadata.metadata or {}
        instants = {
            column.path.split(".")[0]
            for column in (parquet.schema.column(at) for at in range(len(parquet.schema)))
            if column.physical_type == "INT96"
        }
        stored = [spark_field(field) for field in self._wanted(parquet.schema_arrow)]
        # times in the old 96 bits are instants, though the file does not say so
        stored = [field | {"type": _instants(field["type"])} if field["name"] in instants else field for field in stored]
        written = json.loads(metadata[_SPARK_SCHEMA])["fields"] if _SPARK_SCHEMA in metadata else []
        by_spark = {field["name"]: field for field in written}
        return [by_spark[field["name"]] if _holds(by_spark.get(field["name"]), field) else field for field in stored]

    def _wanted(self, schema: pa.Schema) -> list[pa.Field]:
        self._there.update(name.lower() for name in schema.names)
        return [field for field in schema if field.name.lower() not in self._ignored]

    def _batches(self, source: Any, wanted: list[str]) -> Iterator[pa.RecordBatch]:
        asked = {name.lower(): name for name in wanted if name.lower() not in self._folders}
        if self._format == "orc":
            from pyarrow import orc

            stripes = orc.ORCFile(source)
            names = [name for name in stripes.schema.names if name.lower() in asked]
            for at in range(stripes.nstripes):
                stripe = stripes.read_stripe(at, columns=names)
                self._refuse_old_dates(stripe)
                yield from (_renamed(batch, asked) for batch in sliced(stripe))
            return
        parquet = pq.ParquetFile(source, coerce_int96_timestamp_unit="us")
        names = [name for name in parquet.schema_arrow.names if name.lower() in asked]
        yield from (_renamed(batch, asked) for batch in bounded(parquet, names))

    def _refuse_old_dates(self, stripe: pa.RecordBatch) -> None:
        """Spark writes dates to ORC in the Julian calendar where that was in use, and pyarrow does not turn them back."""
        for name, column in zip(stripe.schema.names, stripe.columns, strict=True):
            first = pc.min(column).cast(pa.int32()).as_py() if pat.is_date(column.type) else None  # Python has no year before 1
            if first is not None and first < (_GREGORIAN - dt.date(1970, 1, 1)).days:
                raise SnapshotError(
                    f"column {name} of {self.location} has a date before {_GREGORIAN} in ORC, in the calendar of its writer: it is left to "
                    f"Spark; --ignore-column {name} leaves it out"
                )

    @contextmanager
    def _read(self, file: _File) -> Iterator[Any]:
        try:
            with self._system.open_input_file(file.path) as source:
                yield source
        except (pa.ArrowException, OSError, ValueError) as error:
            raise SnapshotError(
                f"{file.path} cannot be read{f' as {self._format}' if self._format else ''}: {first_line(error)}"
            ) from error


def _holds(written: dict[str, Any] | None, stored: dict[str, Any]) -> bool:
    """Whether a column is what Spark wrote it as. Other programs keep Spark's note of its schema when they change the columns."""
    if written is None:
        return False
    special = isinstance(written["type"], str) and written["type"].startswith(("interval ", "variant"))
    return special or _classes(written) == _classes(stored)


def _parquet(source: Any, file: _File) -> pq.ParquetFile:
    parquet = pq.ParquetFile(source, coerce_int96_timestamp_unit="us")
    old = calendar_of(parquet)
    if old is not None:
        raise SnapshotError(f"{file.path} has dates or times in the calendar of Spark 2 ({old}): it is left to Spark")
    return parquet


def _refuse_twins(fields: list[dict[str, Any]], file: _File, within: str = "") -> None:
    """Names that Spark cannot tell apart: it does not look at their case (`spark.sql.caseSensitive`)."""
    seen: dict[str, str] = {}
    for field in fields:
        name = field["name"]
        if name.lower() in seen:
            raise SnapshotError(
                f"{file.path} has two columns {within}{seen[name.lower()]} and {within}{name}, which Spark cannot tell apart: write it with "
                f"other names; --ignore-column {within.partition('.')[0] or name} leaves them out"
            )
        seen[name.lower()] = name
        for struct in _structs(field["type"]):
            _refuse_twins(struct, file, f"{within}{name}.")


def _structs(kind: Any) -> Iterator[list[dict[str, Any]]]:
    """The fields of the outermost structs of a type."""
    if not isinstance(kind, dict):
        return
    if kind["type"] == "struct":
        yield kind["fields"]
    for part in ("elementType", "keyType", "valueType"):
        yield from _structs(kind.get(part))


def _renamed(batch: pa.RecordBatch, asked: dict[str, str]) -> pa.RecordBatch:
    return batch.rename_columns([asked.get(name.lower(), name) for name in batch.schema.names])


def _instants(kind: Any) -> Any:
    """A type with its times as instants."""
    if isinstance(kind, dict):
        return {name: _instants(value) if name != "name" else value for name, value in kind.items()}
    if isinstance(kind, list):
        return [_instants(one) for one in kind]
    return "timestamp" if kind == "timestamp_ntz" else kind


def _classes(field: dict[str, Any]) -> list[str]:
    (column,) = columns_of({"fields": [field]})
    found, rest = [], [column]
    while rest:
        one = rest.pop()
        found.append(f"{one.name} {one.kind.label}")
        rest += one.kind.parts
    return found


def _means_what_its_writer_meant(kind: pa.DataType) -> bool:
    if pat.is_timestamp(kind) or pat.is_date(kind):
        return pat.is_date(kind) or not kind.tz
    return any(_means_what_its_writer_meant(kind.field(at).type) for at in range(kind.num_fields))
