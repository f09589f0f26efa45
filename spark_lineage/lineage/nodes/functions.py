"""Functions over whole rows, which only Python or the JVM can see into: `mapInPandas` and its like, typed Datasets.

Every column that goes in may come out in every column, and decide which rows there are, unless the author declared what does.
"""

from __future__ import annotations

from typing import Final

from ...plan.expressions import Attribute, Call, Expression
from ...plan.nodes import MissingFieldError, Node
from ...plan.values import Stated
from ..declared import UnfitError, declaration_of, fitted
from ..influence import Influence
from ..relation import Column, Condition, Relation, derived, order_decides
from ..value import any_of
from ..walk import Walk
from .columns import any_of as any_column
from .columns import mixed
from .handler import Handler


def over_rows(node: Node, walk: Walk) -> Relation:
    """A function over whole rows, or over groups of them: what they are grouped by decides about every column."""
    children = walk.children(node)
    keys = _keys(node, children, walk)
    declared = _as_declared(node, keys, children, walk)
    if declared is not None:
        return declared
    column = any_column(node, walk, children, opaque=True)
    function = _function(node)
    if function is not None and walk.scope.is_mask(function):
        column = column.holding(column.value.through(Influence.masked))
    output = () if node.output is None else node.output
    rows = walk.deciding(column.influence, "FILTER", _text(node))
    conditions = (*keys, rows, *(condition for child in children for condition in order_decides(child)))
    return derived(children, dict.fromkeys(output, column), output, conditions, walk.subquery_datasets(node), order=())


def over_each_row(node: Node, walk: Walk) -> Relation:
    """As many rows come out as go in."""
    return mixed(node, walk, walk.children(node), opaque=True)


def to_object(node: Node, walk: Walk) -> Relation:
    """The object that a typed function takes: made of the columns that its class asks for."""
    child = walk.child(node)
    made = node.expression("deserializer")
    if made is None:
        raise MissingFieldError(f"{node.kind} has no deserializer")
    evaluated = walk.evaluate(made.expression, child.columns)
    column = Column(evaluated.influence.transformed(), None, node.kind, evaluated.parents)
    return derived((child,), dict.fromkeys(node.output or (), column), node.output or ())


def added_columns(node: Node, walk: Walk) -> Relation:
    """``groupByKey``, pandas on Spark's index: the columns as they are, and some that are made for all of a row."""
    child = walk.child(node)
    output = node.output or child.output
    column = any_column(node, walk, (child,), opaque=True)
    made = {item: column for item in output if item not in child.columns}
    return derived((child,), {**child.columns, **made}, output)


def typed_filter(node: Node, walk: Walk) -> Relation:
    """``filter`` of a typed Dataset: its function takes the columns that its class asks for."""
    child = walk.child(node)
    made = node.expression("deserializer")
    if made is None:
        raise MissingFieldError(f"{node.kind} has no deserializer")
    influence = walk.evaluate(made.expression, child.columns).influence.only(opaque=True)
    return derived((child,), child.columns, child.output, (walk.deciding(influence, "FILTER"),))


def _as_declared(node: Node, keys: tuple[Condition, ...], children: tuple[Relation, ...], walk: Walk) -> Relation | None:
    """The rows as the function's author declared them; None where nothing was, or what does not fit."""
    function = _function(node)
    declaration = None if function is None else declaration_of(function)
    if declaration is None or node.output is None:
        return None
    given: dict[str, list[Column]] = {}
    for child in children:
        for item, column in zip(child.output, child.output_columns(), strict=True):
            given.setdefault(walk.plan.name_of(item).lower(), []).append(column)
    inputs = {name: any_of((column.value for column in columns), walk.sources) for name, columns in given.items()}
    try:
        names = (walk.plan.name_of(item) for item in node.output)
        found = fitted(declaration, names, inputs, walk.sources)
    except UnfitError as error:
        walk.reason(str(error))
        return None
    anything = any_column(node, walk, children, opaque=True)
    masks = function is not None and walk.scope.is_mask(function)
    columns = {}
    for item, value, named in zip(node.output, found.outputs, found.inputs, strict=True):
        column = anything if value is None else Column.of(value, _text(node), node.kind, _named(given, named))
        columns[item] = column.holding(column.value.through(Influence.masked)) if masks else column
    conditions = (*keys, walk.deciding(found.rows, "FILTER", _text(node)))
    return derived(children, columns, node.output, conditions, walk.subquery_datasets(node), order=())


def _named(given: dict[str, list[Column]], names: tuple[str, ...]) -> tuple[Column, ...]:
    """The columns of these names, or those that hold the fields which paths lead to."""
    found = [given.get(name.lower()) or given[name.partition(".")[0].lower()] for name in names]
    return tuple(column for columns in found for column in columns)


def _function(node: Node) -> Call | None:
    """The Python function of a node."""
    stated = node.fields.get("functionExpr")
    found: Expression | None = stated.expression if isinstance(stated, Stated) else None
    return found if isinstance(found, Call) else None


def _text(node: Node) -> str | None:
    stated = node.fields.get("functionExpr")
    return stated.sql if isinstance(stated, Stated) else None


def _keys(node: Node, children: tuple[Relation, ...], walk: Walk) -> tuple[Condition, ...]:
    """What rows are grouped by: expressions that the node names, or the first columns of each child."""
    columns: dict[int, Column] = {}
    for child in children:
        columns.update(child.columns)
    stated: list[Stated] = []
    for name in _GROUPED_BY.get(node.kind, ()):
        stated.extend(node.stated(name))
    for name, child in zip(_GROUPED_BY_FIRST.get(node.kind, ()), children, strict=False):
        count = node.fields.get(name)
        if not isinstance(count, int):
            raise MissingFieldError(f"{node.kind} has no {name}")
        stated.extend(Stated(Attribute(item)) for item in child.output[:count])
    return tuple(walk.condition(key, "GROUP_BY", columns) for key in stated)


_GROUPED_BY: Final = {
    "FlatMapGroupsInPandas": ("groupingAttributes",),
    "FlatMapGroupsInArrow": ("groupingAttributes",),
    "FlatMapGroupsInPandasWithState": ("groupingAttributes",),
    "FlatMapGroupsWithState": ("groupingAttributes",),
    "TransformWithState": ("groupingAttributes",),
    "MapGroups": ("groupingAttributes",),
    "CoGroup": ("leftGroup", "rightGroup"),
}
_GROUPED_BY_FIRST: Final = {
    "FlatMapCoGroupsInPandas": ("leftGroupingLen", "rightGroupingLen"),
    "FlatMapCoGroupsInArrow": ("leftGroupingLen", "rightGroupingLen"),
    "TransformWithStateInPandas": ("groupingAttributesLen", "initGroupingAttrsLen"),
    "TransformWithStateInPySpark": ("groupingAttributesLen", "initGroupingAttrsLen"),
}
_OVER_ROWS: Final = (
    "FlatMapGroupsInR", "FlatMapGroupsInRWithArrow", "MapInArrow", "MapInPandas", "MapPartitions", "MapPartitionsInR", "MapPartitionsInRWithArrow",
    "ScriptTransformation", *_GROUPED_BY, *_GROUPED_BY_FIRST,
)  # fmt: skip
_OVER_EACH_ROW: Final = ("MapElements", "SerializeFromObject", "ArrowEvalPython", "BatchEvalPython")

HANDLERS: Final[dict[str, Handler]] = {
    "DeserializeToObject": to_object,
    "AppendColumns": added_columns,
    "AppendColumnsWithObject": added_columns,
    "TypedFilter": typed_filter,
    **dict.fromkeys(_OVER_ROWS, over_rows),
    **dict.fromkeys(_OVER_EACH_ROW, over_each_row),
}
