"""A plan for people and for comparison: operators numbered afresh, literal values and versions out."""

from __future__ import annotations

from typing import Final

from ..model import Plan as PlanRecord
from ..model import PlanOperator
from ..plan.nodes import Node
from .edges import content_id, without_literals
from .influence import numbers
from .relation import Relation
from .walk import Walk

LONGEST: Final = 4_000
"""Characters of a description; what a projection of a thousand columns says beyond that is in its fields."""


def plan_of(walk: Walk) -> PlanRecord:
    """The operators of a plan under the name that their content has: the same for each run of the same code."""
    numbered = {node_id: number for number, node_id in enumerate(walk.plan.nodes)}
    operators = tuple(_operator(node, numbered, walk) for node in walk.plan.nodes.values())
    content = [[one.id, one.inputs, one.kind, one.description, one.fields] for one in operators]
    return PlanRecord(plan_id=content_id(content), operators=operators)


def _operator(node: Node, numbered: dict[int, int], walk: Walk) -> PlanOperator:
    relation = walk.relations[node.id]
    return PlanOperator(
        id=numbered[node.id],
        inputs=tuple(numbered[reference] for reference in node.references),
        kind=node.kind,
        description=_description(node, relation, walk),
        fields=tuple(walk.plan.name_of(item) for item in relation.output),
    )


def _description(node: Node, relation: Relation, walk: Walk) -> str:
    target = next((written.target for written in walk.written if written.node is node), None)
    if target is not None:
        return f"{target.key[0]} {target.key[1]}"
    if not node.references and relation.datasets:
        read = tuple(walk.readings[number].dataset.key for number in numbers(relation.datasets))
        return ", ".join(f"{namespace} {name}" for namespace, name in read)
    stated = (item.sql or walk.name(item.expression) or "" for item in node.all_stated())
    text = without_literals(", ".join(stated))
    kind = node.text("joinType")
    return (f"{kind} {text}".strip() if kind else text)[:LONGEST]
