"""A table's columns in a Parquet file: under which names the file has them, and whether it may store them as it does.

The rules are those of Spark's reader: `ParquetReadSupport.clipParquetSchema` for names, `ParquetVectorUpdaterFactory` for types, among
which those are that a column has been widened from (Delta's type widening).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.types as pat

from ..errors import SnapshotError
from .kinds import Column, Kind

_IN_32_BITS = frozenset((pa.int8(), pa.int16(), pa.int32()))
_WHOLE = {
    "byte": _IN_32_BITS,
    "short": _IN_32_BITS | {pa.uint8()},
    "integer": _IN_32_BITS | {pa.uint8(), pa.uint16()},
    "long": _IN_32_BITS | {pa.uint8(), pa.uint16(), pa.uint32(), pa.int64()},
}
_FLOATS = {"float": frozenset((pa.float32(),)), "double": _IN_32_BITS | {pa.float32(), pa.float64()}}
_TEXTS = frozenset(
    (pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view())
)  # fmt: skip
"""Parquet tells texts from bytes by a mark, which some writers leave out."""
_WHOLE_IN_DECIMALS = dict.fromkeys(_IN_32_BITS, 10) | {pa.int64(): 20}
"""How many digits Spark takes whole numbers to have where they are read as decimals."""


def stored_in(schema: pa.Schema, columns: Iterable[Column], place: str) -> dict[str, pa.Field]:
    """Those of the columns that a file has: by the name that it has there, with the table's names, also of the fields within.

    A name that is nowhere in the file may be there in other letters. Raises SnapshotError where more than one column has it then,
    and for what is stored as Spark would not read it. `place` names the file in what is told.
    """
    return {schema.field(at).name: field for at, field in _fields(list(schema), columns, place, "").items()}


def as_stored(batch: pa.RecordBatch, fields: Mapping[str, pa.Field]) -> pa.RecordBatch:
    """Rows of the file with the names of `stored_in`."""
    for at, name in enumerate(batch.schema.names):
        field = fields.get(name)
        if field is not None and (field.name, field.type) != (name, batch.column(at).type):
            batch = batch.set_column(at, field.name, batch.column(at).view(field.type))
    return batch


def _fields(there: list[pa.Field], columns: Iterable[Column], place: str, path: str) -> dict[int, pa.Field]:
    found = {}
    for column in columns:
        at = _place_of(column.stored, [field.name for field in there], place, path)
        if at is not None:
            kind = _called(column.kind, there[at].type, place, f"{path}{column.name}")
            found[at] = there[at].with_type(kind).with_name(column.stored)
    return found


def _place_of(name: str, there: list[str], place: str, path: str) -> int | None:
    exact = [at for at, other in enumerate(there) if other == name]
    found = exact or [at for at, other in enumerate(there) if other.lower() == name.lower()]
    if len(found) > 1:
        raise SnapshotError(
            f"column {path}{name} is more than once in {place}, as {', '.join(there[at] for at in found)}: Spark cannot tell which is "
            "meant either; write the file anew with one of them"
        )
    return found[0] if found else None


def _called(kind: Kind, stored: pa.DataType, place: str, path: str) -> pa.DataType:
    """A type of the file with the table's names."""
    match kind.name:
        case "variant" | "void":
            return stored
        case "struct" if pat.is_struct(stored):
            named = _fields(list(stored), kind.parts, place, f"{path}.")
            return pa.struct([named.get(at, field) for at, field in enumerate(stored)])
        case "array" if pat.is_list(stored) or pat.is_large_list(stored) or pat.is_fixed_size_list(stored):
            element = stored.value_field.with_type(_called(kind.parts[0].kind, stored.value_type, place, f"{path}.element"))
            if pat.is_fixed_size_list(stored):
                return pa.list_(element, stored.list_size)
            return pa.large_list(element) if pat.is_large_list(stored) else pa.list_(element)
        case "map" if pat.is_map(stored):
            key = stored.key_field.with_type(_called(kind.parts[0].kind, stored.key_type, place, f"{path}.key"))
            return pa.map_(
                key, stored.item_field.with_type(_called(kind.parts[1].kind, stored.item_type, place, f"{path}.value"))
            )
        case _ if not _allowed(kind, _plain(stored)):
            raise SnapshotError(
                f"column {path} is stored as {stored} in {place}, which the table's schema ({kind.spark}) does not allow, and Spark does "
                "not read: the file was written past the table; restore it, or write it anew"
            )
    return stored


def _plain(stored: pa.DataType) -> pa.DataType:
    """What is within the types that Arrow has of its own."""
    if isinstance(stored, pa.BaseExtensionType):
        return _plain(stored.storage_type)
    return _plain(stored.value_type) if pat.is_dictionary(stored) else stored


def _allowed(kind: Kind, stored: pa.DataType) -> bool:
    if pat.is_null(stored):
        return True
    match kind.name:
        case "integer":
            return stored in _WHOLE[kind.spark] or (kind.spark == "long" and pat.is_duration(stored))
        case "floating":
            return stored in _FLOATS[kind.spark]
        case "boolean":
            return pat.is_boolean(stored)
        case "date":
            return stored == pa.date32()
        case "timestamp" | "timestamp_ntz":
            widened = kind.name == "timestamp_ntz" and stored == pa.date32()
            return widened or (pat.is_timestamp(stored) and stored.unit != "ns")
        case "time":
            return pat.is_time(stored) and stored.unit != "ns"
        case "interval months":
            return stored == pa.int32()
        case "interval microseconds":
            return stored == pa.int64() or pat.is_duration(stored)
        case "string" | "binary":
            return stored in _TEXTS or (kind.name == "binary" and pat.is_fixed_size_binary(stored))
        case name if name.startswith("decimal("):
            return _fits(stored, kind.spark)
        case _:
            return False


def _fits(stored: pa.DataType, decimal: str) -> bool:
    """Whether every value has a place in the decimal."""
    precision, scale = (int(number) for number in decimal[len("decimal(") : -1].split(","))
    if stored == pa.uint64():
        return (precision, scale) == (20, 0)
    if pat.is_decimal(stored):
        return stored.scale <= scale and stored.precision - stored.scale <= precision - scale
    digits = _WHOLE_IN_DECIMALS.get(stored)
    return digits is not None and digits <= precision - scale
