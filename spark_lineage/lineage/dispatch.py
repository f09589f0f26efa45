"""The table of node handlers, and the loop that applies it.

To teach the resolver a node: write a handler in the module of its group under ``nodes/``, add it to that module's `HANDLERS`,
and a case under ``tests/plans/``. A node without a handler takes the unknown path: each of its columns may come from any
column below it, and the reason is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ..model import SampleColumn
from ..plan.document import Commit
from ..plan.nodes import LEFT_OUT, MissingFieldError, Node, Plan
from .datasets import DatasetRef, Naming
from .influence import Sources
from .naming import DatasetKey
from .nodes import columns, combining, commands, dml, functions, leaves, model_marks, rows, streams, writes
from .nodes.handler import Handler
from .relation import Relation
from .walk import MALFORMED, Walk

HANDLERS: Final[dict[str, Handler]] = {
    **leaves.HANDLERS,
    **rows.HANDLERS,
    **model_marks.HANDLERS,
    **columns.HANDLERS,
    **functions.HANDLERS,
    **combining.HANDLERS,
    **writes.HANDLERS,
    **streams.HANDLERS,
    **dml.HANDLERS,
    **commands.HANDLERS,
}

_OURS: Final = ("org.apache.spark.", "io.delta.")
"""The packages that handlers are written for. A node of a library's own that is called like one of Spark's is another one."""


def walk_plan(
    plan: Plan,
    naming: Naming,
    hints: Sequence[DatasetRef] = (),
    confs: Mapping[str, str] | None = None,
    outer: Walk | None = None,
    committed: Mapping[DatasetKey, Commit] | None = None,
    masks: frozenset[str] = frozenset(),
    streamed: tuple[str, ...] = (),
    keyed: Mapping[DatasetKey, SampleColumn] | None = None,
) -> Walk:
    """Resolve every node, those below first. Never raises for what a plan holds: what is not understood takes the unknown path.

    `masks`: names of the user's own functions that mask what they are given, in lower case. `streamed`: what the sources of a stream's
    batch call themselves. `keyed`: columns that rows were given beside those of the plan. `outer` is the plan around this one, where it runs inside another: sources are shared, and a stream's batch is its rows.
    """
    walk = (
        Walk(
            plan, naming, Sources(), [], hints, confs or {}, committed or {}, masks=masks, streamed=streamed, keyed=keyed or {}
        )
        if outer is None
        else _inside(plan, naming, hints, outer)
    )
    ran = _of_this_execution(plan)
    for node_id, node in plan.nodes.items():
        walk.relations[node_id] = _resolve(node, walk) if ran is None or node_id in ran else Relation()
    return walk


def _of_this_execution(plan: Plan) -> set[int] | None:
    """The nodes but those of commands whose result is looked at: those ran before. None for all."""
    if not any(node.kind == "CommandResult" for node in plan.nodes.values()):
        return None
    found: set[int] = set()
    stack = [plan.root]
    while stack:
        node_id = stack.pop()
        if node_id not in found:
            found.add(node_id)
            node = plan.nodes[node_id]
            stack.extend(node.subqueries if node.kind == "CommandResult" else node.references)
    return found


def _inside(plan: Plan, naming: Naming, hints: Sequence[DatasetRef], outer: Walk) -> Walk:
    walk = Walk(
        plan, naming, outer.sources, outer.readings, hints, outer.confs, outer.committed, masks=outer.masks, keyed=outer.keyed
    )
    root = outer.plan.nodes[outer.plan.root]
    if root.kind.startswith("WriteToMicroBatch"):
        rows = outer.relations[root.id]
        walk.batch = tuple(outer.plan.name_of(item) for item in rows.output), rows
    return walk


def _resolve(node: Node, walk: Walk) -> Relation:
    if node.kind == LEFT_OUT:
        return leaves.unknown_rows(node, walk)  # no node of Catalyst's; the document says why it is not there
    foreign = "." in node.class_name and not node.class_name.startswith(_OURS)
    handler = None if foreign else HANDLERS.get(node.kind)
    if handler is None:
        return _unknown(node, walk, f"unknown node {node.class_name if foreign else node.kind}")
    written, readings = len(walk.written), len(walk.readings)
    try:
        relation = handler(node, walk)
        _check(relation, node, walk)
        return relation
    except MALFORMED as error:
        del walk.written[written:], walk.readings[readings:]
        return _unknown(node, walk, f"unknown form of node {node.kind}: {error}")


def _check(relation: Relation, node: Node, walk: Walk) -> None:
    """Raises `MissingFieldError` where the output has a column that nothing gives."""
    children = (walk.relations[child] for child in node.children)
    if any(relation.output is child.output and relation.columns is child.columns for child in children):
        return
    for item in relation.output:
        if item not in relation.columns:
            raise MissingFieldError(f"nothing gives the column {walk.plan.name_of(item)}")


def _unknown(node: Node, walk: Walk, reason: str) -> Relation:
    walk.reason(reason)
    children = tuple(walk.relations[item] for item in (*node.children, *node.plans))
    if not children and node.output:
        return leaves.unknown_rows(node, walk)
    return columns.mixed(node, walk, children, unseen=True)
