"""A folder of Parquet or ORC files, or one file: the files and rows that Spark would read there."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pyarrow.types as pat

from ..errors import SnapshotError
from .arrow_types import spark_field
from .delta import absolute, opened
from .kinds import Column, columns_of
from .sides import Side, Told

_ROWS_AT_A_TIME = 1 << 16
_OLD_CALENDAR = (b"org.apache.spark.legacyDateTime", b"org.apache.spark.legacyINT96")
_SPARK_SCHEMA = b"org.apache.spark.sql.parquet.row.metadata"
_GREGORIAN = dt.date(1582, 10, 15)
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_WIDTHS = ("byte", "short", "integer", "long"), ("float", "double")
_NEEDS_SPARK = (
    "other formats, as CSV and JSON, need Spark to be read as it reads them: `spark-submit jobs/snapshot.py --format csv` takes their "
    "checksum; to compare rows, write them as Parquet"
)


@dataclass(frozen=True, slots=True)
class _File:
    """`stamp`: what tells whether it has been written anew. `partition`: the texts that the folders name."""

    path: str
    size: int
    stamp: tuple[Any, ...]
    partition: dict[str, str | None]


class FilesSide(Side):
    """All files below a folder but hidden ones, with the columns that folders named `column=value` say.

    Raises SnapshotError where there are none, for other formats, and for files that are a table's of a format that tells which of
    them count.
    """

    def __init__(self, location: str, ignored: Collection[str] = ()) -> None:
        self.location = absolute(location)
        self._ignored = frozenset(ignored)
        self._system, self._root = opened(self.location)
        self._files = self._listed()
        if not self._files:
            raise SnapshotError(f"{location} has no files of data: name a folder or a file of Parquet or ORC, or a Delta table")
        self._format = ""
        self._format = self._format_of(self._files[0])
        self._partitions = _typed(
            {name: [file.partition.get(name) for file in self._files] for name in self._files[0].partition}
        )
        self._there: set[str] = set()
        self.schema = self._schema()
        self.columns = columns_of(self.schema)
        self.left_out = self._ignored & self._there

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self._files)

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(file.path for file in self._files)

    def batches(self, columns: tuple[Column, ...], told: Told) -> Iterator[pa.RecordBatch]:
        wanted = [column.stored for column in columns]
        for file in self._files:
            with self._read(file) as source:
                for batch in self._batches(source, wanted):
                    for name in wanted:
                        if name in self._partitions:
                            kind, read = self._partitions[name]
                            text = file.partition[name]
                            value = pa.scalar(None if text is None else read(text), kind)
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
        except OSError as error:
            raise SnapshotError(f"{self.location} cannot be listed: {first_line(error)}") from error
        files = []
        for one in sorted(found, key=lambda info: info.path):
            parts = [] if one.path == self._root else one.path[len(self._root) :].strip("/").split("/")
            self._refuse_tables(parts)
            if one.type == pafs.FileType.File and one.size and not any(_hidden(part) for part in parts):
                named = dict(_partition(part) for part in parts[:-1] if "=" in part)
                files.append(_File(one.path, one.size, (one.size, one.mtime_ns), named))
        for file in files:
            if file.partition.keys() != files[0].partition.keys():
                raise SnapshotError(
                    f"{file.path} is in folders of other partition columns than {files[0].path}: name the folder of one dataset"
                )
        return files

    def _refuse_tables(self, parts: list[str]) -> None:
        table = (
            "Delta" if "_delta_log" in parts
            else "Hudi" if ".hoodie" in parts
            else "Iceberg" if parts[-2:-1] == ["metadata"] and parts[-1].endswith(".metadata.json")
            else None
        )  # fmt: skip
        if table is None:
            return
        if table == "Delta":
            place = "/".join((self.location, *parts[: parts.index("_delta_log")]))
            raise SnapshotError(f"{place} is a Delta table, whose log tells which files count: name it by itself")
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
            for field in found:
                name = field["name"]
                if name in self._ignored or name in self._partitions:
                    continue
                fields[name] = field if name not in fields else self._merged(fields[name], field, file)
        for name, (kind, _) in self._partitions.items():
            self._there.add(name)
            if name not in self._ignored:
                fields[name] = spark_field(pa.field(name, kind))
        return {"type": "struct", "fields": list(fields.values())}

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
            self._there.update(schema.names)
            for field in schema:
                if field.name not in self._ignored and not pat.is_date(field.type) and _means_what_its_writer_meant(field.type):
                    raise SnapshotError(
                        f"column {field.name} of {file.path} has times of ORC without a zone or dates within a nested value, which mean "
                        f"what their writer meant: they are left to Spark; --ignore-column {field.name} leaves it out"
                    )
            return [spark_field(field) for field in schema if field.name not in self._ignored]
        parquet = _parquet(source, file)
        self._there.update(parquet.schema_arrow.names)
        metadata = parquet.metadata.metadata or {}
        instants = {
            column.path.split(".")[0]
            for column in (parquet.schema.column(at) for at in range(len(parquet.schema)))
            if column.physical_type == "INT96"
        }
        fields = [spark_field(field) for field in parquet.schema_arrow if field.name not in self._ignored]
        # times in the old 96 bits are instants, though the file does not say so
        fields = [field | {"type": _instants(field["type"])} if field["name"] in instants else field for field in fields]
        written = json.loads(metadata[_SPARK_SCHEMA])["fields"] if _SPARK_SCHEMA in metadata else []
        by_spark = {field["name"]: field for field in written}
        return [by_spark[field["name"]] if _holds(by_spark.get(field["name"]), field) else field for field in fields]

    def _batches(self, source: Any, wanted: list[str]) -> Iterator[pa.RecordBatch]:
        if self._format == "orc":
            from pyarrow import orc

            stripes = orc.ORCFile(source)
            there = set(stripes.schema.names) - set(self._partitions)
            for at in range(stripes.nstripes):
                stripe = stripes.read_stripe(at, columns=[name for name in wanted if name in there])
                self._refuse_old_dates(stripe)
                yield from _sliced(stripe)
            return
        parquet = pq.ParquetFile(source, coerce_int96_timestamp_unit="us")
        there = set(parquet.schema_arrow.names) - set(self._partitions)
        yield from parquet.iter_batches(batch_size=_ROWS_AT_A_TIME, columns=[name for name in wanted if name in there])

    def _refuse_old_dates(self, stripe: pa.RecordBatch) -> None:
        """Spark writes dates to ORC in the Julian calendar where that was in use, and pyarrow does not turn them back."""
        for name, column in zip(stripe.schema.names, stripe.columns, strict=True):
            first = pc.min(column).as_py() if pat.is_date(column.type) else None
            if first is not None and first < _GREGORIAN:
                raise SnapshotError(
                    f"column {name} of {self.location} has a date before {_GREGORIAN} in ORC, in the calendar of its writer: it is left to "
                    f"Spark; --ignore-column {name} leaves it out"
                )

    @contextmanager
    def _read(self, file: _File) -> Iterator[Any]:
        try:
            with self._system.open_input_file(file.path) as source:
                yield source
        except (pa.ArrowException, OSError) as error:
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
    for name in parquet.metadata.metadata or {}:
        if name in _OLD_CALENDAR:
            raise SnapshotError(f"{file.path} is written in the calendar of Spark 2 ({name.decode()}): it is left to Spark")
    return parquet


def first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")


def _hidden(part: str) -> bool:
    """As Spark has it: a folder named after a partition column may begin with an underscore."""
    return part.startswith(".") or (part.startswith("_") and "=" not in part)


def _partition(part: str) -> tuple[str, str | None]:
    name, _, value = part.partition("=")
    return unquote(name), None if value == _NO_VALUE else unquote(value)


def _typed(texts: dict[str, list[str | None]]) -> dict[str, tuple[pa.DataType, Callable[[str], Any]]]:
    """The types that Spark infers for partition columns: whole numbers, numbers, dates; everything else is text."""
    kinds: tuple[tuple[pa.DataType, Callable[[str], Any]], ...] = (
        (pa.int32(), _integer(31)),
        (pa.int64(), _integer(63)),
        (pa.float64(), _float),
        (pa.date32(), _date),
        (pa.string(), str),
    )
    return {
        name: next(kind for kind in kinds if all(_fits(kind[1], text) for text in values if text is not None))
        for name, values in texts.items()
    }


def _fits(read: Callable[[str], Any], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def _integer(bits: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.lstrip("+-").isdigit() or not -(1 << bits) <= int(text) < 1 << bits:
            raise ValueError(text)
        return int(text)

    return read


def _float(text: str) -> float:
    if not text.isascii() or not any(character.isdigit() for character in text) or "_" in text:
        raise ValueError(text)
    return float(text)


def _date(text: str) -> dt.date:
    if len(text) != len("2024-01-01"):
        raise ValueError(text)
    return dt.date.fromisoformat(text)


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


def _sliced(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, _ROWS_AT_A_TIME):
        yield batch.slice(start, _ROWS_AT_A_TIME)
