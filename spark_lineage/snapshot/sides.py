"""What a diff can read: a version of a Delta table here, files of Parquet or ORC and tables of PostgreSQL in modules of their own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from .delta import DataFile, DeltaVersion, batches_of
from .kinds import Column

Told = Callable[[int], None]
"""Called with the number of bytes that were read since the last call."""


class Side(ABC):
    """Rows that are the same each time they are read, as long as the side is open."""

    location: str
    columns: tuple[Column, ...]
    left_out: frozenset[str] = frozenset()
    """Columns that are there and were not looked at, since they are not asked for."""

    @property
    @abstractmethod
    def bytes(self) -> int:
        """About how many a reading of all columns takes."""

    @abstractmethod
    def batches(self, columns: tuple[Column, ...], told: Told) -> Iterator[pa.RecordBatch]:
        """All rows, a bounded number at a time, with these columns under the names that they are stored by. A batch may lack
        some: they are null then. Raises SnapshotError for what cannot be read."""

    def close(self) -> None:  # noqa: B027  most have nothing to let go of
        """Lets go of what is held."""


@dataclass(frozen=True)
class DeltaSide(Side):
    """A version of a Delta table, or those of its `files` that are to be read."""

    table: DeltaVersion
    files: tuple[DataFile, ...]

    @classmethod
    def of(cls, table: DeltaVersion) -> DeltaSide:
        return cls(table, table.files)

    @property
    def location(self) -> str:  # type: ignore[override]
        return self.table.location

    @property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return self.table.columns

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)

    def batches(self, columns: tuple[Column, ...], told: Told) -> Iterator[pa.RecordBatch]:
        wanted = [column.stored for column in columns]
        for file in self.files:
            yield from batches_of(self.table, file, wanted)
            told(file.size)

    def without(self, other: DeltaSide) -> DeltaSide:
        """Without the files that the other has too, with the same rows left out: those rows are on both sides."""
        common = {(file.path, file.deletion_vector) for file in other.files}
        return DeltaSide(self.table, tuple(file for file in self.files if (file.path, file.deletion_vector) not in common))
