"""What bears on the value of an expression.

By default every child contributes, and the result is a TRANSFORMATION of it. `RULES` lists the expressions of which more is
known, `structures.py` those that keep the fields of structs apart; to teach the resolver another one, add a line there. Those that
the default is right for are in the groups of `catalyst.py`; one that is nowhere was never seen, and is taken the unknown way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from ..plan.expressions import Alias, Attribute, Call, Expression, Literal, Subquery, walk
from .catalyst import known_as
from .declared import EVERY, ROWS, UnfitError, declaration_of, fitted, passed_to
from .influence import INDIRECT, NOTHING, Influence, Outer, Sources, decided_by, passed, union, without
from .relation import Column
from .scope import Rule, Scope, is_unchanged
from .scoring import applies_model
from .structures import STRUCTURES, schema_fields
from .value import Value, struct_of

USER_FUNCTIONS: Final = frozenset(
    {
        "PythonUDF",
        "PythonUDAF",
        "PythonUDTF",
        "ScalaUDF",
        "ScalaAggregator",
        "HiveSimpleUDF",
        "HiveGenericUDF",
        "HiveUDAFFunction",
        "HiveGenericUDTF",
        "ScalaUDAF",
        "SimpleTypedAggregateExpression",
        "ComplexTypedAggregateExpression",
        "Invoke",
        "StaticInvoke",
        "ApplyFunctionExpression",
        "V2Aggregator",
    }
)
"""Functions whose code no plan holds."""

UNNAMED: Final = -1
"""The expression id of an outer reference that does not say which column it is; the subquery lists all that it takes."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What bears on a value, and the columns that it was made from."""

    value: Value
    parents: tuple[Column, ...] = ()

    @property
    def influence(self) -> Influence:
        return self.value.influence


def evaluate(expression: Expression, columns: Mapping[int, Column], scope: Scope) -> Evaluated:
    """What bears on the expression's value over `columns`.

    A column that is not among `columns` belongs to a query around this one, or is a lambda's variable: a placeholder stands for it.
    """
    if isinstance(expression, Attribute) and expression.id in columns:
        column = columns[expression.id]
        return Evaluated(column.value, (column,))
    values: dict[int, Value] = {}
    parents: dict[int, Column] = {}
    for current in reversed(tuple(walk(expression))):
        if isinstance(current, Attribute):
            column_ = columns.get(current.id)
            if column_ is not None:
                parents[id(column_)] = column_
            values[id(current)] = column_.value if column_ else Value(passed(scope.sources.bit(Outer(current.id))))
            continue
        children = tuple(values[id(child)] for child in current.children)
        if isinstance(current, Literal):
            values[id(current)] = Value(passed(scope.sources.literal))
        elif isinstance(current, Alias):
            values[id(current)] = children[0]
        elif isinstance(current, Subquery):
            values[id(current)] = _subquery(current, children, columns, scope)
            parents.update((id(column), column) for column in scope.relations[current.plan].output_columns())
        else:
            values[id(current)] = _call(current, children, scope)
    return Evaluated(values[id(expression)], tuple(reversed(parents.values())))


def known_outer(
    bits: int, columns: Mapping[int, Column], sources: Sources, any_of: Influence = NOTHING
) -> dict[int, Influence]:
    """The placeholders among `bits` that `columns` has the answer to; `any_of` answers for a reference that names no column."""
    known = {}
    for source in sources.of(bits & sources.outer):
        if not isinstance(source, Outer):
            continue
        if source.expression_id in columns:
            known[sources.bit(source)] = columns[source.expression_id].value.at(source.path, sources).influence
        elif source.expression_id == UNNAMED and any_of is not NOTHING:
            known[sources.bit(source)] = any_of
    return known


def settled(value: Value, columns: Mapping[int, Column], sources: Sources, any_of: Influence = NOTHING) -> Value:
    """A value with the placeholders that `columns` has the answer to put in place."""
    known = known_outer(value.everything, columns, sources, any_of)
    return value.substituted(known) if known else value


def _subquery(subquery: Subquery, outer: tuple[Value, ...], columns: Mapping[int, Column], scope: Scope) -> Value:
    """The value of a subquery: what its rows hold, unless only their being there counts, and what decides about them."""
    inner = scope.relations[subquery.plan]
    values = () if subquery.name == "Exists" else tuple(column.value for column in inner.output_columns())
    taken = union(value.influence for value in outer)
    if subquery.name == "ScalarSubquery" and len(values) == 1:
        return settled(values[0].and_also(inner.decisions), columns, scope.sources, taken)
    influence = union((*(value.influence for value in values), inner.decisions))
    influence = settled(Value(influence), columns, scope.sources, taken).influence
    if known_as(subquery.name) is None:
        return _unseen(subquery.name, union((influence, taken)), scope)
    return Value(influence.transformed())


def _call(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    name = known_as(call.name)
    if name is None:
        return _unseen(call.name, union(child.influence for child in children), scope)
    if children and is_unchanged(call):
        return children[0]
    if name in USER_FUNCTIONS:
        return _user_function(call, children, scope)
    structure = STRUCTURES.get(name)
    if structure is not None:
        return structure(call, children, scope)
    influences = tuple(child.influence for child in children)
    rule = RULES.get(name)
    if rule is not None:
        return Value(rule(influences, scope.sources))
    if not children:
        outer = name in ("OuterReference", "OuterScopeReference")
        return Value(passed(scope.sources.bit(Outer(UNNAMED)) if outer else scope.sources.generated))
    return Value(union(influences).transformed())


def _unseen(class_name: str, given: Influence, scope: Scope) -> Value:
    """An expression of a class that nobody has looked at: all that goes in may come out, or what it is made of is not known."""
    scope.reasons[f"unknown expression {class_name}"] = None
    if not given.everything & ~scope.sources.none:
        return Value(passed(scope.sources.unknown))
    return Value(given.transformed().only(unseen=True))


def _user_function(call: Call, children: tuple[Value, ...], scope: Scope) -> Value:
    """A function of the user's own: all that goes in may come out, unless it was declared what does."""
    influence = union(child.influence for child in children).transformed() if children else passed(scope.sources.generated)
    if applies_model(call):
        influence = union((influence, passed(scope.sources.model).transformed().only(inferred=True)))
    value = _declared(call, children, Value(influence), scope) or Value(influence)
    return value.through(Influence.masked) if scope.is_mask(call) else value


def _declared(call: Call, children: tuple[Value, ...], anything: Value, scope: Scope) -> Value | None:
    """What a UDF gives as its author declared it: field by field of a struct."""
    declaration = declaration_of(call)
    if declaration is None or call.name == "PythonUDTF":
        return None
    names = tuple(name for name, _ in schema_fields(call.arguments.get("dataType")))
    outputs = names or tuple(declaration.columns.keys() - {EVERY, ROWS}) or ("value",)
    try:
        if not names and len(outputs) > 1:
            raise UnfitError(
                f"the lineage declared for {declaration.name} is not used: it gives one value, and has several outputs there"
            )
        fitted_ = fitted(declaration, outputs, passed_to(declaration, call, children, scope.sources), scope.sources)
    except UnfitError as error:
        scope.reason(str(error))
        return None
    values = tuple(value or anything for value in fitted_.outputs)
    made = struct_of(dict(zip(names, values, strict=True))) if names else values[0]
    deciding = decided_by(fitted_.rows.everything & ~scope.sources.none, "CONDITIONAL", fitted_.rows)
    return made.and_also(deciding) if deciding.everything else made


def _count(children: tuple[Influence, ...], sources: Sources) -> Influence:
    """A count tells how many, not what. Of rows, and of literals that something decides about, it has no source column."""
    influence = union(children).transformed().masked()
    if influence.direct & ~sources.none:
        return influence
    return union((passed(sources.generated), without(influence, sources.none)))


def _masked(children: tuple[Influence, ...], sources: Sources) -> Influence:
    """A hash: nothing of the value can be seen."""
    return union(children).transformed().masked()


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


def _literal(children: tuple[Influence, ...], sources: Sources) -> Influence:
    """What the query spells out, or what the type of a value alone tells."""
    return passed(sources.literal)


def _nothing(children: tuple[Influence, ...], sources: Sources) -> Influence:
    """The bounds of a window's frame."""
    return union(children) if children else NOTHING


def _real(influence: Influence, sources: Sources) -> Influence:
    """Literals and generated values decide about nothing: only sources stay in the indirect lanes."""
    none = sources.none
    if not influence.indirect & none:
        return influence
    return replace(influence, **{lane: getattr(influence, lane) & ~none for lane, _ in INDIRECT})


_MASKS: Final = (
    "Md5", "Sha1", "Sha2", "Crc32", "XxHash64", "Murmur3Hash", "HiveHash", "CollationAwareXxHash64", "CollationAwareMurmur3Hash",
)  # fmt: skip
_COUNTS: Final = (
    "ApproxCountDistinctForIntervals", "BitmapCount", "BloomFilterAggregate", "Count", "CountIf", "CountMinSketchAgg",
    "HllSketchAgg", "HllSketchEstimate", "HyperLogLogPlusPlus", "KllSketchGetNBigint", "KllSketchGetNDouble", "KllSketchGetNFloat", "RegrCount",
    "ThetaSketchAgg", "ThetaSketchEstimate",
)  # fmt: skip
"""Counts, and sketches that hold hashes alone."""
_GENERATED: Final = (
    "Collations", "CurrentBatchTimestamp", "CurrentCatalog", "CurrentDatabase", "CurrentDate", "CurrentTime", "CurrentTimeZone", "CurrentTimestamp", "CurrentUser",
    "DistributedSequenceID", "GenerateIdentityValues", "InputFileBlockLength", "InputFileBlockStart", "InputFileName", "LocalTimestamp", "MonotonicallyIncreasingID", "Now", "Rand", "RandStr", "Randn",
    "SQLKeywords", "SparkPartitionID", "SparkVersion", "Uniform", "Uuid",
)  # fmt: skip
_LITERALS: Final = ("Collation", "EulerNumber", "Pi", "ResolvedCollation", "TypeOf", "TypedNullLiteral")
_RANKS: Final = ("CumeDist", "DenseRank", "NTile", "PercentRank", "Rank", "RowNumber")
_FRAMES: Final = ("CurrentRow", "NoOp", "SpecifiedWindowFrame", "UnboundedFollowing", "UnboundedPreceding", "UnspecifiedFrame")

RULES: Final[dict[str, Rule]] = {
    "PivotFirst": _pivot,
    **dict.fromkeys(_MASKS, _masked),
    **dict.fromkeys(_COUNTS, _count),
    **dict.fromkeys(_GENERATED, _generated),
    **dict.fromkeys(_LITERALS, _literal),
    **dict.fromkeys(_RANKS, _ranked),
    **dict.fromkeys(_FRAMES, _nothing),
}
