"""The columns that a write does not give. The table fills them in: with what, its schema tells, and no plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..plan.expressions import Alias, Attribute, Call, Expression, Literal
from ..plan.expressions import walk as parts_of
from ..plan.nodes import Node
from ..plan.types import fields_of
from ..plan.values import Field, Stated
from .influence import passed, union
from .naming import DatasetKey
from .relation import Column
from .value import Value
from .walk import Walk

Columns = tuple[tuple[str, Column], ...]


def filled(columns: Columns, target: DatasetKey, fields: tuple[Field, ...], node: Node, walk: Walk) -> Columns:
    """The columns of a write, and those that the table adds to them: generated ones, identities, defaults, NULL.

    `fields`: the table's columns, where the plan tells them.
    """
    commit = walk.committed.get(target)
    types = {field.name.lower(): field.data_type for field in (commit.columns if commit and commit.columns else fields)}
    columns = tuple((name, _widened(column, types.get(name.lower(), ""), walk)) for name, column in columns)
    columns += _key_column(columns, target, node, walk)
    if commit is None:
        return columns
    made = {name.lower(): (name, column) for name, column in columns}
    plain = (*(field.name for field in commit.columns), *commit.defaults, *commit.identity)
    for name in plain:
        if name.lower() in made or name in commit.generated:
            continue
        if name in commit.identity:
            column = Column(passed(walk.sources.generated), None, node.kind)
        elif name in commit.defaults:
            column = _computed(name, commit.defaults[name], {}, node, walk)
        else:
            column = Column(passed(walk.sources.literal), "NULL", node.kind)
        made[name.lower()] = name, column
    given = {name: column for name, (_, column) in made.items()}
    for name, stated in commit.generated.items():
        made.setdefault(name.lower(), (name, _computed(name, stated, given, node, walk)))
    return tuple(made.values())


def _key_column(columns: Columns, target: DatasetKey, node: Node, walk: Walk) -> Columns:
    """The column that rows were given with the hash of their key, where they were."""
    told = walk.keyed.get(target)
    given = {name.lower(): column for name, column in columns}
    if told is None or told.name.lower() in given:
        return ()
    names = _Names(given)
    known = [name for name in map(str.lower, told.key) if name in given] or list(given)
    hashed = Call("XxHash64", tuple(Attribute(_number(at)) for at, name in enumerate(given) if name in known))
    evaluated = walk.evaluate(hashed, names.columns)
    column = Column.of(evaluated.value, f"xxhash64({', '.join(told.key)})", node.kind, evaluated.parents)
    return ((told.name, column),)


def _computed(name: str, stated: Stated | None, given: Mapping[str, Column], node: Node, walk: Walk) -> Column:
    """The column that an expression of the table's gives over the columns that are written. One that is not understood may come
    from any of them."""
    names = _Names(given)
    bound = None if stated is None else names.bound(stated.expression)
    if stated is None or bound is None:
        walk.reason(f"column {name}: what the table computes it from was not understood")
        parents = tuple(given.values())
        influence = union((passed(walk.sources.unknown), *(parent.influence for parent in parents))).transformed()
        return Column(influence.only(unseen=True), stated.sql if stated else None, node.kind, parents)
    evaluated = walk.evaluate(bound, names.columns)
    return Column.of(evaluated.value, stated.sql, node.kind, evaluated.parents)


@dataclass(frozen=True, slots=True)
class _Names:
    """The columns that are written, by name, under numbers that no plan has."""

    given: Mapping[str, Column]

    @property
    def columns(self) -> dict[int, Column]:
        return {_number(position): column for position, column in enumerate(self.given.values())}

    def bound(self, expression: Expression) -> Expression | None:
        """The expression with columns in place of names. None where it names something that is not written."""
        numbers = {name: _number(position) for position, name in enumerate(self.given)}
        built: dict[int, Expression] = {}
        for part in reversed(tuple(parts_of(expression))):
            children = tuple(built[id(child)] for child in part.children)
            found: Expression | None = part
            if isinstance(part, Alias):
                found = children[0]
            elif isinstance(part, Call) and part.name == _UNRESOLVED:
                found = _named(part, numbers)
            elif isinstance(part, Call) and part.name == _EXTRACTED and isinstance(part.children[-1], Literal):
                found = Call("GetStructField", children[:1], {"field": part.children[-1].text})
            elif isinstance(part, Call):
                found = Call(part.name, children, part.arguments)
            if found is None:
                return None
            built[id(part)] = found
        return built[id(expression)]


def _named(name: Call, numbers: Mapping[str, int]) -> Expression | None:
    parts = name.arguments.get("nameParts")
    texts = tuple(part for part in parts if isinstance(part, str)) if isinstance(parts, tuple) else ()
    if not texts:
        return None
    if texts[0].lower() not in numbers:
        return Call("CurrentTimestamp") if len(texts) == 1 and texts[0].lower() in _LIKE_COLUMNS else None
    found: Expression = Attribute(numbers[texts[0].lower()])
    for field in texts[1:]:
        found = Call("GetStructField", (found,), {"field": field})
    return found


def _number(position: int) -> int:
    return -1_000_000 - position


def _widened(column: Column, data_type: str, walk: Walk) -> Column:
    """A struct that is written into one with more fields: those are NULL."""
    value = _wide(column.value, data_type, walk)
    return column if value is None else column.holding(value)


def _wide(value: Value, data_type: str, walk: Walk) -> Value | None:
    """None where nothing is added."""
    if value.fields is None:
        return None
    told = {name.lower(): inner for name, inner in fields_of(data_type)}
    inside = {name: _wide(field, told.get(name.lower(), ""), walk) for name, field in value.fields.items()}
    known = {name.lower() for name in value.fields}
    added = {name: Value(passed(walk.sources.literal)) for name, _ in fields_of(data_type) if name.lower() not in known}
    if not added and not any(inside.values()):
        return None
    fields = {name: inside[name] or field for name, field in value.fields.items()}
    return Value(value.influence, {**fields, **added})


_UNRESOLVED: Final = "org.apache.spark.sql.catalyst.analysis.UnresolvedAttribute"
_EXTRACTED: Final = "org.apache.spark.sql.catalyst.analysis.UnresolvedExtractValue"
_LIKE_COLUMNS: Final = frozenset(
    {"current_date", "current_time", "current_timestamp", "current_user", "localtimestamp", "session_user", "user"}
)
"""Functions that SQL lets be written as if they were columns."""
