"""Nodes that make columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ...plan.expressions import Alias, Attribute
from ...plan.nodes import MissingFieldError, Node
from ...plan.values import Stated
from ..expressions import bare_column
from ..influence import union
from ..relation import Column, Relation, derived
from ..walk import Walk
from .handler import Handler


def project(node: Node, walk: Walk) -> Relation:
    child = walk.child(node)
    items = node.stated("projectList")
    columns = made_columns(items, node, child.columns, walk)
    return derived((child,), columns, named_ids(items), datasets=walk.subquery_datasets(node))


def aggregate(node: Node, walk: Walk) -> Relation:
    """GROUP BY: the keys decide which rows come together, and so about every column."""
    child = walk.child(node)
    keys = tuple(walk.condition(key, "GROUP_BY", child.columns) for key in node.stated("groupingExpressions"))
    items = node.stated("aggregateExpressions")
    columns = made_columns(items, node, child.columns, walk)
    return derived((child,), columns, named_ids(items), keys, walk.subquery_datasets(node))


def window(node: Node, walk: Walk) -> Relation:
    """Adds columns; how rows are partitioned and ordered bears on those alone."""
    child = walk.child(node)
    made = made_columns(node.stated("windowExpressions"), node, child.columns, walk)
    return derived((child,), {**child.columns, **made}, (*child.output, *made), datasets=walk.subquery_datasets(node))


def generate(node: Node, walk: Walk) -> Relation:
    """explode and its like. How many rows come out is up to the generator, so it decides about the other columns too."""
    child = walk.child(node)
    generator = node.expression("generator")
    if generator is None:
        raise MissingFieldError(f"{node.kind} has no generator")
    evaluated = walk.evaluate(generator.expression, child.columns)
    column = Column(evaluated.influence.transformed(), generator.sql, node.kind, evaluated.parents)
    added = tuple(item.id for item in node.expressions("generatorOutput") if isinstance(item, Attribute))
    output = node.output or (*child.output, *added)
    condition = walk.condition(generator, "JOIN", child.columns)
    columns = {**child.columns, **dict.fromkeys(added, column)}
    return derived((child,), columns, output, (condition,), walk.subquery_datasets(node))


def expand(node: Node, walk: Walk) -> Relation:
    """GROUPING SETS, ROLLUP, CUBE, unpivot: several rows from each; a column is what any of its projections says."""
    child = walk.child(node)
    projections = node.fields.get("projections")
    if not isinstance(projections, tuple) or node.output is None:
        raise MissingFieldError(f"{node.kind} has no projections or no output")
    rows = [tuple(item for item in row if isinstance(item, Stated)) for row in projections if isinstance(row, tuple)]
    columns = {}
    for expression_id, cells in zip(node.output, zip(*rows, strict=True), strict=True):
        evaluated = [walk.evaluate(cell.expression, child.columns) for cell in cells]
        parents = tuple({id(parent): parent for one in evaluated for parent in one.parents}.values())
        columns[expression_id] = Column(union(one.influence for one in evaluated), None, node.kind, parents)
    return derived((child,), columns, node.output, datasets=walk.subquery_datasets(node))


def opaque(node: Node, walk: Walk) -> Relation:
    """A function over whole rows (mapInPandas, typed map): each column it gives may come from any it takes."""
    return mixed(node, walk, (*walk.children(node),))


def mixed(node: Node, walk: Walk, children: tuple[Relation, ...]) -> Relation:
    """Every column of the children, and what the node's expressions name, goes into each column of the output."""
    column = any_of(node, walk, children)
    output = node.output if node.output is not None else _output_of(children)
    return derived(children, dict.fromkeys(output, column), output, datasets=walk.subquery_datasets(node))


def any_of(node: Node, walk: Walk, children: tuple[Relation, ...]) -> Column:
    """A column that may come from anything below the node."""
    parents = tuple({id(column): column for child in children for column in child.output_columns()}.values())
    below: dict[int, Column] = {}
    for child in children:
        below.update(child.columns)
    own = frozenset(node.output or ())
    named = (item.expression for item in node.all_stated() if getattr(item.expression, "id", None) not in own)
    stated = tuple(walk.evaluate(expression, below).influence for expression in named)
    influence = union((*(parent.influence for parent in parents), *stated)).transformed()
    return Column(influence, None, node.kind, parents)


def made_columns(items: Iterable[Stated], node: Node, columns: Mapping[int, Column], walk: Walk) -> dict[int, Column]:
    """The columns that a list of named expressions gives, by id and in order. A mere rename is the column itself."""
    made: dict[int, Column] = {}
    for item in items:
        expression = item.expression
        if not isinstance(expression, (Alias, Attribute)):
            raise MissingFieldError(f"{node.kind} has the expression {item.sql}, which gives no column a name")
        renamed = bare_column(expression)
        if renamed is not None and renamed in columns:
            made[expression.id] = columns[renamed]
            continue
        evaluated = walk.evaluate(expression, columns)
        made[expression.id] = Column(evaluated.influence, stated_sql(item), node.kind, evaluated.parents)
    return made


def named_ids(items: Iterable[Stated]) -> tuple[int, ...]:
    """The ids of named expressions in order, with repetitions: a projection may give one column twice."""
    return tuple(item.expression.id for item in items if isinstance(item.expression, (Alias, Attribute)))


def stated_sql(item: Stated) -> str | None:
    """The SQL of an expression without the name that it is given."""
    sql = item.sql
    if sql is not None and isinstance(item.expression, Alias):
        for name in (f"`{item.expression.name}`", item.expression.name):
            sql = sql.removesuffix(f" AS {name}")
    return sql


def _output_of(children: tuple[Relation, ...]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(item for child in children for item in child.output))


_OPAQUE: Final = (
    "AppendColumns", "AppendColumnsWithObject", "CoGroup", "DeserializeToObject", "FlatMapGroupsWithState", "MapElements", "MapGroups", "MapPartitions",
    "MapPartitionsInR", "SerializeFromObject", "TransformWithState",
    "ArrowEvalPython", "AttachDistributedSequence", "BatchEvalPython", "FlatMapCoGroupsInArrow", "FlatMapCoGroupsInPandas", "FlatMapGroupsInArrow",
    "FlatMapGroupsInPandas", "MapInArrow", "MapInPandas", "PythonMapInArrow", "ScriptTransformation",
)  # fmt: skip

HANDLERS: Final[dict[str, Handler]] = {
    "Project": project,
    "Aggregate": aggregate,
    "Window": window,
    "Generate": generate,
    "Expand": expand,
    **dict.fromkeys(_OPAQUE, opaque),
}
