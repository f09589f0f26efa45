"""Sums of parts of a version, so that a difference names where it is: a sum for each column, or for each group of rows.

Of a column: the checksum of the version as if it had no other. Of a group: that of its rows; the groups' sums add up to the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat

from ..errors import SnapshotError
from ..model import Snapshot, SnapshotPart
from ..store.tables import Store, literal
from .arrow import PLAIN, row_hashes, values_of
from .delta import DeltaVersion, sums_of_file, version_of
from .kinds import ALGORITHM, Column
from .python_values import python_value
from .sums import Progress, Sums
from .xxh64 import Words

MOST_GROUPS = 10_000
"""More would be a copy of the table rather than a summary of it."""
_NOTHING = Sums(0, 0, 0)
_GROUPED = {"integer", "string", "boolean", "date", "timestamp", "timestamp_ntz"}
_ROWS_AT_A_TIME = 1 << 16
_BY = re.compile(r"(?P<column>.+?)(?:/(?P<width>[1-9][0-9]*))?")


@dataclass(frozen=True)
class Parts:
    """The sums of parts, by the parts' names, and that of the rows that were read for them. Those of two lots of rows add up."""

    sums: Mapping[str, Sums] = field(default_factory=dict)
    read: Sums = field(default=_NOTHING, compare=False)
    """Of all columns of these rows; of no rows where the sums are kept ones."""

    @property
    def whole(self) -> Sums:
        """Of groups, what they add up to."""
        return sum(self.sums.values(), _NOTHING)

    def __add__(self, other: Parts) -> Parts:
        names = {**self.sums, **other.sums}
        sums = {name: self.sums.get(name, _NOTHING) + other.sums.get(name, _NOTHING) for name in names}
        return Parts(sums, self.read + other.read)

    def differing(self, other: Parts) -> tuple[str, ...]:
        """The names of the parts that are not the same in both."""
        return tuple(sorted(name for name in {**self.sums, **other.sums} if self.sums.get(name) != other.sums.get(name)))


@dataclass(frozen=True, slots=True)
class ByColumn:
    """A sum for each column."""

    algorithm: str = ALGORITHM
    grouping: str | None = None

    @property
    def zero(self) -> Parts:
        return Parts()

    def of(self, batches: Iterable[pa.RecordBatch], columns: tuple[Column, ...]) -> Parts:
        total = Parts({column.name: PLAIN.zero for column in columns})
        for batch in batches:
            for column in columns:
                total += Parts({column.name: PLAIN.of([batch], (column,))})
            total += Parts(read=PLAIN.of([batch], columns))
        return total


@dataclass(frozen=True, slots=True)
class ByGroup:
    """A sum for each value of a column, or for each range of `width` of an integer one: from a multiple of it to below the next.

    `known` are groups that are to be told apart however many others there are.
    """

    column: str
    width: int | None = None
    algorithm: str = ALGORITHM
    known: frozenset[str] | None = None

    @classmethod
    def parsed(cls, text: str) -> ByGroup:
        """``day`` or ``id/100000``; a column whose name ends so is not reached."""
        found = _BY.fullmatch(text)
        if found is None:
            raise SnapshotError(f"{text!r} names no column to group by; give COLUMN, or COLUMN/WIDTH for ranges of an integer")
        return cls(found["column"], int(found["width"]) if found["width"] else None)

    @property
    def grouping(self) -> str:
        return self.column if self.width is None else f"{self.column}/{self.width}"

    @property
    def zero(self) -> Parts:
        return Parts()

    def of(self, batches: Iterable[pa.RecordBatch], columns: tuple[Column, ...]) -> Parts:
        """Raises SnapshotError for a column that is not there, or cannot be grouped by, or has too many values."""
        by = self.checked(columns)
        total: dict[str, Sums] = {}
        read = _NOTHING
        for whole in batches:
            for start in range(0, whole.num_rows, _ROWS_AT_A_TIME):
                batch = whole.slice(start, _ROWS_AT_A_TIME)
                names, groups = self._groups(batch, by)
                hashes = row_hashes(batch, columns)
                for name, sums in zip(names, _summed(hashes, groups, len(names)), strict=True):
                    total[name] = total.get(name, _NOTHING) + sums
                read += Sums.of(hashes)
                total = self.bounded(total)
        return Parts(total, read)

    def bounded(self, sums: dict[str, Sums]) -> dict[str, Sums]:
        """No more groups than are kept: where there are `known` ones, the others are made one."""
        if len(sums) <= MOST_GROUPS:
            return sums
        if self.known is None:
            raise SnapshotError(
                f"{self.grouping} makes more than {MOST_GROUPS} groups; COLUMN/WIDTH makes ranges of an integer"
            )
        found = {name: one for name, one in sums.items() if name in self.known}
        others = (one for name, one in sums.items() if name not in self.known)
        return {**found, f"{self.column} has other values": sum(others, _NOTHING)}

    def checked(self, columns: tuple[Column, ...]) -> Column:
        """The column to group by."""
        found = next((column for column in columns if column.name == self.column), None)
        if found is None:
            raise SnapshotError(
                f"there is no column {self.column} to group by; there are {', '.join(one.name for one in columns)}"
            )
        if found.kind.name not in _GROUPED or (self.width is not None and found.kind.name != "integer"):
            what = "in ranges " if self.width is not None else ""
            raise SnapshotError(f"{self.column} is of type {found.kind.spark}, which rows are not grouped by {what}here")
        return found

    def name_of(self, value: object) -> str:
        """Of the group with this value, or whose range begins with it."""
        if value is None:
            return f"{self.column} is null"
        return f"{self.column}={value}" if self.width is None else f"{self.column}={value}..{int(str(value)) + self.width - 1}"

    def _groups(self, batch: pa.RecordBatch, by: Column) -> tuple[list[str], npt.NDArray[np.int64]]:
        """The names of the groups, and of each row the number of its group."""
        if by.stored not in batch.schema.names:
            return [self.name_of(None)], np.zeros(batch.num_rows, np.int64)
        array = values_of(batch.column(by.stored)).array
        if self.width is not None:
            numbers = array.cast(pa.int64())
            begins = np.floor_divide(numbers.fill_null(0).to_numpy(zero_copy_only=False), self.width) * self.width
            array = pa.array(begins, mask=numbers.is_null().to_numpy(zero_copy_only=False))
        encoded = array.dictionary_encode(null_encoding="encode")
        texts = [self.name_of(_text(value)) for value in encoded.dictionary]
        return texts, encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _text(value: pa.Scalar) -> str | None:
    """As Spark writes a value of these types in UTC."""
    if pat.is_timestamp(value.type):
        value = value.cast(pa.timestamp(value.type.unit))
    plain = python_value(value, " ")
    if isinstance(plain, datetime):
        return plain.isoformat(sep=" ")
    if isinstance(plain, bool):
        return str(plain).lower()
    return None if plain is None else str(plain)


def _summed(hashes: Words, groups: npt.NDArray[np.int64], count: int) -> Iterable[Sums]:
    rows = np.bincount(groups, minlength=count)
    lanes = np.zeros((len(hashes), count), np.uint64)
    for lane, total in zip(hashes, lanes, strict=True):
        np.add.at(total, groups, lane)
    return (Sums(int(rows[at]), int(lanes[0, at]), int(lanes[1, at])) for at in range(count))


def parts_of(table: DeltaVersion, scheme: ByColumn | ByGroup, progress: Progress | None = None) -> Parts:
    """The parts' sums of a version, every data file read."""
    if isinstance(scheme, ByGroup):
        scheme.checked(table.columns)
    total, done = scheme.zero, 0
    for file in table.files:
        total += sums_of_file(table, file, scheme)
        if isinstance(scheme, ByGroup):
            total = replace(total, sums=scheme.bounded(dict(total.sums)))
        done += file.size
        if progress is not None:
            progress(done, table.bytes)
    return total


def take_parts(
    store: Store, of: Snapshot, location: str, scheme: ByColumn | ByGroup, progress: Progress | None = None
) -> Parts:
    """The sums of the parts of a version whose checksum is kept, beside which they are put. What is known is not read again.

    Raises SnapshotError where the version is not what its checksum is of.
    """
    known = kept_parts(store, of).get(scheme.grouping)
    if known is not None:
        return known
    parts = parts_of(version_of(location, of.delta_version), scheme, progress)
    if (parts.read.rows, parts.read.checksum) != (of.row_count, of.checksum):
        raise SnapshotError(
            f"version {of.delta_version} of {of.name} is not what its checksum is of: `spark-lineage snapshot verify` tells more"
        )
    _keep_parts(store, of, scheme, parts)
    return parts


def differing_parts(store: Store, table: DeltaVersion, recorded: Snapshot) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns and the groups of a version that differ from those whose sums are kept, each data file read for them.

    A content that has changed may have more groups than are kept: those that are not are one then.
    """
    columns: tuple[str, ...] = ()
    groups: list[str] = []
    for grouping, parts in kept_parts(store, recorded).items():
        if grouping is None:
            columns = parts.differing(parts_of(table, ByColumn()))
        else:
            scheme = replace(ByGroup.parsed(grouping), known=frozenset(parts.sums))
            groups += parts.differing(parts_of(table, scheme))
    return columns, tuple(groups)


def _keep_parts(store: Store, of: Snapshot, scheme: ByColumn | ByGroup, parts: Parts) -> None:
    rows = [
        SnapshotPart(
            namespace=of.namespace, name=of.name, table_id=of.table_id, delta_version=of.delta_version, algorithm=ALGORITHM,
            schema_hash=str(of.schema_hash), grouping=scheme.grouping, part=name, row_count=sums.rows, checksum=sums.checksum,
            computed_at=datetime.now(UTC),
        )
        for name, sums in parts.sums.items()
    ]  # fmt: skip
    store.append("snapshot_parts", rows, None)


def kept_parts(store: Store, of: Snapshot) -> dict[str | None, Parts]:
    """What is kept of a version, by grouping; under None the sums of its columns."""
    if of.table_id is None or of.delta_version is None:
        return {}
    condition = f"table_id = {literal(of.table_id)} and delta_version = {of.delta_version} and algorithm = {literal(ALGORITHM)}"
    found: dict[str | None, dict[str, Sums]] = {}
    for row in store.arrow("snapshot_parts", filter=condition).to_pylist():
        if row["schema_hash"] == of.schema_hash:
            found.setdefault(row["grouping"], {})[row["part"]] = Sums.parse(row["row_count"], row["checksum"])
    return {grouping: Parts(sums) for grouping, sums in found.items()}
