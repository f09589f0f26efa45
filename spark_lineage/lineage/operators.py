"""A plan for people and for comparison: operators numbered afresh, literal values and versions out."""

from __future__ import annotations

from typing import Final

from ..model import Plan as PlanRecord
from ..model import PlanOperator
from ..plan.nodes import Node
from ..plan.values import TextMap
from .edges import content_id, without_literals
from .influence import numbers
from .relation import Relation
from .walk import Walk

LONGEST: Final = 4_000
"""Characters of a description; what a projection of a thousand columns says beyond that is in its fields."""


def plan_of(walk: Walk) -> PlanRecord:
    """The operators of a plan under the name that their content has: the same for each run of the same code."""
    numbered = {node_id: number for number, node_id in enumerate(walk.plan.nodes)}
    definitions = {node.text("id"): node.id for node in walk.plan.nodes.values() if node.kind == "CTERelationDef"}
    operators = tuple(_operator(node, numbered, definitions, walk) for node in walk.plan.nodes.values())
    content = [[one.id, one.inputs, one.kind, one.description, one.fields] for one in operators]
    return PlanRecord(plan_id=content_id(content), operators=operators)


def _operator(node: Node, numbered: dict[int, int], definitions: dict[str | None, int], walk: Walk) -> PlanOperator:
    relation = walk.relations[node.id]
    references = node.references
    if node.kind == "CTERelationRef" and node.text("cteId") in definitions:
        references = (definitions[node.text("cteId")],)
    return PlanOperator(
        id=numbered[node.id],
        inputs=tuple(numbered[reference] for reference in references),
        kind=node.kind,
        description=_description(node, references, relation, walk),
        fields=tuple(walk.plan.name_of(item) for item in relation.output),
    )


def _description(node: Node, references: tuple[int, ...], relation: Relation, walk: Walk) -> str:
    target = next((written.target for written in walk.written if written.node is node), None)
    if target is not None:
        return f"{target.key[0]} {target.key[1]}"
    if not references and relation.datasets:
        read = tuple(walk.readings[number].dataset.key for number in numbers(relation.datasets))
        return ", ".join(f"{namespace} {name}" for namespace, name in read)
    if node.kind == "SubqueryAlias":
        return _alias(node)
    stated = (item.sql or walk.name(item.expression) or "" for item in node.all_stated())
    text = without_literals(", ".join(stated))
    kind = node.text("joinType")
    return (f"{kind} {text}".strip() if kind else text)[:LONGEST]


def _alias(node: Node) -> str:
    identifier = node.fields.get("identifier")
    name = identifier.entries.get("name") if isinstance(identifier, TextMap) else None
    return name if isinstance(name, str) else ""
