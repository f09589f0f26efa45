"""Nodes that make columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ...plan.expressions import Alias, Attribute, Call, Expression, Literal, Subquery
from ...plan.expressions import walk as parts_of
from ...plan.nodes import MissingFieldError, Node
from ...plan.values import Stated
from ..catalyst import known_as
from ..influence import NOTHING, Influence, passed, union
from ..relation import Column, Relation, derived, order_decides
from ..scope import bare_column
from ..structures import fields_stated
from ..value import Value
from ..value import any_of as any_value
from ..walk import MALFORMED, Walk
from .handler import Handler
from .table_functions import python_function, table_function


def project(node: Node, walk: Walk) -> Relation:
    """SELECT: each column is what its expression makes of the child's."""
    child = walk.child(node)
    items = node.stated("projectList")
    columns = made_columns(items, node, child, walk)
    return derived((child,), columns, named_ids(items), datasets=walk.subquery_datasets(node))


def aggregate(node: Node, walk: Walk) -> Relation:
    """GROUP BY: the keys decide which rows come together, and so about every column."""
    child = walk.child(node)
    keys = tuple(walk.condition(key, "GROUP_BY", child.columns) for key in node.stated("groupingExpressions"))
    items = node.stated("aggregateExpressions")
    columns = made_columns(items, node, child, walk)
    return derived((child,), columns, named_ids(items), keys, walk.subquery_datasets(node), order=())


def window(node: Node, walk: Walk) -> Relation:
    """Adds columns; how rows are partitioned and ordered bears on those alone."""
    child = walk.child(node)
    made = made_columns(node.stated("windowExpressions"), node, child, walk)
    return derived((child,), {**child.columns, **made}, (*child.output, *made), datasets=walk.subquery_datasets(node))


def generate(node: Node, walk: Walk) -> Relation:
    """explode and its like. How many rows come out is up to the generator, so it decides about the other columns too."""
    child = walk.child(node)
    generator = node.expression("generator")
    if generator is None:
        raise MissingFieldError(f"{node.kind} has no generator")
    evaluated = walk.evaluate(generator.expression, child.columns)
    added = tuple(item.id for item in node.expressions("generatorOutput") if isinstance(item, Attribute))
    output = node.output or (*child.output, *added)
    function = python_function(generator.expression)
    if function is not None:
        values, rows = table_function(function, added, child.columns, walk)
        conditions = (walk.deciding(rows, "JOIN", generator.sql), *order_decides(child))
    else:
        values = generated(generator.expression, added, child.columns, walk)
        fixed = isinstance(generator.expression, Call) and generator.expression.name in _FIXED
        conditions = () if fixed else (walk.condition(generator, "JOIN", child.columns),)
    made = {
        expression_id: Column.of(value, generator.sql, node.kind, evaluated.parents)
        for expression_id, value in zip(added, values, strict=True)
    }
    return derived((child,), {**child.columns, **made}, output, conditions, walk.subquery_datasets(node))


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
        value = any_value((one.value for one in evaluated), walk.sources)
        if walk.plan.name_of(expression_id) == _GROUPING_ID and all(isinstance(cell.expression, Literal) for cell in cells):
            value = Value(passed(walk.sources.generated))
        columns[expression_id] = Column.of(value, _texts(cells, walk), node.kind, parents)
    return derived((child,), columns, node.output, datasets=walk.subquery_datasets(node))


def numbered(node: Node, walk: Walk) -> Relation:
    """pandas on Spark counts its rows: one more column, in the order that they are in."""
    child = walk.child(node)
    added = node.expression("sequenceAttr")
    if added is None or not isinstance(added.expression, Attribute):
        raise MissingFieldError(f"{node.kind} has no sequenceAttr")
    order = union(condition.influence for condition in child.order)
    number = Value(passed(walk.sources.generated)).and_also(order)
    columns = {**child.columns, added.expression.id: Column.of(number, None, node.kind, child.output_columns())}
    return derived((child,), columns, node.output or (added.expression.id, *child.output))


def mixed(node: Node, walk: Walk, children: tuple[Relation, ...], **sureness: bool) -> Relation:
    """Every column of the children, and what the node's expressions name, goes into each column of the output.

    `sureness`: the lane (`SURENESS`) that says why: ``opaque``, ``unseen``.
    """
    column = any_of(node, walk, children, **sureness)
    output = node.output if node.output is not None else _made_by(node) or _output_of(children)
    ordered = tuple(condition for child in children for condition in order_decides(child))
    return derived(children, dict.fromkeys(output, column), output, ordered, walk.subquery_datasets(node), order=())


def any_of(node: Node, walk: Walk, children: tuple[Relation, ...], **sureness: bool) -> Column:
    """A column that may come from anything below the node."""
    parents = tuple({id(column): column for child in children for column in child.output_columns()}.values())
    below: dict[int, Column] = {}
    for child in children:
        below.update(child.columns)
    own = frozenset(node.output or ())
    named = (item.expression for item in node.all_stated() if getattr(item.expression, "id", None) not in own)
    stated = tuple(_influence(part, below, walk) for expression in named for part in _taken_by(expression))
    influence = union((*(parent.influence for parent in parents), *stated)).transformed()
    return Column(influence.only(**sureness), None, node.kind, parents)


def _influence(expression: Expression, below: Mapping[int, Column], walk: Walk) -> Influence:
    """What bears on an expression. Of one without the children that its rule takes, all that it names."""
    try:
        return walk.evaluate(expression, below).influence
    except MALFORMED:
        parts = tuple(parts_of(expression))
        named = (walk.evaluate(part, below).influence for part in parts if isinstance(part, Attribute))
        rows = (walk.relation(part.plan) for part in parts if isinstance(part, Subquery))
        return union((*named, *(column.influence for relation in rows for column in relation.output_columns())))


def _made_by(node: Node) -> tuple[int, ...]:
    """The columns that a node's expressions give a name; nothing where they give none."""
    named = [item.expression for item in node.all_stated() if isinstance(item.expression, (Alias, Attribute))]
    return tuple(one.id for one in named) if any(isinstance(one, Alias) for one in named) else ()


def _taken_by(expression: Expression) -> tuple[Expression, ...]:
    """What a node's expression takes: of a function over rows its arguments, as it gives no value of its own."""
    return expression.children if isinstance(expression, Call) and expression.kind == "PythonUDF" else (expression,)


def made_columns(items: Iterable[Stated], node: Node, child: Relation, walk: Walk) -> dict[int, Column]:
    """The columns that a list of named expressions gives, by id and in order. A mere rename is the column itself."""
    made: dict[int, Column] = {}
    columns = child.columns
    sorted_by = union(condition.influence for condition in child.order if not condition.spread)
    spread_by = union(condition.influence for condition in child.order if condition.spread)
    for item in items:
        expression = item.expression
        if not isinstance(expression, (Alias, Attribute)):
            raise MissingFieldError(f"{node.kind} has the expression {item.sql}, which gives no column a name")
        renamed = bare_column(expression)
        if renamed is not None and renamed in columns:
            made[expression.id] = columns[renamed]
            continue
        evaluated = walk.evaluate(expression, columns)
        value = evaluated.value
        if sorted_by is not NOTHING and depends_on_order(item):
            value = value.and_also(sorted_by)
        if spread_by is not NOTHING and depends_on_order(item, spread=True):
            value = value.and_also(spread_by)
        made[expression.id] = Column.of(value, stated_sql(item), node.kind, evaluated.parents)
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


def generated(generator: Expression, added: tuple[int, ...], columns: Mapping[int, Column], walk: Walk) -> tuple[Value, ...]:
    """What each column holds that a generator adds; of one that is not known, all that goes in."""
    whole = walk.evaluate(generator, columns).value
    anything = (Value(whole.influence.transformed()),) * len(added)
    if not isinstance(generator, Call) or not generator.children:
        return anything
    if generator.name == "GeneratorOuter":
        return generated(generator.children[0], added, columns, walk)
    given = tuple(walk.evaluate(child, columns).value for child in generator.children)
    if generator.name in ("Explode", "PosExplode") and len(added) <= 3:
        element = given[0].taken()
        keys = (Value(element.influence.transformed()),) * (len(added) - 1)  # position, a map's key
        return (*keys, element)
    if generator.name == "Inline":
        names = fields_stated(generator, walk.scope)
        if len(names) != len(added):  # a document of a release that did not write them
            return anything
        return tuple(given[0].taken().field(name, walk.sources) for name in names)
    if generator.name == "Stack" and added:
        cells = given[1:]
        return tuple(any_value(cells[at :: len(added)], walk.sources) for at in range(len(added)))
    return anything


def depends_on_order(item: Stated, spread: bool = False) -> bool:
    """Whether the value may be another one where rows come in another order; of what was never seen, it may.

    Rows that a window's own order does not tell apart stay as they come: what counts them depends on that, and a frame of ROWS does.
    `spread`: the rows lie in other partitions alone. Many repartition before they call a function of their own, for its speed.
    """
    for part in parts_of(item.expression):
        if isinstance(part, Call):
            name = known_as(part.name)
            if spread and name == "PythonUDF":
                continue
            if name is None or name in _BY_ORDER or (name == "SpecifiedWindowFrame" and _counts_rows(part, item.sql)):
                return True
    return False


def _counts_rows(frame: Call, sql: str | None) -> bool:
    """Whether a window's frame ends at a row, rather than at all that are alike. Which of them it is, the SQL alone tells."""
    bounds = tuple(bound.name if isinstance(bound, Call) else None for bound in frame.children)
    return bounds != ("UnboundedPreceding", "UnboundedFollowing") and (sql is None or "ROWS BETWEEN" in sql)


def _texts(cells: Iterable[Stated], walk: Walk) -> str | None:
    """What stands in a column of an Expand, row by row."""
    texts = dict.fromkeys(stated_sql(cell) or walk.name(cell.expression) or "" for cell in cells)
    return " | ".join(text for text in texts if text) or None


def _output_of(children: tuple[Relation, ...]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(item for child in children for item in child.output))


_GROUPING_ID: Final = "spark_grouping_id"
"""The column of an Expand that tells the grouping sets apart, which `grouping()` reads. Its numbers stand in the plan, not in the query."""

_FIXED: Final = frozenset({"Stack", "JsonTuple"})
"""Generators that make as many rows of each row, whatever it holds."""

_BY_ORDER: Final = frozenset({
    "AnyValue", "ApproxTopK", "ApproxTopKAccumulate", "ApproxTopKCombine", "ApproximatePercentile", "CollectFrequentItems", "CollectList",
    "ComplexTypedAggregateExpression", "DistributedSequenceID", "First", "GenerateIdentityValues", "HistogramNumeric", "HiveUDAFFunction",
    "KllSketchAggBigint", "KllSketchAggDouble", "KllSketchAggFloat", "Lag", "Last", "Lead", "ListAgg", "MaxBy", "MinBy", "Mode",
    "MonotonicallyIncreasingID", "NTile", "NthValue", "PandasMode", "PythonUDAF", "PythonUDF", "RowNumber", "ScalaAggregator", "ScalaUDAF",
    "SimpleTypedAggregateExpression", "SparkPartitionID", "V2Aggregator",
})  # fmt: skip
"""Functions whose value depends on the order in which rows come, if only where several are as good."""

HANDLERS: Final[dict[str, Handler]] = {
    "Project": project,
    "Aggregate": aggregate,
    "Window": window,
    "Generate": generate,
    "Expand": expand,
    "AttachDistributedSequence": numbered,
}
