"""Nodes that bring several relations together: joins, set operations, common table expressions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ...plan.expressions import Attribute, Subquery
from ...plan.nodes import MissingFieldError, Node
from ...plan.values import Opaque, Stated
from ..expressions import known_outer
from ..influence import Influence, Outer, passed, substitute, union, without
from ..relation import Column, Condition, Conditions, Relation, derived, order_decides
from ..value import Value, any_of
from ..walk import Walk
from .handler import Handler
from .table_functions import python_function


def join(node: Node, walk: Walk) -> Relation:
    """A join of any kind: its condition decides about every column."""
    left, right = _two(node, walk)
    columns = {**_through(left, node), **_through(right, node)}
    condition = node.expression("condition")
    conditions = () if condition is None else (walk.condition(condition, "JOIN", columns),)
    kind = _join_type(node)
    output = node.output or ((*left.output, *right.output) if not kind.startswith(("LeftSemi", "LeftAnti")) else left.output)
    if kind.startswith("ExistenceJoin"):
        decided = union(condition.influence for condition in conditions)
        columns.update({item: Column(decided, None, node.kind) for item in output if item not in columns})
    return derived((left, right), columns, output, conditions, walk.subquery_datasets(node))


def as_of_join(node: Node, walk: Walk) -> Relation:
    """pandas' merge_asof: of the rows that fit, the nearest one."""
    left, right = _two(node, walk)
    columns = {**_through(left, node), **_through(right, node)}
    stated = (node.expression("asOfCondition"), node.expression("condition"), node.expression("toleranceAssertion"))
    conditions = [walk.condition(one, "JOIN", columns) for one in stated if one is not None]
    if (nearest := node.expression("orderExpression")) is not None:
        conditions.append(walk.condition(nearest, "SORT", columns))
    output = node.output or (*left.output, *right.output)
    return derived((left, right), columns, output, conditions, walk.subquery_datasets(node))


def lateral_join(node: Node, walk: Walk) -> Relation:
    """A join whose right side is run for each row of the left one, and may take columns from it."""
    left = walk.child(node)
    right_side = node.expression("right")
    if right_side is None or not isinstance(right_side.expression, Subquery):
        raise MissingFieldError(f"{node.kind} has no subquery on its right")
    taken = union(walk.evaluate(part, left.columns).influence for part in right_side.expression.children)
    right = _with_outer(walk.relation(right_side.expression.plan), left, taken, walk)
    columns = {**left.columns, **right.columns}
    condition = node.expression("condition")
    conditions = () if condition is None else (walk.condition(condition, "JOIN", columns),)
    if _runs_table_function(right_side.expression.plan, walk):  # it is given the rows one after the other
        conditions = (*conditions, *order_decides(left))
    return derived((left, right), columns, (*left.output, *right.output), conditions, walk.subquery_datasets(node))


def _runs_table_function(node_id: int, walk: Walk) -> bool:
    """Whether a relation is what a UDTF gives, under whatever name."""
    node = walk.plan.nodes[node_id]
    while node.kind in ("SubqueryAlias", "Project") and len(node.children) == 1:
        node = walk.plan.nodes[node.child]
    generator = node.fields.get("generator") if node.kind == "Generate" else None
    return isinstance(generator, Stated) and python_function(generator.expression) is not None


def union_all(node: Node, walk: Walk) -> Relation:
    """UNION by position (the analyzer has put named ones in order): a column is what any branch says."""
    children = walk.children(node)
    if all(not child.output for child in children):
        return derived(children, {}, ())
    output = children[0].output if node.output is None else node.output
    columns = {}
    for position, expression_id in enumerate(output):
        ids = tuple(child.output[position] for child in children)
        parents = tuple(child.columns[item] for child, item in zip(children, ids, strict=True))
        columns[expression_id] = _merged(parents, node, walk, same_type=_have_one_type(ids, walk))
    orders = {id(one): one for child in children for one in child.order}  # each branch keeps its own
    return derived(children, columns, output, order=tuple(orders.values()))


def intersect(node: Node, walk: Walk) -> Relation:
    """INTERSECT and EXCEPT keep rows of the left side, by comparing whole rows."""
    left, right = _two(node, walk)
    compared = tuple(Stated(Attribute(item)) for item in left.output), tuple(Stated(Attribute(item)) for item in right.output)
    conditions = (
        *(walk.condition(item, "FILTER", left.columns) for item in compared[0]),
        *(walk.condition(item, "FILTER", right.columns) for item in compared[1]),
    )
    return derived((left, right), left.columns, left.output, conditions)


def with_cte(node: Node, walk: Walk) -> Relation:
    """WITH: the definitions come first among the children, the query last."""
    return walk.relation(node.children[-1])


def several_results(node: Node, walk: Walk) -> Relation:
    """What a procedure gave: the last of its results is what is seen."""
    return walk.relation(node.children[-1])


def cte_definition(node: Node, walk: Walk) -> Relation:
    """One definition of a WITH, kept for those that refer to it."""
    child = walk.child(node)
    name = node.text("id")
    if name is None:
        raise MissingFieldError(f"{node.kind} has no id")
    walk.ctes[name] = child
    return child


def cte_reference(node: Node, walk: Walk) -> Relation:
    """A use of a definition, under expression ids of its own."""
    definition = walk.ctes.get(node.text("cteId") or "")
    if definition is None or node.output is None or len(node.output) != len(definition.output):
        raise MissingFieldError(f"{node.kind} refers to {node.text('cteId')}, which is not defined before it")
    return derived((definition,), dict(zip(node.output, definition.output_columns(), strict=True)), node.output)


def loop(node: Node, walk: Walk) -> Relation:
    """A recursive WITH: its rows are those of the anchor, and those that the recursion makes of its own rows, again and again.

    The recursion was resolved with placeholders for its own columns. They are put in until nothing changes: sets of sources
    only grow, so that is after as many rounds as values need to pass through all columns. A plan that Spark made ends sooner than
    `_ROUNDS` says; in one that takes a field of a field without end, fields are told apart no longer then.
    """
    anchor, recursion = _two(node, walk)
    output = node.output or anchor.output
    parents = tuple(zip(anchor.output_columns(), recursion.output_columns(), strict=True))
    influences = [start.influence for start, _ in parents]
    references = walk.loops.get(node.text("id") or "", [])
    for round_ in itertools.count():
        known = _known_loop(references, influences, walk)
        grown = [union((start.influence, substitute(step.influence, known))) for start, step in parents]
        if round_ > _ROUNDS * (1 + len(parents)):
            grown = [one.transformed() for one in grown]
        if grown == influences:
            break
        influences = grown
    columns = {
        item: Column(influence, step.expression, node.kind, (start, step))
        for item, influence, (start, step) in zip(output, influences, parents, strict=True)
    }
    settled = _substituted(recursion, known, walk)
    return derived((anchor, settled), columns, output)


_ROUNDS: Final = 8
"""How often a value may change on its way from one column of a recursion to the next."""


def loop_reference(node: Node, walk: Walk) -> Relation:
    """A recursion's own rows, as it reads them: placeholders until the loop around it is resolved."""
    if node.output is None or node.text("loopId") is None:
        raise MissingFieldError(f"{node.kind} has no loopId or no output")
    walk.loops.setdefault(node.text("loopId") or "", []).append(node.output)
    columns = {item: Column(passed(walk.sources.bit(Outer(item)))) for item in node.output}
    return Relation(columns, node.output)


def _known_loop(references: list[tuple[int, ...]], influences: list[Influence], walk: Walk) -> dict[int, Influence]:
    """What a recursion's own columns, and their fields, are known to come from so far."""
    so_far = {item: one for output in references for item, one in zip(output, influences, strict=True)}
    known = {}
    for source in tuple(walk.sources.of(walk.sources.outer)):
        if isinstance(source, Outer) and source.expression_id in so_far:
            own = walk.sources.bit(source)
            value = Value(so_far[source.expression_id]).at(source.path, walk.sources)
            known[own] = without(value.influence, own)
    return known


def _two(node: Node, walk: Walk) -> tuple[Relation, Relation]:
    children = walk.children(node)
    if len(children) != 2:
        raise MissingFieldError(f"{node.kind} has {len(children)} children")
    return children[0], children[1]


def _join_type(node: Node) -> str:
    value = node.fields.get("joinType")
    if isinstance(value, Opaque):
        return value.class_name.rstrip("$").rsplit(".", 1)[-1]
    return (node.text("joinType") or "").replace(" ", "").replace("_", "")


def _through(relation: Relation, node: Node) -> dict[int, Column]:
    """The columns as they come out of the node, which leaves their values alone."""
    return {
        expression_id: Column.of(column.value, column.expression, node.kind, (column,))
        for expression_id, column in relation.columns.items()
    }


def _merged(parents: tuple[Column, ...], node: Node, walk: Walk, same_type: bool) -> Column:
    expressions = {parent.expression for parent in parents}
    expression = expressions.pop() if len(expressions) == 1 else None
    if same_type:
        value = any_of((parent.value for parent in parents), walk.sources)
    else:  # fields of other names meet by position
        value = Value(union(parent.influence.transformed() if parent.fields else parent.influence for parent in parents))
    return Column.of(value, expression, node.kind, parents)


def _have_one_type(ids: tuple[int, ...], walk: Walk) -> bool:
    types = {field.data_type for item in ids if (field := walk.plan.attributes.get(item)) is not None}
    return len(types) <= 1


def _with_outer(inner: Relation, outer: Relation, taken: Influence, walk: Walk) -> Relation:
    """A correlated relation with the outer columns that it takes put in place; `taken` is all of them together."""
    everything = inner.decisions.everything
    for column in inner.columns.values():
        everything |= column.value.everything
    for condition in inner.order:
        everything |= condition.bits
    return _substituted(inner, known_outer(everything, outer.columns, walk.sources, taken), walk, outer.columns)


def _substituted(
    inner: Relation, known: Mapping[int, Influence], walk: Walk, outside: Mapping[int, Column] = MappingProxyType({})
) -> Relation:
    """A relation with what placeholders stand for put in their place; `outside` holds the columns that they stand for."""
    if not known:
        return inner
    columns = {
        item: column.holding(column.value.substituted(known), _taken_from(outside, column, walk))
        for item, column in inner.columns.items()
    }
    none = walk.sources.none

    def settled(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
        return tuple(replace(one, influence=without(substitute(one.influence, known), none)) for one in conditions)

    decisions = without(substitute(inner.decisions, known), none)
    conditions = Conditions(settled(inner.conditions))
    return replace(inner, columns=columns, conditions=conditions, decisions=decisions, order=settled(inner.order))


def _taken_from(outside: Mapping[int, Column], column: Column, walk: Walk) -> tuple[Column, ...]:
    """The outer columns that a column was made from."""
    outer = walk.sources.of(column.value.everything & walk.sources.outer)
    ids = (source.expression_id for source in outer if isinstance(source, Outer) and source.expression_id in outside)
    return tuple(outside[item] for item in dict.fromkeys(ids))


HANDLERS: Final[dict[str, Handler]] = {
    "Join": join,
    "AsOfJoin": as_of_join,
    "LateralJoin": lateral_join,
    "Union": union_all,
    "Intersect": intersect,
    "Except": intersect,
    "WithCTE": with_cte,
    "MultiResult": several_results,
    "CTERelationDef": cte_definition,
    "CTERelationRef": cte_reference,
    "UnionLoop": loop,
    "UnionLoopRef": loop_reference,
}
