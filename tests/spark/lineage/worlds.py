"""Tables to ask of: their schemas, their rows, and other rows in which one column differs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Struct:
    fields: tuple[tuple[str, Type], ...]


@dataclass(frozen=True, slots=True)
class Array:
    element: Type


@dataclass(frozen=True, slots=True)
class Map:
    """Keys are strings."""

    value: Type


Type: TypeAlias = str | Struct | Array | Map
"""A type; the simple ones are called as in SQL: INT, STRING, DOUBLE, DATE, BOOLEAN."""

Rows: TypeAlias = list[list[Any]]
"""Rows as JSON holds them: a struct is a list, a date a number of days."""

SIMPLE = ("INT", "STRING", "DOUBLE", "DATE", "BOOLEAN")
PERSON = Struct((("x", "INT"), ("y", "STRING"), ("n", Struct((("p", "INT"), ("q", "DOUBLE"))))))
ITEM = Struct((("price", "INT"), ("tag", "STRING")))
_VALUES: dict[str, tuple[Any, ...]] = {
    "INT": (0, 1, 2, 3, 4, 7),
    "STRING": ("a", "b", "c", "ab", "B"),
    "DOUBLE": (0.0, 0.5, 1.0, 2.5, -1.0),
    "DATE": (19723, 19724, 19730, 19754, 20089),
    "BOOLEAN": (True, False),
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table of `size` rows, always."""

    name: str
    columns: tuple[tuple[str, Type], ...]
    size: int

    @property
    def schema(self) -> Struct:
        return Struct(self.columns)

    @property
    def ddl(self) -> str:
        return ", ".join(f"{name} {sql_of(data_type)}" for name, data_type in self.columns)


@dataclass(frozen=True, slots=True)
class World:
    """The tables that a query may ask. Column `k` joins them, `u` is a number of the row's own."""

    number: int
    tables: tuple[Table, ...]


def world_of(number: int) -> World:
    """Worlds are few: a session is made for each."""
    chance = Random(number)
    tables = []
    for at in range(3):
        more: list[tuple[str, Type]] = [
            (f"a{at}", "INT"), (f"b{at}", "INT"), (f"s{at}", "STRING"), (f"d{at}", "DOUBLE"), (f"t{at}", "DATE"), (f"f{at}", "BOOLEAN"),
            (f"st{at}", PERSON), (f"items{at}", Array(ITEM)), (f"nums{at}", Array("INT")), (f"m{at}", Map("INT")),
        ]  # fmt: skip
        chosen = more if at == 0 else [one for one in more if chance.random() < 0.6]
        columns = (("k", "INT"), ("u", "INT"), ("g", "STRING"), *chosen)
        tables.append(Table(f"t{at}", columns, chance.randint(4, 7)))
    return World(number, tuple(tables))


def rows_of(table: Table, chance: Random) -> Rows:
    rows = [[_value(data_type, chance) for _, data_type in table.columns] for _ in range(table.size)]
    numbers = chance.sample(range(10), table.size)
    for row, number in zip(rows, numbers, strict=True):
        row[1] = number
    return rows


def sql_of(data_type: Type) -> str:
    if isinstance(data_type, Struct):
        return f"STRUCT<{', '.join(f'{name}: {sql_of(inner)}' for name, inner in data_type.fields)}>"
    if isinstance(data_type, Array):
        return f"ARRAY<{sql_of(data_type.element)}>"
    return f"MAP<STRING, {sql_of(data_type.value)}>" if isinstance(data_type, Map) else data_type


def json_of(data_type: Type) -> Any:
    """The type as Spark's JSON has it."""
    if isinstance(data_type, Struct):
        fields = [{"name": name, "type": json_of(inner), "nullable": True, "metadata": {}} for name, inner in data_type.fields]
        return {"type": "struct", "fields": fields}
    if isinstance(data_type, Array):
        return {"type": "array", "elementType": json_of(data_type.element), "containsNull": True}
    if isinstance(data_type, Map):
        return {"type": "map", "keyType": "string", "valueType": json_of(data_type.value), "valueContainsNull": True}
    return {"INT": "integer"}.get(data_type, data_type.lower())


def schema_json(table: Table) -> str:
    return json.dumps(json_of(table.schema))


def paths_of(table: Table) -> Iterator[tuple[str, ...]]:
    """All that can be changed on its own: columns, fields, and what holds fields."""
    for name, data_type in table.columns:
        yield from _paths((name,), data_type)


def _paths(path: tuple[str, ...], data_type: Type) -> Iterator[tuple[str, ...]]:
    inner = data_type.element if isinstance(data_type, Array) else data_type
    yield path
    if isinstance(inner, Struct):
        for name, field in inner.fields:
            yield from _paths((*path, name), field)


def changed(table: Table, rows: Rows, path: tuple[str, ...], kind: str, chance: Random) -> Rows:
    """The rows with what is at `path` changed: `other` values, `one` of them, `nulls`, `swapped` between rows, all `equal`; of what
    holds something `emptied` or `extended`."""
    position = [name for name, _ in table.columns].index(path[0])
    data_type = table.columns[position][1]
    if kind == "swapped":
        old = [_at(row[position], data_type, path[1:]) for row in rows]
        new = [*old[1:], *old[:1]]
    touched = chance.randrange(len(rows))
    same = _value(_type_at(data_type, path[1:]), chance, null=0)
    result = []
    for number, row in enumerate(rows):
        if kind == "one" and number != touched:
            result.append(row)
            continue

        def change(value: Any, inner: Type, number: int = number) -> Any:
            if kind == "nulls":
                return None
            if kind == "equal":
                return same
            if kind == "swapped":
                return new[number]
            if kind == "emptied":
                return [] if isinstance(inner, Array) else {} if isinstance(inner, Map) else None
            if kind == "extended":
                return _extended(value, inner, chance)
            return _other(value, inner, chance)

        result.append([*row[:position], _with(row[position], data_type, path[1:], change), *row[position + 1 :]])
    return result


def kinds_for(table: Table, path: tuple[str, ...]) -> tuple[str, ...]:
    data_type: Type = dict(table.columns)[path[0]]
    if len(path) == 1 and isinstance(data_type, (Array, Map)):
        return ("emptied", "extended", "nulls", "swapped", "other", "one")
    if isinstance(_type_at(data_type, path[1:]), Struct):
        return ("nulls", "swapped", "other", "one")
    through_array = isinstance(data_type, Array)
    return (
        ("other", "other", "one", "nulls", "equal") if through_array else ("other", "other", "one", "nulls", "equal", "swapped")
    )


def _type_at(data_type: Type, path: tuple[str, ...]) -> Type:
    for name in path:
        holder = data_type.element if isinstance(data_type, Array) else data_type
        assert isinstance(holder, Struct)
        data_type = dict(holder.fields)[name]
    return data_type


def _at(value: Any, data_type: Type, path: tuple[str, ...]) -> Any:
    """The value at a path without arrays on it."""
    for name in path:
        if value is None:
            return None
        assert isinstance(data_type, Struct)
        position = [field for field, _ in data_type.fields].index(name)
        value, data_type = value[position], data_type.fields[position][1]
    return value


def _with(value: Any, data_type: Type, path: tuple[str, ...], change: Any) -> Any:
    if not path:
        return change(value, data_type)
    if value is None:
        return None
    if isinstance(data_type, Array):
        return [_with(one, data_type.element, path, change) for one in value]
    assert isinstance(data_type, Struct)
    position = [field for field, _ in data_type.fields].index(path[0])
    inner = _with(value[position], data_type.fields[position][1], path[1:], change)
    return [*value[:position], inner, *value[position + 1 :]]


def _other(value: Any, data_type: Type, chance: Random) -> Any:
    for _ in range(20):
        new = _value(data_type, chance, null=0.05)
        if new != value:
            return new
    return None


def _extended(value: Any, data_type: Type, chance: Random) -> Any:
    if isinstance(data_type, Array):
        return [*(value or []), _value(data_type.element, chance)]
    if isinstance(data_type, Map):
        return {**(value or {}), f"z{chance.randint(0, 3)}": _value(data_type.value, chance)}
    return _other(value, data_type, chance)


def _value(data_type: Type, chance: Random, null: float = 0.12) -> Any:
    if chance.random() < null:
        return None
    if isinstance(data_type, Struct):
        return [_value(inner, chance) for _, inner in data_type.fields]
    if isinstance(data_type, Array):
        return [_value(data_type.element, chance) for _ in range(chance.choice((0, 1, 2, 2, 3)))]
    if isinstance(data_type, Map):
        return {key: _value(data_type.value, chance) for key in ("a", "b", "c") if chance.random() < 0.6}
    return chance.choice(_VALUES[data_type])
