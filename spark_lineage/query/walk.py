"""The answer to a walk, out of the steps that it took."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from .answers import Link, Node, Walk
from .edges import Place
from .graph import Indirect, Reach, Step, reach
from .moment import from_microseconds
from .names import Names


def walk_of(
    names: Names,
    start: Place,
    steps: Sequence[Step],
    forward: bool,
    at: datetime,
    depth: int | None,
    indirect: Indirect,
    in_force: Collection[Place] | None = None,
) -> Walk:
    """The answer. `in_force` None: all places are."""
    return Walk(
        direction="downstream" if forward else "upstream",
        start=node_id(start),
        at=at,
        depth=depth,
        indirect=indirect,
        nodes=nodes_of(names, start, steps, forward, in_force),
        links=links_of(steps),
    )


def links_of(steps: Sequence[Step]) -> tuple[Link, ...]:
    """One link a step, in the same order."""
    return tuple(
        Link(
            source=node_id(edge.source),
            target=node_id(edge.target),
            edge_type=edge.edge_type,
            subtype=edge.subtype,
            certainty=edge.certainty,
            masking=edge.masking,
            expression=edge.expression,
            order_only=edge.order_only,
            distance=distance,
            executions=executions,
            last_execution_id=last.execution_id,
            last_run_id=last.run_id,
            last_job_name=last.job_name,
            last_at=from_microseconds(last.effective_at),
            jobs=jobs,
        )
        for edge, last, executions, distance, jobs in steps
    )


def nodes_of(
    names: Names, start: Place, steps: Sequence[Step], forward: bool, in_force: Collection[Place] | None = None
) -> tuple[Node, ...]:
    """The start, then each place of the steps once, nearest first."""
    distances = {start: 0}
    for edge, _, _, distance, _ in steps:
        near, far = (edge.source, edge.target) if forward else (edge.target, edge.source)
        distances.setdefault(near, distance - 1)
        distances.setdefault(far, distance)
    reached = reach(start, steps, forward)
    return tuple(
        _node(names, place, reached.get(place, "start"), distance, in_force is None or place in in_force)
        for place, distance in sorted(distances.items(), key=lambda item: item[1])
    )


def node_id(place: Place) -> str:
    """``namespace:name``, with ``#column`` behind it for a column and ``#*`` for all; ends are named by their kind."""
    if place.dataset is None:
        return place.kind
    whole = ":".join(place.dataset)
    return {"column": f"{whole}#{place.column}", "all_columns": f"{whole}#*"}.get(place.kind, whole)


def _node(names: Names, place: Place, reached: Reach, distance: int, in_force: bool) -> Node:
    namespace, name = place.dataset or (None, None)
    label = place.kind if place.dataset is None else names.label(place.dataset)
    return Node(
        id=node_id(place),
        kind=place.kind,
        namespace=namespace,
        name=name,
        label=f"{label}.{place.column}" if place.column else label,
        column=place.column,
        reach=reached,
        in_force=in_force,
        distance=distance,
    )
