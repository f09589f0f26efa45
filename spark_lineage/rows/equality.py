"""When a row of a plan, or of another version, is one that was written: value by value."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import (
    ArrayType,
    DataType,
    DoubleType,
    FloatType,
    MapType,
    StringType,
    StructField,
    StructType,
    VariantType,
)

from ..snapshot.spark import by_names, of_fixed_length

TOLERANCE = 1e-9
"""Of doubles, relative: a sum is not the same each time."""
TOLERANCE_OF_FLOATS = 1e-6


def ways_of(schema: StructType) -> tuple[bool, ...]:
    """Whether rows are meant that are near to these: first those that are the same."""
    return (False, True) if any(isinstance(field.dataType, (FloatType, DoubleType)) for field in schema) else (False,)


def uncompared(schema: StructType) -> tuple[str, ...]:
    """The columns by which rows are not told apart."""
    return tuple(field.name for field in schema if has(field.dataType, VariantType))


_EMPTY = "spark_lineage_empty"
_BINARY = "UTF8_BINARY"


def with_empty(schema: StructType, rows: Sequence[Sequence[Any]], partitioned: Callable[[], Collection[str]]) -> StructType:
    """The schema of rows of a Delta table, of which those columns are marked whose nulls may have been empty texts: Delta writes those of the
    columns by which a table is partitioned as null. `partitioned` is asked where it matters."""
    nulls = {
        field.name
        for at, field in enumerate(schema)
        if isinstance(field.dataType, StringType) and any(row[at] is None for row in rows)
    }
    marked = nulls & {*partitioned()} if nulls else nulls
    fields = (
        StructField(one.name, one.dataType, one.nullable, {**(one.metadata or {}), _EMPTY: True}) if one.name in marked else one
        for one in schema
    )
    return StructType([*fields])


def same_value(value: Column, given: DataType, wanted: Column, field: StructField, near: bool) -> Column:
    empty = F.length(value) == 0 if isinstance(given, StringType) else F.lit(False)
    value = of_fixed_length(value, field)
    if _EMPTY not in (field.metadata or {}):
        return equal(value, given, wanted, field.dataType, near)
    if given.simpleString() != field.dataType.simpleString():
        value = by_names(value, given, field.dataType).try_cast(field.dataType)
    return equal(value, field.dataType, wanted, field.dataType, near) | (wanted.isNull() & empty)


def equal(value: Column, given: DataType, wanted: Column, data_type: DataType, near: bool = True) -> Column:
    """Whether a value of that type `given` is one of a column of `data_type`. `near`: of doubles it is enough to be near to each other."""
    if given.simpleString() != data_type.simpleString():
        value = by_names(value, given, data_type).try_cast(data_type)
    if isinstance(data_type, (FloatType, DoubleType)):
        if not near:  # within a struct, of which no scan is asked: see Trees.unsigned
            return F.struct(value).eqNullSafe(F.struct(wanted))
        tolerance = TOLERANCE if isinstance(data_type, DoubleType) else TOLERANCE_OF_FLOATS
        is_near = F.abs(value - wanted) <= F.greatest(F.abs(wanted), F.lit(tolerance)) * tolerance
        return value.eqNullSafe(wanted) | (
            is_near & (F.abs(wanted) < F.lit(float("inf")))
        )  # Spark holds NaN equal to NaN, and above all else
    plain = _of_bytes(data_type)
    if plain == data_type:
        return in_order(value, data_type).eqNullSafe(in_order(wanted, data_type))
    same = in_order(value.cast(plain), plain).eqNullSafe(in_order(wanted.cast(plain), plain))
    return (
        value.eqNullSafe(wanted) & same if isinstance(data_type, StringType) else same
    )  # the former may be a key of a join, or of a group


def _of_bytes(data_type: DataType) -> DataType:
    """The type with texts of no collation, in which texts that are equal are the same."""
    if isinstance(data_type, StructType):
        return StructType([StructField(one.name, _of_bytes(one.dataType), one.nullable) for one in data_type])
    if isinstance(data_type, ArrayType):
        return ArrayType(_of_bytes(data_type.elementType), data_type.containsNull)
    if isinstance(data_type, MapType):
        return MapType(_of_bytes(data_type.keyType), _of_bytes(data_type.valueType), data_type.valueContainsNull)
    is_collated = isinstance(data_type, StringType) and data_type.collation != _BINARY
    return StringType() if is_collated else data_type


def in_order(value: Column, data_type: DataType) -> Column:
    """With maps as their entries in the order of the keys: these can be compared."""
    if not has(data_type, MapType):
        return value
    if isinstance(data_type, MapType):
        key_type, value_type = data_type.keyType, data_type.valueType
        entries = F.transform(
            F.map_entries(value),
            lambda one: F.struct(in_order(one["key"], key_type).alias("k"), in_order(one["value"], value_type).alias("v")),
        )
        return F.array_sort(entries)
    if isinstance(data_type, ArrayType):
        element_type = data_type.elementType
        return F.transform(value, lambda one: in_order(one, element_type))
    assert isinstance(data_type, StructType)
    parts = (in_order(value[field.name], field.dataType).alias(f"f{at}") for at, field in enumerate(data_type))
    return F.when(value.isNotNull(), F.struct(*parts))


def has(data_type: DataType, kind: type[DataType]) -> bool:
    """Whether it is of that type, or a part of it is."""
    if isinstance(data_type, StructType):
        return any(has(one.dataType, kind) for one in data_type)
    if isinstance(data_type, ArrayType):
        return has(data_type.elementType, kind)
    inner = isinstance(data_type, MapType) and (has(data_type.keyType, kind) or has(data_type.valueType, kind))
    return inner or isinstance(data_type, kind)


def is_comparable(data_type: DataType) -> bool:
    if isinstance(data_type, StructType):
        return all(is_comparable(one.dataType) for one in data_type)
    if isinstance(data_type, ArrayType):
        return is_comparable(data_type.elementType)
    return not isinstance(data_type, (MapType, VariantType))
