"""Values with floats in them: what of a row is exact, and whether the rest is near enough to that of another row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812 (its usual name)
from pyspark.sql.types import ArrayType, DataType, DoubleType, FloatType, MapType, StructType

TOLERANCE = 1e-9
OF_FLOATS = 1e-6
"""Of `float` at least so much: it has 24 bits, so that a last digit alone is more than the tolerance of doubles."""


def has_floats(data_type: DataType) -> bool:
    if isinstance(data_type, StructType):
        return any(has_floats(one.dataType) for one in data_type)
    if isinstance(data_type, ArrayType):
        return has_floats(data_type.elementType)
    if isinstance(data_type, MapType):
        return has_floats(data_type.keyType) or has_floats(data_type.valueType)
    return isinstance(data_type, (FloatType, DoubleType))


def without_floats(value: Column, data_type: DataType) -> Column:
    """The value with whether there is a float in the place of each. A map whose keys are floats is one by its size alone."""
    if isinstance(data_type, (FloatType, DoubleType)):
        return value.isNull()
    if not has_floats(data_type):
        return value
    if isinstance(data_type, ArrayType):
        element = data_type.elementType
        return F.transform(value, lambda one: without_floats(one, element))
    if isinstance(data_type, MapType):
        if has_floats(data_type.keyType):
            return F.size(value)
        of_value = data_type.valueType
        return F.transform_values(value, lambda _, one: without_floats(one, of_value))
    assert isinstance(data_type, StructType)
    parts = (without_floats(value[one.name], one.dataType).alias(one.name) for one in data_type)
    return F.when(value.isNotNull(), F.struct(*parts))


def is_near(one: Column, other: Column, data_type: DataType, tolerance: float) -> Column:
    """Whether two values, equal but for floats, are near each other: `near` in Spark."""
    if isinstance(data_type, (FloatType, DoubleType)):
        bound = F.lit(_bound(data_type, tolerance))
        first, second = one.cast("double"), other.cast("double")
        greater = F.greatest(F.abs(first), F.abs(second))
        finite = greater < F.lit(float("inf"))
        near = finite & (F.abs(first - second) <= F.greatest(greater, bound) * bound)
        return one.eqNullSafe(other) | F.coalesce(near, F.lit(False))
    if not has_floats(data_type):
        return F.lit(True)  # they are equal there
    if isinstance(data_type, ArrayType):
        element = data_type.elementType
        pairs = F.zip_with(one, other, lambda a, b: is_near(a, b, element, tolerance))
        return one.isNull() | F.forall(pairs, lambda fits: fits)
    if isinstance(data_type, MapType):
        if has_floats(data_type.keyType):
            return F.lit(False)  # such keys are not looked for: only equal rows are equal
        of_value = data_type.valueType
        fits = F.forall(F.map_entries(one), lambda entry: is_near(entry["value"], other[entry["key"]], of_value, tolerance))
        return one.isNull() | fits
    assert isinstance(data_type, StructType)
    told = F.lit(True)
    for field in data_type:
        told = told & is_near(one[field.name], other[field.name], field.dataType, tolerance)
    return one.isNull() | told


def near(one: Any, other: Any, data_type: DataType, tolerance: float) -> bool:
    """The same of values in the driver, which may differ in what is no float, too."""
    if one is None or other is None:
        return one is other
    if isinstance(data_type, (FloatType, DoubleType)):
        if one == other or (math.isnan(one) and math.isnan(other)):
            return True
        bound = _bound(data_type, tolerance)
        greater = max(abs(one), abs(other))
        return math.isfinite(greater) and abs(one - other) <= max(greater, bound) * bound
    if isinstance(data_type, ArrayType):
        return len(one) == len(other) and all(
            near(a, b, data_type.elementType, tolerance) for a, b in zip(one, other, strict=True)
        )
    if isinstance(data_type, MapType):
        if one.keys() != other.keys():
            return False
        return all(near(value, other[key], data_type.valueType, tolerance) for key, value in one.items())
    if isinstance(data_type, StructType):
        return all(near(one[field.name], other[field.name], field.dataType, tolerance) for field in data_type)
    return bool(one == other)


def paired(here: Sequence[Any], there: Sequence[Any], data_type: DataType, tolerance: float) -> dict[int, int]:
    """Positions of rows of the one and of the other that are near each other, as many pairs as there can be (augmenting paths)."""
    candidates = [[at for at, other in enumerate(there) if near(one, other, data_type, tolerance)] for one in here]
    of_there: dict[int, int] = {}
    for at in range(len(here)):
        _pair(at, candidates, of_there)
    return {at: other for other, at in of_there.items()}


def _pair(first: int, candidates: Sequence[Sequence[int]], of_there: dict[int, int]) -> None:
    """Finds a partner for one more row, where others change theirs for it. A path may be as long as there are rows: it is no recursion."""
    seen: set[int] = set()
    path = [(first, iter(candidates[first]))]
    taken: list[int] = []
    while path:
        other = next((one for one in path[-1][1] if one not in seen), None)
        if other is None:
            path.pop()
            del taken[-1:]
            continue
        seen.add(other)
        taken.append(other)
        if other not in of_there:
            of_there.update((there, at) for (at, _), there in zip(path, taken, strict=True))
            return
        path.append((of_there[other], iter(candidates[of_there[other]])))


def _bound(data_type: DataType, tolerance: float) -> float:
    return max(tolerance, OF_FLOATS) if isinstance(data_type, FloatType) and tolerance > 0 else tolerance


def plain(value: Any) -> Any:
    """A value of a row as samples have it: structs as dicts, maps as pairs."""
    if hasattr(value, "asDict"):
        return {name: plain(one) for name, one in value.asDict().items()}
    if isinstance(value, dict):
        return tuple((plain(key), plain(one)) for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(map(plain, value))
    if isinstance(value, bytearray):
        return bytes(value)
    return value
