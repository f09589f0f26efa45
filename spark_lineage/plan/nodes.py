"""Nodes of a captured plan, frozen, as Catalyst names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .expressions import Expression
from .values import (
    CatalogTable,
    Field,
    FileRelation,
    Location,
    Name,
    PlanRef,
    Stated,
    TextMap,
    V2Table,
    Value,
)

LEFT_OUT = "LeftOut"
"""The class name of the node that stands for rows that a document left out."""


class MissingFieldError(LookupError):
    """A node has no such field, or one of another kind: this release of Spark names it otherwise than the handler."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operator or command.

    `output` lists the expression ids it gives, None where they follow from the node. `plans` are the nodes its fields
    refer to, `subqueries` those that its expressions run.
    """

    id: int
    class_name: str
    children: tuple[int, ...] = ()
    output: tuple[int, ...] | None = None
    fields: Mapping[str, Value] = field(default_factory=dict)
    plans: tuple[int, ...] = ()
    subqueries: tuple[int, ...] = ()

    @property
    def kind(self) -> str:
        """The class name without its package."""
        return self.class_name.rstrip("$").rsplit(".", 1)[-1].rsplit("$", 1)[-1]

    @property
    def references(self) -> tuple[int, ...]:
        """Every node that this one leads to."""
        return self.children + self.plans + self.subqueries

    @property
    def child(self) -> int:
        """The only child. Raises `MissingFieldError` where there are none or several."""
        if len(self.children) != 1:
            raise MissingFieldError(f"{self.kind} has {len(self.children)} children")
        return self.children[0]

    def expressions(self, name: str) -> tuple[Expression, ...]:
        """The expressions of a list field. Raises `MissingFieldError`."""
        return tuple(stated.expression for stated in self.stated(name))

    def stated(self, name: str) -> tuple[Stated, ...]:
        """The expressions of a list field, each with its SQL. Raises `MissingFieldError`."""
        value = self.fields.get(name)
        if not isinstance(value, tuple):
            raise MissingFieldError(f"{self.kind} has no list {name}")
        return tuple(item for item in _flatten(value) if isinstance(item, Stated))

    def expression(self, name: str) -> Stated | None:
        """The expression of an optional field, None where it is absent. Raises `MissingFieldError` for another kind of value."""
        value = self.fields.get(name)
        if value is None or isinstance(value, Stated):
            return value
        raise MissingFieldError(f"{self.kind}.{name} is no expression")

    def all_stated(self) -> tuple[Stated, ...]:
        """Every expression in any field."""
        return tuple(item for item in _flatten(tuple(self.fields.values())) if isinstance(item, Stated))

    def plan(self, name: str) -> int | None:
        """The id of the plan that a field refers to."""
        value = self.fields.get(name)
        return value.id if isinstance(value, PlanRef) else None

    def plan_schema(self, name: str) -> tuple[Field, ...]:
        """The schema that comes with a plan reference, empty where none does."""
        value = self.fields.get(name)
        return value.schema if isinstance(value, PlanRef) else ()

    def text(self, name: str) -> str | None:
        value = self.fields.get(name)
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if isinstance(value, (str, int, float)) else None

    def flag(self, name: str) -> bool:
        return self.fields.get(name) in (True, "true")

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.fields.get(name)
        return tuple(item for item in value if isinstance(item, str)) if isinstance(value, tuple) else ()

    def options(self, name: str = "options") -> Mapping[str, str]:
        """A map of text to text; keys in lower case, as data source options are compared."""
        value = self.fields.get(name)
        entries = value.entries if isinstance(value, TextMap) else {}
        return {key.lower(): item for key, item in entries.items() if isinstance(item, str)}

    def table(self, name: str) -> CatalogTable | None:
        value = self.fields.get(name)
        return value if isinstance(value, CatalogTable) else None

    def relation(self, name: str = "relation") -> FileRelation | None:
        value = self.fields.get(name)
        return value if isinstance(value, FileRelation) else None

    def v2table(self, name: str = "table") -> V2Table | None:
        value = self.fields.get(name)
        return value if isinstance(value, V2Table) else None

    def name(self, name: str) -> tuple[str, ...] | None:
        value = self.fields.get(name)
        return value.parts if isinstance(value, Name) else None

    def path(self, name: str) -> str | None:
        value = self.fields.get(name)
        return value.path if isinstance(value, Location) else None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A plan: its nodes by id, every node after those it refers to.

    `attributes` holds name, type and nullability of expression ids.
    """

    root: int
    nodes: Mapping[int, Node]
    attributes: Mapping[int, Field]

    def name_of(self, expression_id: int) -> str:
        """The column's name, or ``#<id>`` for one that the document does not describe."""
        attribute = self.attributes.get(expression_id)
        return attribute.name if attribute else f"#{expression_id}"


def _flatten(value: tuple[Value, ...]) -> list[Value]:
    flat: list[Value] = []
    stack: list[Value] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, tuple):
            stack.extend(reversed(item))
        elif isinstance(item, TextMap):
            stack.extend(reversed(tuple(item.entries.values())))
        else:
            flat.append(item)
    return flat
