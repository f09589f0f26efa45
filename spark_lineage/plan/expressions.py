"""Expressions of a captured plan, as frozen nodes.

Equality is identity: two expressions are compared by nobody, and a chain of thousands would overflow the stack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from .values import Value


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """A reference to a column, by Catalyst's expression id."""

    id: int

    @property
    def children(self) -> tuple[Expression, ...]:
        return ()


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A constant. `text` is None for SQL's NULL; `data_type` is Spark's catalogString."""

    text: str | None
    data_type: str

    @property
    def children(self) -> tuple[Expression, ...]:
        return ()


@dataclass(frozen=True, slots=True, eq=False)
class Alias:
    """A named expression: the new column `id`, called `name`."""

    id: int
    name: str
    child: Expression

    @property
    def children(self) -> tuple[Expression, ...]:
        return (self.child,)


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """Any other expression: its class name, its children, and its other arguments."""

    name: str
    children: tuple[Expression, ...] = ()
    arguments: Mapping[str, Value] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The class name without its package: that of Catalyst's own expressions is left out anyway, others' is not."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True, eq=False)
class Subquery:
    """A subquery expression: the plan node it runs, with the outer references (and for IN the tested values) as children."""

    name: str
    plan: int
    children: tuple[Expression, ...] = ()
    arguments: Mapping[str, Value] = field(default_factory=dict)


Expression: TypeAlias = Attribute | Literal | Alias | Call | Subquery


def walk(expression: Expression) -> Iterator[Expression]:
    """Every expression in the tree, parents first, left to right."""
    stack: list[Expression] = [expression]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(current.children))
