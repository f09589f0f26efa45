"""What bears on the value of an expression.

By default every child contributes, and the result is a TRANSFORMATION of it. `RULES` lists the expressions of which more is
known; to teach the resolver another one, add a line there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from ..plan.expressions import Alias, Attribute, Call, Expression, Literal, Subquery, walk
from .influence import NOTHING, Influence, Outer, Sources, passed, substitute, union
from .relation import Column, Relation

UNNAMED: Final = -1
"""The expression id of an outer reference that does not say which column it is; the subquery lists all that it takes."""

Rule: TypeAlias = Callable[[tuple[Influence, ...], Sources], Influence]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What bears on a value, and the columns that it was made from."""

    influence: Influence
    parents: tuple[Column, ...] = ()


def evaluate(
    expression: Expression, columns: Mapping[int, Column], relations: Mapping[int, Relation], sources: Sources
) -> Evaluated:
    """What bears on the expression's value over `columns`; `relations` holds the plans of its subqueries.

    A column that is not among `columns` belongs to a query around this one: a placeholder stands for it.
    """
    values: dict[int, Influence] = {}
    parents: dict[int, Column] = {}
    for current in reversed(tuple(walk(expression))):
        if isinstance(current, Attribute):
            column = columns.get(current.id)
            if column is not None:
                parents[id(column)] = column
            values[id(current)] = column.influence if column else passed(sources.bit(Outer(current.id)))
            continue
        children = tuple(values[id(child)] for child in current.children)
        if isinstance(current, Literal):
            values[id(current)] = passed(sources.literal)
        elif isinstance(current, Alias):
            values[id(current)] = children[0]
        elif isinstance(current, Subquery):
            values[id(current)] = _subquery(current, relations[current.plan], children, columns, sources)
            parents.update((id(column), column) for column in relations[current.plan].output_columns())
        else:
            values[id(current)] = _call(current, children, sources)
    return Evaluated(values[id(expression)], tuple(reversed(parents.values())))


def bare_column(expression: Expression) -> int | None:
    """The id of the column that an expression merely renames, None where it does more."""
    while isinstance(expression, Alias) or (isinstance(expression, Call) and expression.name in UNCHANGED):
        if not expression.children:
            return None
        expression = expression.children[0]
    return expression.id if isinstance(expression, Attribute) else None


def known_outer(
    bits: int, columns: Mapping[int, Column], sources: Sources, any_of: Influence = NOTHING
) -> dict[int, Influence]:
    """The placeholders among `bits` that `columns` has the answer to; `any_of` answers for a reference that names no column."""
    known = {}
    for source in sources.of(bits & sources.outer):
        if not isinstance(source, Outer):
            continue
        if source.expression_id in columns:
            known[sources.bit(source)] = columns[source.expression_id].influence
        elif source.expression_id == UNNAMED and any_of is not NOTHING:
            known[sources.bit(source)] = any_of
    return known


def _subquery(
    subquery: Subquery, inner: Relation, outer: tuple[Influence, ...], columns: Mapping[int, Column], sources: Sources
) -> Influence:
    """The value of a subquery: what its rows hold, unless only their being there counts, and what decides about them."""
    values = () if subquery.name == "Exists" else tuple(column.influence for column in inner.output_columns())
    influence = union((*values, inner.decisions))
    known = known_outer(influence.everything, columns, sources, union(outer))
    influence = substitute(influence, known) if known else influence
    return influence if subquery.name == "ScalarSubquery" else influence.transformed()


def _call(call: Call, children: tuple[Influence, ...], sources: Sources) -> Influence:
    rule = RULES.get(call.name)
    if rule is not None and (children or call.name not in UNCHANGED):
        return rule(children, sources)
    if not children:
        return passed(sources.bit(Outer(UNNAMED)) if call.name == "OuterReference" else sources.generated)
    return union(children).transformed()


def _unchanged(children: tuple[Influence, ...], sources: Sources) -> Influence:
    return union(children)


def _aggregate(children: tuple[Influence, ...], sources: Sources) -> Influence:
    """The function, then the FILTER clause where there is one."""
    deciding = tuple(child.deciding("CONDITIONAL") for child in children[1:])
    return _real(union((children[0].aggregated(), *deciding)), sources)


def _count(children: tuple[Influence, ...], sources: Sources) -> Influence:
    """A count tells how many, not what. Of rows, it has no source column."""
    influence = union(children).transformed().masked()
    return influence if influence.everything & ~sources.none else passed(sources.generated)


def _masked(children: tuple[Influence, ...], sources: Sources) -> Influence:
    return union(children).transformed().masked()


def _window(children: tuple[Influence, ...], sources: Sources) -> Influence:
    """The function over the window, then the window: partitions, order and frame."""
    deciding = tuple(child.deciding("WINDOW") for child in children[1:])
    return _real(union((children[0].transformed(), *deciding)), sources)


def _case(children: tuple[Influence, ...], sources: Sources) -> Influence:
    """Condition, value, condition, value, ..., and the value of ELSE where their number is odd."""
    tests = children[: len(children) // 2 * 2 : 2]
    values = (*children[1::2], *(children[-1:] if len(children) % 2 else ()))
    return _chosen(tests, values, sources)


def _if(children: tuple[Influence, ...], sources: Sources) -> Influence:
    return _chosen(children[:1], children[1:], sources)


def _chosen(tests: tuple[Influence, ...], values: tuple[Influence, ...], sources: Sources) -> Influence:
    deciding = tuple(test.deciding("CONDITIONAL") for test in tests)
    return _real(union((*(value.transformed() for value in values), *deciding)), sources)


def _pivot(children: tuple[Influence, ...], sources: Sources) -> Influence:
    """The pivot column, which only tells where the value goes, then the value."""
    return _chosen(children[:1], children[1:], sources)


def _generated(children: tuple[Influence, ...], sources: Sources) -> Influence:
    """A seed or a bound does not make the value come from somewhere; a column does."""
    influence = union(children)
    return influence.transformed() if influence.everything & ~sources.none else passed(sources.generated)


def _ranked(children: tuple[Influence, ...], sources: Sources) -> Influence:
    """A position in a window. Its children repeat the window's order, which bears on it as WINDOW."""
    return passed(sources.generated)


def _nothing(children: tuple[Influence, ...], sources: Sources) -> Influence:
    return union(children) if children else NOTHING


def _real(influence: Influence, sources: Sources) -> Influence:
    """Literals and generated values decide about nothing: only sources stay in the indirect lanes."""
    none = sources.none
    if not influence.indirect & none:
        return influence
    return Influence(
        influence.identity,
        influence.transformation,
        influence.aggregation,
        influence.bare,
        influence.join & ~none,
        influence.filter & ~none,
        influence.group_by & ~none,
        influence.sort & ~none,
        influence.window & ~none,
        influence.conditional & ~none,
    )


UNCHANGED: Final = frozenset({
    "AssertNotNull", "KnownNotNull", "KnownNotContainsNull", "KnownNullable", "NormalizeNaNAndZero", "OuterReference", "PromotePrecision", "TempResolvedColumn",
})  # fmt: skip
"""Wrappers that give their only child's value as it is."""

_CONDITIONALS: Final[dict[str, Rule]] = {"CaseWhen": _case, "If": _if}
_MASKS: Final = (
    "Md5", "Sha1", "Sha2", "Crc32", "XxHash64", "Murmur3Hash", "HiveHash", "CollationAwareXxHash64", "CollationAwareMurmur3Hash",
)  # fmt: skip
_COUNTS: Final = ("Count", "HyperLogLogPlusPlus", "RegrCount", "CountMinSketchAgg", "BitmapConstructAgg", "HllSketchAgg")
_GENERATED: Final = (
    "CurrentBatchTimestamp", "CurrentCatalog", "CurrentDatabase", "CurrentDate", "CurrentTime", "CurrentTimeZone", "CurrentTimestamp", "CurrentUser",
    "InputFileBlockLength", "InputFileBlockStart", "InputFileName", "LocalTimestamp", "MonotonicallyIncreasingID", "Now", "Rand", "RandStr", "Randn",
    "SessionUser", "SparkPartitionID", "SparkVersion", "UnixTimestampNow", "Uniform", "Uuid",
)  # fmt: skip
_RANKS: Final = ("CumeDist", "DenseRank", "NTile", "PercentRank", "Rank", "RowNumber")
_FRAMES: Final = ("CurrentRow$", "CurrentRow", "UnboundedFollowing$", "UnboundedFollowing", "UnboundedPreceding$", "UnboundedPreceding", "UnspecifiedFrame$", "UnspecifiedFrame", "SpecifiedWindowFrame")  # fmt: skip

RULES: Final[dict[str, Rule]] = {
    "AggregateExpression": _aggregate,
    "WindowExpression": _window,
    "PivotFirst": _pivot,
    **_CONDITIONALS,
    **dict.fromkeys(UNCHANGED, _unchanged),
    **dict.fromkeys(_MASKS, _masked),
    **dict.fromkeys(_COUNTS, _count),
    **dict.fromkeys(_GENERATED, _generated),
    **dict.fromkeys(_RANKS, _ranked),
    **dict.fromkeys(_FRAMES, _nothing),
}
