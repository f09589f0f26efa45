"""The checksum as expressions of Spark: built-in functions alone, so that nothing of ours has to reach the executors."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from py4j.java_gateway import JavaPackage
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import ArrayType, DataType, MapType, StructField, StructType

from .kinds import LANES, MASK64, Column, Kind, columns_of, key_of
from .sums import Sums


def sums_of_frame(frame: DataFrame, columns: tuple[Column, ...] | None = None) -> Sums:
    """The checksum of the rows of a frame, in one job. Raises SnapshotError for a type without an encoding."""
    columns = columns_of(frame.schema.jsonValue()) if columns is None else columns
    row = frame.select(*row_hashes(columns)).agg(*aggregates()).first()
    assert row is not None
    return sums_from(row)


def row_hashes(columns: tuple[Column, ...]) -> list[SparkColumn]:
    """The two hashes of a row, as `h0` and `h1`."""
    return [
        _struct([(column, F.col(quoted(column.name))) for column in columns], lane).alias(f"h{lane}")
        for lane in range(len(LANES))
    ]


def aggregates() -> list[SparkColumn]:
    """What is to be aggregated over `h0` and `h1`: the number of rows, and the sum of each, modulo 2^64."""
    return [F.count(F.lit(1)).alias("rows"), *(_wrapping_sum(f"h{lane}").alias(f"sum{lane}") for lane in range(len(LANES)))]


def sums_from(row: Any) -> Sums:
    return Sums(int(row["rows"]), *(int(row[f"sum{lane}"] or 0) & MASK64 for lane in range(len(LANES))))


def _wrapping_sum(name: str) -> SparkColumn:
    """A sum of bigints that overflows as Java's does, whatever ANSI mode says: sums of halves as decimals cost a tenth more (docs/cost.md)."""
    jvm = SparkSession.active()._jvm
    assert jvm is not None
    expressions, utils = jvm.org.apache.spark.sql.catalyst.expressions, jvm.org.apache.spark.sql.classic.ExpressionUtils
    mode = getattr(getattr(expressions, "EvalMode$"), "MODULE$").LEGACY()
    if not isinstance(expressions.NumericEvalContext, JavaPackage):  # Spark 4.1
        mode = expressions.NumericEvalContext(mode, False)
    total = expressions.aggregate.Sum(utils.expression(F.col(name)._jc), mode)
    return SparkColumn(utils.column(total.toAggregateExpression()))


def _struct(fields: list[tuple[Column, SparkColumn]], lane: int) -> SparkColumn:
    always = LANES[lane]
    missing: list[SparkColumn] = []
    for column, value in fields:
        if column.kind.name == "void":
            continue
        if column.nullable:
            missing.append(F.when(value.isNull(), _long(0)).otherwise(_long(column.key(lane))))
        else:
            always ^= column.key(lane)
    mask = _long(always)
    for one in missing:
        mask = mask.bitwiseXOR(one)
    return F.xxhash64(mask, *(part for column, value in fields for part in _parts(column.kind, value, lane)))


def _parts(kind: Kind, value: SparkColumn, lane: int) -> Iterator[SparkColumn]:
    """What is hashed of a value, each null where the value is."""
    match kind.name:
        case "void":
            return
        case "struct":
            inner = _struct([(part, value.getField(part.name)) for part in kind.parts], lane)
            yield F.when(value.isNotNull(), inner)
        case "array":
            yield from _sequence(F.transform(value, lambda one: _element(kind.parts[0].kind, one, lane)))
        case "map":
            entries = F.transform(F.map_entries(value), lambda entry: _entry(kind, entry, lane))
            yield from _sequence(F.array_sort(entries))
        case "integer":
            yield value if kind.spark == "long" else value.cast("bigint")
        case "floating":
            yield value if kind.spark == "double" else value.cast("double")
        case "string":
            yield value if kind.spark == "string" else value.cast("string")
        case "variant":
            yield from _variant(value)
        case _:
            yield value


def _sequence(hashes: SparkColumn) -> Iterator[SparkColumn]:
    yield F.when(hashes.isNotNull(), F.size(hashes).cast("bigint"))
    yield hashes


def _element(kind: Kind, value: SparkColumn, lane: int) -> SparkColumn:
    if kind.name == "void":
        return _long(key_of("null", lane))
    alone = F.xxhash64(_long(LANES[lane]), *_parts(kind, value, lane))
    return F.when(value.isNull(), _long(key_of("null", lane))).otherwise(alone)


def _entry(kind: Kind, entry: SparkColumn, lane: int) -> SparkColumn:
    key, value = (_element(part.kind, entry.getField(part.name), lane) for part in kind.parts)
    return F.xxhash64(_long(LANES[lane]), key, value)


def _variant(value: SparkColumn) -> Iterator[SparkColumn]:
    """The bytes of a variant made anew: `variant_get` of the whole orders its dictionary of names as its values have them."""
    anew = F.variant_get(value, "$", "variant")
    yield _invoked(anew, "getMetadata")
    yield _invoked(anew, "getValue")


def _invoked(value: SparkColumn, method: str) -> SparkColumn:
    """A method without arguments that gives bytes, called on the object that the value is inside Spark."""
    spark = SparkSession.active()
    assert spark._jvm is not None
    utils = spark._jvm.org.apache.spark.sql.classic.ExpressionUtils
    binary = spark._jvm.org.apache.spark.sql.types.DataType.fromDDL("binary")
    expressions = spark._jvm.org.apache.spark.sql.catalyst.expressions
    nothing = spark._jvm.org.apache.spark.api.python.PythonUtils.toSeq([])
    invoke = expressions.objects.Invoke(utils.expression(value._jc), method, binary, nothing, nothing, True, True, True)
    return SparkColumn(utils.column(invoke))


def _long(number: int) -> SparkColumn:
    signed = number - (1 << 64) if number >= 1 << 63 else number
    return F.lit(signed).cast("bigint")


def quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


_FIXED = re.compile(r"char\((\d+)\)")


def of_fixed_length(value: SparkColumn, field: StructField) -> SparkColumn:
    """A text as a column of CHAR(n) has it: Spark's writers pad it, behind the plan. Other values as they are."""
    fixed = _FIXED.fullmatch(str((field.metadata or {}).get("__CHAR_VARCHAR_TYPE_STRING", "")))
    return F.rpad(value, int(fixed[1]), " ") if fixed else value


def same_names(given: Sequence[str], wanted: Sequence[str]) -> dict[int, int]:
    """By place in `wanted` the place in `given` of what has that name; where none has, of the one that has it in other letters and is called as none
    of `wanted` is."""
    exact = {name: at for at, name in enumerate(given)}
    found = {place: exact[name] for place, name in enumerate(wanted) if name in exact}
    taken = {*found.values()}
    left, open_ = defaultdict(list), defaultdict(list)
    for at, name in enumerate(given):
        if at not in taken:
            left[name.lower()].append(at)
    for place, name in enumerate(wanted):
        if place not in found:
            open_[name.lower()].append(place)
    return found | {places[0]: left[name][0] for name, places in open_.items() if len(places) == len(left[name]) == 1}


def by_names(value: SparkColumn, given: DataType, wanted: DataType) -> SparkColumn:
    """With the fields of structs in the order of another type, as Delta finds them in what was written: by their names, null where there is none.
    Other values, and structs that share no name, as they are: a cast takes these by position."""
    if given == wanted or not _structs(given):
        return value
    if isinstance(given, StructType) and isinstance(wanted, StructType):
        there = same_names(given.names, wanted.names)
        if not there:
            return value
        fields = []
        for place, field in enumerate(wanted):
            same = given[there[place]] if place in there else None
            found = F.lit(None) if same is None else by_names(value.getField(same.name), same.dataType, field.dataType)
            fields.append(found.alias(field.name))
        return F.when(value.isNotNull(), F.struct(*fields))
    if isinstance(given, ArrayType) and isinstance(wanted, ArrayType):
        one, other = given.elementType, wanted.elementType
        return F.transform(value, lambda element: by_names(element, one, other))
    if isinstance(given, MapType) and isinstance(wanted, MapType):
        if _structs(given.keyType):
            keys = given.keyType, wanted.keyType
            value = F.transform_keys(value, lambda key, _: by_names(key, *keys))
        values = given.valueType, wanted.valueType
        return F.transform_values(value, lambda _, each: by_names(each, *values))
    return value


def _structs(data_type: DataType) -> bool:
    return "struct<" in data_type.simpleString()
