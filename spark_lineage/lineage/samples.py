"""Samples of rows that a program asks for, of writes inside of a plan: those of a function of `foreachBatch`."""

from __future__ import annotations

from collections import deque

from ..sample_marks import sample_of
from .nodes.model_marks import alias_name
from .walk import Walk, Written


def sample_mark(walk: Walk, written: Written) -> str | None:
    """The alias nearest to what is written by which a sample of it is asked for."""
    waiting = deque([walk.plan.root if written.node is None else written.node.id])
    seen = set(waiting)
    while waiting:
        node = walk.plan.nodes[waiting.popleft()]
        if node.kind == "SubqueryAlias" and sample_of(alias_name(node)) is not None:
            return alias_name(node)
        below = [one for one in node.references if one not in seen and one in walk.plan.nodes]
        seen.update(below)
        waiting.extend(below)
    return None
