"""Records to Arrow tables and back, column by column in the order of the schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import pyarrow as pa

from .schemas import TableSchema


def arrow_of(table: TableSchema, records: Sequence[Any]) -> pa.Table:
    """One row a record. Raises TypeError for a record of another table."""
    for record in records:
        if not isinstance(record, table.record):
            raise TypeError(f"{table.name} holds {table.record.__name__} records, not {type(record).__name__}")
    columns = [pa.array([_plain(getattr(record, field.name)) for record in records], type=field.type) for field in table.arrow]
    return pa.Table.from_arrays(columns, schema=table.arrow)


def records_of(table: TableSchema, rows: pa.Table) -> list[Any]:
    """One record a row; lists come back as tuples and maps as dicts, as records have them. No nested records."""
    columns = {name: rows.column(name).to_pylist() for name in rows.column_names}
    maps = {field.name for field in table.arrow if pa.types.is_map(field.type)}
    return [
        table.record(**{name: _recorded(values[i], name in maps) for name, values in columns.items()})
        for i in range(rows.num_rows)
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


def _recorded(value: Any, is_map: bool) -> Any:
    if isinstance(value, list):
        return dict(value) if is_map else tuple(value)
    return value
