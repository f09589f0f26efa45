"""A plan for people and for comparison: operators numbered afresh, literal values and versions out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from ..model import Plan as PlanRecord
from ..model import PlanOperator
from ..plan.expressions import Attribute
from ..plan.expressions import walk as parts_of
from ..plan.nodes import Node
from .column_graph import LONGEST, REASON, graph_of, spelt
from .datasets import DatasetRef
from .edges import content_id
from .influence import numbers
from .nodes.model_marks import told_by
from .relation import Relation
from .walk import Walk

NOT_RECORDED: Final = "a dataset that is not recorded"
_MAKING: Final = ("Aggregate", "Expand", "Generate", "Project", "Window")


def plan_of(walk: Walk, allowed: Callable[[DatasetRef], bool] = lambda dataset: True) -> PlanRecord:
    """A plan under the name that its content has: the same for each run of the same code.

    Datasets that are not `allowed` have no name in it. What the columns say follows from the operators, so that these alone make the name; unless they
    leave open which column is meant, or other plans ran inside this one, whose operators are not kept.
    """
    numbered = {node_id: number for number, node_id in enumerate(walk.plan.nodes)}
    definitions = {node.text("id"): node.id for node in walk.plan.nodes.values() if node.kind == "CTERelationDef"}
    names: dict[int, tuple[str, ...]] = {}
    for relation in walk.relations.values():
        if id(relation.output) not in names:  # most operators hand on the columns that they are given
            names[id(relation.output)] = tuple(walk.plan.name_of(item) for item in relation.output)
    operators = tuple(_operator(node, numbered, definitions, names, walk, allowed) for node in walk.plan.nodes.values())
    content: list[object] = [[one.id, one.inputs, one.kind, one.description, one.fields] for one in operators]
    graph = graph_of(walk, numbered, allowed)
    if not graph.whole:
        walk.reason(f"{REASON}the plan has more columns than are kept for following them step by step")
    if graph.columns and (walk.inner or not _tells_columns_apart(walk, operators)):
        sources = [[(source.namespace, source.name, source.column) for source in one.sources] for one in graph.columns]
        content.append([[one.operator, one.name, one.expression, one.inputs] for one in graph.columns] + sources)
    return PlanRecord(plan_id=content_id(content), operators=operators, columns=graph.columns)


def _tells_columns_apart(walk: Walk, operators: tuple[PlanOperator, ...]) -> bool:
    """Whether the texts say which column each operator takes: none is cut, and no name that it takes is that of two columns."""
    if any(len(one.description) >= LONGEST for one in operators):
        return False
    for node in walk.plan.nodes.values():
        if node.kind not in _MAKING:
            continue
        given = {item for child in node.children for item in walk.relations[child].output}
        count = Counter(walk.plan.name_of(item).lower() for item in given)
        doubled = {item for item in given if count[walk.plan.name_of(item).lower()] > 1}
        if doubled and any(
            isinstance(part, Attribute) and part.id in doubled
            for item in node.all_stated()
            for part in parts_of(item.expression)
        ):
            return False
    return True


def _operator(
    node: Node,
    numbered: dict[int, int],
    definitions: dict[str | None, int],
    names: Mapping[int, tuple[str, ...]],
    walk: Walk,
    allowed: Callable[[DatasetRef], bool],
) -> PlanOperator:
    relation = walk.relations[node.id]
    references = node.references
    if node.kind == "CTERelationRef" and node.text("cteId") in definitions:
        references = (definitions[node.text("cteId")],)
    return PlanOperator(
        id=numbered[node.id],
        inputs=tuple(numbered[reference] for reference in references),
        kind=node.kind,
        description=_description(node, references, relation, walk, allowed),
        fields=names[id(relation.output)],
    )


def _description(
    node: Node, references: tuple[int, ...], relation: Relation, walk: Walk, allowed: Callable[[DatasetRef], bool]
) -> str:
    target = next((written.target for written in walk.written if written.node is node), None)
    if target is not None:
        return " ".join(target.key) if allowed(target) else NOT_RECORDED
    if not references and relation.datasets:
        read = tuple(walk.readings[number].dataset for number in numbers(relation.datasets))
        return ", ".join(" ".join(dataset.key) if allowed(dataset) else NOT_RECORDED for dataset in read)
    if node.kind == "SubqueryAlias":
        return told_by(node)[:LONGEST]
    stated = (item.sql or walk.name(item.expression) or "" for item in node.all_stated())
    text = spelt(", ".join(stated)) or ""
    kind = node.text("joinType")
    return (f"{kind} {text}".strip() if kind else text)[:LONGEST]
