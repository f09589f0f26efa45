"""The types of Arrow as Spark's, in its JSON: those that Spark's readers of Parquet and ORC give the same values."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from ..errors import SnapshotError

_ATOMS = {
    pa.int8(): "byte", pa.int16(): "short", pa.int32(): "integer", pa.int64(): "long",
    pa.uint8(): "short", pa.uint16(): "integer", pa.uint32(): "long", pa.uint64(): "decimal(20,0)",
    pa.float32(): "float", pa.float64(): "double", pa.bool_(): "boolean", pa.date32(): "date", pa.null(): "void",
    pa.string(): "string", pa.large_string(): "string", pa.string_view(): "string",
    pa.binary(): "binary", pa.large_binary(): "binary", pa.binary_view(): "binary",
}  # fmt: skip
_WIDEST = 38


def spark_field(field: pa.Field, path: str = "") -> dict[str, Any]:
    """A column in Spark's JSON. Raises SnapshotError for a type that Spark has no equal of, by its name and the column's."""
    return {
        "name": field.name,
        "type": spark_type(field.type, f"{path}{field.name}"),
        "nullable": field.nullable,
        "metadata": {},
    }


def spark_type(kind: pa.DataType, path: str) -> Any:
    if kind in _ATOMS:
        return _ATOMS[kind]
    if pat.is_timestamp(kind):
        return "timestamp" if kind.tz else "timestamp_ntz"
    if pat.is_time(kind):
        return "time(6)"
    if pat.is_decimal(kind) and kind.precision <= _WIDEST and kind.scale >= 0:
        return f"decimal({kind.precision},{kind.scale})"
    if pat.is_fixed_size_binary(kind):
        return "binary"
    if pat.is_dictionary(kind):
        return spark_type(kind.value_type, path)
    if pat.is_struct(kind):
        return {"type": "struct", "fields": [spark_field(kind.field(at), f"{path}.") for at in range(kind.num_fields)]}
    if pat.is_list(kind) or pat.is_large_list(kind):
        element = kind.value_field
        return {
            "type": "array",
            "elementType": spark_type(element.type, f"{path}.element"),
            "containsNull": element.nullable,
        }
    if pat.is_map(kind):
        return {
            "type": "map",
            "keyType": spark_type(kind.key_type, f"{path}.key"),
            "valueType": spark_type(kind.item_type, f"{path}.value"),
            "valueContainsNull": kind.item_field.nullable,
        }
    raise SnapshotError(f"column {path} is of Arrow's type {kind}, which Spark has no equal of; --ignore-column leaves it out")
