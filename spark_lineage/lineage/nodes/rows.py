"""Nodes that keep columns as they are, and choose, order or move rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ...plan.expressions import Attribute
from ...plan.nodes import MissingFieldError, Node
from ...plan.values import CatalogTable, Stated
from ..influence import numbers
from ..relation import Relation, derived, order_decides
from ..walk import Walk
from .columns import depends_on_order
from .handler import Handler


def unchanged(node: Node, walk: Walk) -> Relation:
    """A limit, a hint, a repartitioning, an alias: the child's rows."""
    return walk.child(node)


def filtered(node: Node, walk: Walk) -> Relation:
    """WHERE, HAVING: the condition decides about every column. It may count rows: ``monotonically_increasing_id() < 10``."""
    condition = node.expression("condition")
    if condition is None:
        raise MissingFieldError(f"{node.kind} has no condition")
    child = walk.child(node)
    ordered = order_decides(child) if depends_on_order(condition) else ()
    conditions = (walk.condition(condition, "FILTER", child.columns), *ordered)
    return derived((child,), child.columns, child.output, conditions, walk.subquery_datasets(node))


def watermarked(node: Node, walk: Walk) -> Relation:
    """``withWatermark``: what groups, joins or deduplicates the rows drops those whose time comes too late."""
    time = node.expression("eventTime")
    if time is None:
        raise MissingFieldError(f"{node.kind} has no eventTime")
    child = walk.child(node)
    return derived((child,), child.columns, child.output, (walk.condition(time, "FILTER", child.columns),))


def sorted_rows(node: Node, walk: Walk) -> Relation:
    """ORDER BY: the order of the rows alone, until something depends on it. SORT BY leaves the rows in the partitions that they are in."""
    child = walk.child(node)
    orders = (walk.condition(order, "SORT", child.columns) for order in node.stated("order"))
    order = tuple(replace(one, order_only=True) for one in orders if one.bits)
    sorted_by = {one.bits for one in order}
    kept = child.order if not order or node.fields.get("global") is False else ()
    within = (one for one in kept if one.bits not in sorted_by)
    return derived((child,), child.columns, child.output, (), walk.subquery_datasets(node), (*within, *order))


def spread_rows(node: Node, walk: Walk) -> Relation:
    """DISTRIBUTE BY, ``repartition("k")``: which rows lie in one partition, and so which come first. How they lay before counts no more."""
    child = walk.child(node)
    spread = (walk.condition(one, "SORT", child.columns) for one in node.stated("partitionExpressions"))
    order = tuple(replace(one, order_only=True, spread=True) for one in spread if one.bits)
    kept = (one for one in child.order if not one.spread)
    return derived((child,), child.columns, child.output, (), walk.subquery_datasets(node), (*kept, *order))


def first_rows(node: Node, walk: Walk) -> Relation:
    """LIMIT, OFFSET, tail, a sample: which rows they are, the order decides. How many, may be told by a variable."""
    child = walk.child(node)
    counts = (walk.condition(count, "FILTER", {}) for count in node.all_stated())
    conditions = tuple(one for one in (*counts, *order_decides(child)) if one.bits)
    if not conditions:
        return child
    return derived((child,), child.columns, child.output, conditions, order=child.order)


def distinct(node: Node, walk: Walk) -> Relation:
    """DISTINCT groups by all its columns."""
    child = walk.child(node)
    keys = tuple(walk.condition(Stated(Attribute(item)), "GROUP_BY", child.columns) for item in child.output)
    return derived((child,), child.columns, child.output, keys, order=())


def deduplicated(node: Node, walk: Walk) -> Relation:
    """dropDuplicates: which row is kept is a matter of the keys, and of the order."""
    child = walk.child(node)
    keys = (walk.condition(key, "GROUP_BY", child.columns) for key in node.stated("keys"))
    return derived((child,), child.columns, child.output, (*keys, *order_decides(child)), order=())


def view(node: Node, walk: Walk) -> Relation:
    """A view is what it is defined as; a view of the catalog lends its name to what it reads."""
    child = walk.child(node)
    table = node.fields.get("desc")
    temporary = node.flag("isTempView") or node.flag("isTempViewStoringAnalyzedPlan")
    if isinstance(table, CatalogTable) and len(table.name) > 1 and not temporary:
        names = walk.naming.aliases(table.name)
        for number in numbers(child.datasets):
            walk.call_also(number, names)
    if node.output is None or node.output == child.output:
        return child
    if len(node.output) != len(child.output):
        raise MissingFieldError(f"{node.kind} has {len(node.output)} columns over {len(child.output)}")
    columns = dict(zip(node.output, child.output_columns(), strict=True))
    return derived((child,), columns, node.output)


_UNCHANGED: Final = (
    "CollectMetrics", "LimitAll", "PipeOperator", "Repartition", "ResolvedHint", "ReturnAnswer", "SQLFunctionNode", "Subquery", "UnresolvedHint",
    "UnresolvedSubqueryColumnAliases", "WithWindowDefinition",
)  # fmt: skip

HANDLERS: Final[dict[str, Handler]] = {
    **dict.fromkeys(_UNCHANGED, unchanged),
    **dict.fromkeys(("GlobalLimit", "LocalLimit", "Offset", "Sample", "Tail"), first_rows),
    **dict.fromkeys(("RepartitionByExpression", "RebalancePartitions"), spread_rows),
    **dict.fromkeys(("EventTimeWatermark", "UpdateEventTimeWatermarkColumn"), watermarked),
    "Filter": filtered,
    "Sort": sorted_rows,
    "Distinct": distinct,
    "Deduplicate": deduplicated,
    "DeduplicateWithinWatermark": deduplicated,
    "View": view,
}
