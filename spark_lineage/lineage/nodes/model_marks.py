"""Aliases, some of which carry what the program declared of the frame (``model_marks.py``): models that Spark does not know."""

from __future__ import annotations

from typing import Final

from ...model_marks import Declared, declared_by
from ...plan.nodes import Node
from ...plan.values import TextMap
from ..datasets import Reading
from ..influence import Influence, Source, passed, union
from ..relation import Column, Relation, derived
from ..value import Value
from ..walk import Walk, Written
from .handler import Handler

FORMAT: Final = "model"


def alias(node: Node, walk: Walk) -> Relation:
    """The child's rows."""
    child = walk.child(node)
    try:
        declared = declared_by(alias_name(node))
    except ValueError as error:
        walk.reason(str(error))
        return child
    if declared is None:
        return child
    return _trained(node, declared, child, walk) if declared.kind == "trained" else _scored(declared, child, walk)


def alias_name(node: Node) -> str:
    identifier = node.fields.get("identifier")
    name = identifier.entries.get("name") if isinstance(identifier, TextMap) else None
    return name if isinstance(name, str) else ""


def told_by(node: Node) -> str:
    """The alias, or what it declares of which columns, for people. The model may be one that is not recorded."""
    name = alias_name(node)
    try:
        declared = declared_by(name)
    except ValueError:
        return name
    return name if declared is None else " ".join((declared.kind, *declared.columns))


def _trained(node: Node, declared: Declared, child: Relation, walk: Walk) -> Relation:
    """The model is a dataset that is made of the rows: each of the columns bears on it as a whole."""
    columns = tuple(child.columns[item] for item in _named(declared, child, walk))
    influence = union(part for column in columns for part in column.value.parts()).aggregated().only(declared=True)
    made = Column(influence, None, "trained", columns)
    target = walk.naming.of_path(declared.model, FORMAT)
    walk.written.append(Written(target, "train model", "overwrite", ((None, made),), child, node, declared=True))
    return child


def _scored(declared: Declared, child: Relation, walk: Walk) -> Relation:
    """What the model computed comes from the model as a whole, beside what the plan tells."""
    number = len(walk.readings)
    walk.readings.append(Reading(walk.naming.of_path(declared.model, FORMAT), declared=True))
    model = Column(passed(walk.sources.bit(Source("column", number))).transformed().only(declared=True))
    columns = dict(child.columns)
    for item in _named(declared, child, walk):
        columns[item] = _and_also(columns[item], model)
    return derived((child,), columns, child.output, datasets=1 << number)


def _and_also(column: Column, model: Column) -> Column:
    value: Value = column.value.through(Influence.transformed).and_also(model.influence)
    return Column.of(value, column.expression, "scored", (column, model))


def _named(declared: Declared, child: Relation, walk: Walk) -> tuple[int, ...]:
    names = {name.lower() for name in declared.columns}
    found = tuple(item for item in child.output if not names or walk.plan.name_of(item).lower() in names)
    return found or child.output


HANDLERS: Final[dict[str, Handler]] = {"SubqueryAlias": alias}
