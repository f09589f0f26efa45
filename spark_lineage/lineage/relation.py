"""What is known of the rows that a plan node gives: its columns, what decides about its rows, the datasets below it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from ..model import Subtype
from .influence import NOTHING, Bits, Influence, union
from .value import Fields, Value


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column: what bears on it, the expression that made it, the operator that did, the columns that it was made from.

    `condition` is the text of what decided about it, where that is not part of the expression. `fields`: as in `Value`.
    """

    influence: Influence
    expression: str | None = None
    step: str | None = None
    parents: tuple[Column, ...] = ()
    condition: str | None = None
    fields: Fields | None = None

    @classmethod
    def of(cls, value: Value, expression: str | None, step: str, parents: tuple[Column, ...]) -> Column:
        """The column that an operator makes of a value."""
        return cls(value.influence, expression, step, parents, None, value.fields)

    @property
    def value(self) -> Value:
        return Value(self.influence, self.fields)

    def holding(self, value: Value, taken: tuple[Column, ...] = ()) -> Column:
        """The same column with another value: what handed it on knows more of it, such as the columns that it took from outside."""
        return Column(value.influence, self.expression, self.step, (self, *taken), self.condition, value.fields)


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """Something that decides about whole rows, and so bears on every column.

    `influence` has its sources in the lane of its subtype. `order_only`: it decides about the order of the rows alone, not about
    what they hold. `spread`: about the partitions that they lie in, which is worth no edge unless something depends on it.
    """

    subtype: Subtype
    influence: Influence
    expression: str | None = None
    order_only: bool = False
    spread: bool = False

    @property
    def bits(self) -> Bits:
        return self.influence.everything


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """The conditions of a relation and of those it is made from: a shared graph, so that a deep plan copies nothing."""

    own: tuple[Condition, ...] = ()
    below: tuple[Conditions, ...] = ()

    def __iter__(self) -> Iterator[Condition]:
        """Every condition once, those nearest to the sources first."""
        ordered: list[Conditions] = []
        seen: set[int] = set()
        stack: list[tuple[Conditions, bool]] = [(self, False)]
        while stack:
            current, done = stack.pop()
            if done:
                ordered.append(current)
            elif id(current) not in seen:
                seen.add(id(current))
                stack.append((current, True))
                stack.extend((inner, False) for inner in reversed(current.below))
        for conditions in ordered:
            yield from conditions.own


NO_CONDITIONS: Final = Conditions()


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """The rows that a node gives.

    `columns` maps expression ids to columns and may hold more than the `output`, which is in the node's order. `decisions` is
    what all conditions come to; `datasets` has a bit for each reading below. `order` holds what the rows are sorted and spread by, as long
    as nothing depends on that: a LIMIT makes conditions of it.
    """

    columns: Mapping[int, Column] = field(default_factory=lambda: MappingProxyType({}))
    output: tuple[int, ...] = ()
    conditions: Conditions = NO_CONDITIONS
    decisions: Influence = NOTHING
    datasets: Bits = 0
    order: tuple[Condition, ...] = ()

    def output_columns(self) -> tuple[Column, ...]:
        return tuple(self.columns[expression_id] for expression_id in self.output)


def derived(
    children: Iterable[Relation],
    columns: Mapping[int, Column],
    output: Iterable[int],
    conditions: Iterable[Condition] = (),
    datasets: Bits = 0,
    order: tuple[Condition, ...] | None = None,
) -> Relation:
    """A relation over others: their conditions and datasets hold on, `conditions` and `datasets` are added.

    `order` replaces the order of the rows below; without it the first of the children that has one lends its own.
    """
    children = tuple(children)
    own = tuple(condition for condition in conditions if condition.bits)
    if order is None:
        order = next((child.order for child in children if child.order), ())
    below = tuple(child.conditions for child in children if child.conditions is not NO_CONDITIONS)
    for child in children:
        datasets |= child.datasets
    return Relation(
        columns=columns,
        output=tuple(output),
        conditions=_combined(own, below),
        decisions=union((*(child.decisions for child in children), *(condition.influence for condition in own))),
        datasets=datasets,
        order=order,
    )


def order_decides(child: Relation) -> tuple[Condition, ...]:
    """What the rows are sorted by, as conditions of what depends on their order."""
    return tuple(replace(condition, order_only=False, spread=False) for condition in child.order)


def _combined(own: tuple[Condition, ...], below: tuple[Conditions, ...]) -> Conditions:
    if not own and len(below) <= 1:
        return below[0] if below else NO_CONDITIONS
    return Conditions(own, below)
