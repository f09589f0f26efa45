"""Whether a data file may hold values that a version's columns do not name: its sum is then of those columns alone.

A null leaves no trace in a row's hash, so a file's sum holds under any schema that has the columns of its values. It does not where the
file has more than was summed: a column that was dropped, and that RESTORE brings back.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import SnapshotError
from .delta import DataFile, DeltaVersion, opened, resolved
from .kinds import Column, Kind


def has_more(table: DeltaVersion, file: DataFile, schema: pa.Schema) -> bool:
    """Whether the file, of which this is the schema, has columns, or fields of nested ones, that the version's schema has not."""
    return not _named([field for field in schema if field.name not in file.partition], table.columns)


def may_have_more(table: DeltaVersion, file: DataFile) -> bool:
    """As `has_more`, of a file that somebody else reads. True where it cannot be told."""
    try:
        system, path = opened(resolved(table.location, file.path))
        with system.open_input_file(path) as source:
            return has_more(table, file, pq.read_schema(source))
    except (SnapshotError, pa.ArrowException, OSError, ValueError):
        return True


def _named(fields: Iterable[pa.Field], columns: tuple[Column, ...]) -> bool:
    known = {column.stored: column.kind for column in columns}
    return all(field.name in known and _within(field.type, known[field.name]) for field in fields)


def _within(held: pa.DataType, kind: Kind) -> bool:
    if pa.types.is_struct(held):
        return kind.name != "struct" or _named(held, kind.parts)  # a variant is a struct, too, and whole
    if pa.types.is_map(held) and kind.name == "map":
        return _within(held.key_type, kind.parts[0].kind) and _within(held.item_type, kind.parts[1].kind)
    if pa.types.is_list(held) and kind.name == "array":
        return _within(held.value_type, kind.parts[0].kind)
    return True
