"""What an expression is evaluated in, and what a rule for one is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ..model import Subtype
from ..plan.expressions import Alias, Attribute, Call, Expression
from ..plan.values import Field
from .catalyst import known_as
from .influence import NOTHING, Influence, Sources, decided_by, union
from .relation import Relation
from .value import Value


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """What an expression is evaluated in: the plans of its subqueries, the types of columns, the functions that mask."""

    sources: Sources
    relations: Mapping[int, Relation]
    attributes: Mapping[int, Field]
    masks: frozenset[str] = frozenset()
    """Names of the user's own functions that mask what they are given, in lower case."""
    reasons: dict[str, None] = field(default_factory=dict)
    """What could not be seen, for whoever evaluates to note on the way."""

    def reason(self, text: str) -> None:
        """Notes what could not be seen."""
        self.reasons[text] = None

    def deciding(self, values: Iterable[Value], subtype: Subtype = "CONDITIONAL") -> Influence:
        """What some values come to where they only decide. Literals and generated values decide nothing."""
        found = []
        for value in values:
            bits = value.influence.everything & ~self.sources.none
            if bits:
                found.append(decided_by(bits, subtype, value.influence))
        return union(found) if found else NOTHING

    def rest(self, given: Iterable[Value], made: Value) -> Influence:
        """What was given and is not in what was made of it: it decides how much of that there is, if any."""
        whole = union(value.influence for value in given)
        bits = whole.everything & ~(made.influence.everything | self.sources.none)
        return decided_by(bits, "CONDITIONAL", whole) if bits else NOTHING

    def is_mask(self, call: Call) -> bool:
        """Whether the user named this function among those that mask; one of a catalog by its last part too."""
        name = call.arguments.get("name") or call.arguments.get("udfName")
        return isinstance(name, str) and not self.masks.isdisjoint((name.lower(), name.lower().rpartition(".")[2]))


Rule: TypeAlias = Callable[[tuple[Influence, ...], Sources], Influence]
"""From what bears on the children to what bears on the expression."""

Structure: TypeAlias = Callable[[Call, tuple[Value, ...], Scope], Value]
"""A rule that keeps fields apart."""

UNCHANGED: Final = frozenset({
    "AssertNotNull", "CheckOverflowInTableInsert", "CheckOverflowInTableWrite", "CommonExpressionDef", "IncrementMetric",
    "KnownFloatingPointNormalized", "KnownNotContainsNull", "KnownNotNull", "KnownNullable", "NormalizeNaNAndZero", "OuterReference",
    "OuterScopeReference", "PipeExpression", "TempResolvedColumn", "UnaryPositive",
})  # fmt: skip
"""Wrappers that give their only child's value as it is."""


def is_unchanged(call: Call) -> bool:
    """Whether a call gives its first child's value as it is. A CHAR column's value is the padded one, whatever its files hold."""
    return known_as(call.name) in UNCHANGED or (
        call.name == "StaticInvoke" and call.arguments.get("functionName") == "readSidePadding"
    )


def bare_column(expression: Expression) -> int | None:
    """The id of the column that an expression merely renames, None where it does more."""
    while isinstance(expression, Alias) or (isinstance(expression, Call) and is_unchanged(expression)):
        if not expression.children:
            return None
        expression = expression.children[0]
    return expression.id if isinstance(expression, Attribute) else None
