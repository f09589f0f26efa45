"""Commands that change the rows of a table: MERGE, UPDATE, DELETE.

A column that keeps its value in some row comes from its own previous value: the target is among its own sources, as IDENTITY.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ...plan.expressions import Call, Expression
from ...plan.nodes import MissingFieldError, Node
from ...plan.values import Stated
from ..datasets import DatasetRef
from ..influence import Influence, union
from ..relation import Column, Condition, Relation, derived
from ..value import Value, any_of
from ..walk import Walk, Written
from .handler import Handler


def merge(node: Node, walk: Walk) -> Relation:
    """MERGE: each clause that sets a column is a source of it.

    Where any clause updates or deletes, the rows that none touches are kept as they are. A clause's own condition decides
    which rows change, and so bears on all columns, as CONDITIONAL; the merge condition does as JOIN.
    """
    source, target = walk.query(node, "source"), walk.query(node, "target")
    columns = {**source.columns, **target.columns}
    clauses = tuple(_clauses(node))
    keeps = any(not clause.inserts for clause in clauses)
    values: dict[str, list[Column]] = {}
    spelt: dict[str, str] = {}
    for clause in clauses:
        for name, value in clause.values:
            spelt.setdefault(name.lower(), name)
            values.setdefault(name.lower(), []).append(_evaluated(value, node, columns, walk))
    made = []
    for expression_id in target.output:
        name = walk.plan.name_of(expression_id)
        previous = (target.columns[expression_id],) if keeps else ()
        made.append((name, _any_of((*previous, *values.pop(name.lower(), ())), node, walk)))
    made.extend((spelt[name], _any_of(added, node, walk)) for name, added in values.items())
    conditions = [walk.condition(stated, "CONDITIONAL", columns) for clause in clauses if (stated := clause.condition)]
    if (on := node.expression("condition")) is not None:
        conditions.insert(0, walk.condition(on, "JOIN", columns))
    rows = derived((source, target), columns, target.output, conditions, walk.subquery_datasets(node))
    return _rewrite(node, walk, "merge", tuple(made), rows)


def merged_rows(node: Node, walk: Walk) -> Relation:
    """The rows that MERGE leaves of a DataSource V2 table, made of the joined rows by instructions for those that match and those that
    do not: a column is what any of them puts there, and their conditions decide."""
    child = walk.child(node)
    output = node.output or ()
    given: list[list[Stated]] = [[] for _ in output]
    tests = [stated for name in ("isSourceRowPresent", "isTargetRowPresent") if (stated := node.expression(name)) is not None]
    for field in ("matchedInstructions", "notMatchedInstructions", "notMatchedBySourceInstructions"):
        for instruction in node.expressions(field):
            condition, *values = instruction.children
            tests.append(Stated(condition))
            if len(values) % max(len(output), 1):
                raise MissingFieldError(f"{node.kind} has an instruction with {len(values)} values for {len(output)} columns")
            for at, value in enumerate(values):  # an update that is split has those of a delete and those of an insert
                given[at % len(output)].append(Stated(value))
    columns = {}
    for expression_id, cells in zip(output, given, strict=True):
        columns[expression_id] = _any_of([_evaluated(cell, node, child.columns, walk) for cell in cells], node, walk)
    conditions = [walk.condition(test, "CONDITIONAL", child.columns) for test in tests]
    return derived((child,), columns, output, conditions, walk.subquery_datasets(node))


def update(node: Node, walk: Walk) -> Relation:
    """UPDATE: its condition bears on the columns that it sets, not on the others."""
    target = walk.query(node, "target")
    condition = node.expression("condition")
    deciding = None if condition is None else walk.condition(condition, "CONDITIONAL", target.columns)
    made = []
    for expression_id, stated in zip(target.output, node.stated("updateExpressions"), strict=True):
        previous = target.columns[expression_id]
        value = _evaluated(stated, node, target.columns, walk)
        if value is not previous and deciding is not None:
            value = _decided(previous, value, deciding, node, walk)
        made.append((walk.plan.name_of(expression_id), value))
    rows = derived((target,), target.columns, target.output, datasets=walk.subquery_datasets(node))
    return _rewrite(node, walk, "update", tuple(made), rows)


def delete(node: Node, walk: Walk) -> Relation:
    """DELETE: what is left is as it was; the condition decides about all columns."""
    target = walk.query(node, "target")
    condition = node.expression("condition")
    conditions: tuple[Condition, ...] = ()
    if condition is not None:
        conditions = (walk.condition(condition, "FILTER", target.columns),)
    made = tuple((walk.plan.name_of(item), target.columns[item]) for item in target.output)
    rows = derived((target,), target.columns, target.output, conditions, walk.subquery_datasets(node))
    return _rewrite(node, walk, "delete", made, rows)


@dataclass(frozen=True, slots=True)
class _Clause:
    """One WHEN of a MERGE."""

    inserts: bool
    condition: Stated | None
    values: tuple[tuple[str, Stated], ...]


def _clauses(node: Node) -> Iterable[_Clause]:
    for field in ("matchedClauses", "notMatchedClauses", "notMatchedBySourceClauses"):
        for expression in node.expressions(field):
            if not isinstance(expression, Call):
                raise MissingFieldError(f"{node.kind}.{field} holds something that is no clause")
            condition = expression.arguments.get("condition")
            actions = expression.arguments.get("actions", ())
            yield _Clause(
                inserts=field == "notMatchedClauses",
                condition=condition if isinstance(condition, Stated) else None,
                values=tuple(_actions(node, actions if isinstance(actions, tuple) else ())),
            )


def _actions(node: Node, actions: tuple[object, ...]) -> Iterable[tuple[str, Stated]]:
    """Target column and value of each assignment. `SET *` has been spelt out by the analyzer."""
    for action in actions:
        call = action.expression if isinstance(action, Stated) else None
        parts = call.arguments.get("targetColNameParts") if isinstance(call, Call) else None
        value = call.arguments.get("expr") if isinstance(call, Call) else None
        if not isinstance(parts, tuple) or not parts or not isinstance(value, Stated):
            raise MissingFieldError(f"{node.kind} has an assignment that does not name its column and value")
        yield str(parts[0]), value


def _evaluated(stated: Stated, node: Node, columns: Mapping[int, Column], walk: Walk) -> Column:
    """The column that an assigned expression gives; a bare column is itself."""
    bare = _bare(stated.expression)
    if bare is not None and bare in columns:
        return columns[bare]
    evaluated = walk.evaluate(stated.expression, columns)
    return Column.of(evaluated.value, stated.sql, node.kind, evaluated.parents)


def _bare(expression: Expression) -> int | None:
    expression_id = getattr(expression, "id", None)
    return expression_id if not expression.children else None


def _any_of(columns: Iterable[Column], node: Node, walk: Walk) -> Column:
    """A column that takes its value from one of several, row by row."""
    columns = tuple({id(column): column for column in columns}.values())
    if len(columns) == 1:
        return columns[0]
    expressions = tuple(dict.fromkeys(column.expression for column in columns if column.expression))
    value = any_of((column.value for column in columns), walk.sources)
    expression = expressions[0] if len(expressions) == 1 else None
    return Column(value.influence, expression, node.kind, columns, None, value.fields)


def _decided(previous: Column, new: Column, deciding: Condition, node: Node, walk: Walk) -> Column:
    """A column that is set in the rows that a condition names. It does not bear on the fields of a struct that stay as they are."""
    either = _any_of((previous, new), node, walk)
    value = _by(deciding.influence, previous.value, new.value, either.value, walk)
    return Column(value.influence, either.expression, node.kind, (previous, new), deciding.expression, value.fields)


def _by(decision: Influence, previous: Value, new: Value, either: Value, walk: Walk) -> Value:
    if new.fields is None and new.influence == previous.influence and previous.fields is None:
        return either
    if new.fields is None or either.fields is None:
        return either.and_also(decision)
    fields = {
        name: _by(decision, previous.field(name, walk.sources), new.fields[name], field, walk) if name in new.fields else field
        for name, field in either.fields.items()
    }
    return Value(union((either.influence, decision)), fields)


def _rewrite(node: Node, walk: Walk, operation: str, columns: tuple[tuple[str, Column], ...], rows: Relation) -> Relation:
    target = _target(node, walk)
    walk.written.append(Written(target, operation, operation, columns, rows, node, walk.fields(rows.output), rewrites=True))
    return Relation(datasets=rows.datasets)


def _target(node: Node, walk: Walk) -> DatasetRef:
    """The table: the only reading of the target's plan, with the name that the catalog has for it."""
    datasets = walk.query(node, "target").datasets
    if datasets == 0 or datasets & (datasets - 1):
        raise MissingFieldError(f"{node.kind} has no single table as its target")
    dataset = walk.readings[datasets.bit_length() - 1].dataset
    table = node.table("catalogTable")
    return dataset.also_called(walk.naming.aliases(table.name)) if table else dataset


HANDLERS: Final[dict[str, Handler]] = {
    "MergeIntoCommand": merge,
    "UpdateCommand": update,
    "DeleteCommand": delete,
    "DeleteFromTable": delete,
    "MergeRows": merged_rows,
}
