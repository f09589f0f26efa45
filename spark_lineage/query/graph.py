"""Walks over the recorded lineage, backward and forward, through time. Pure: everything is in the arguments.

Both walks go from write to write. A write of dataset T that read S continues, backward, with the writes that made up S *as that
execution read it*; so an old answer stays the same whatever is written later, and a cycle (a MERGE into a table that derives
from itself) ends where the table's history ends. Edges that recur, night after night, are one `Step` with a count.

Forward is the exact reverse: T is reached from X where X is reached, backward, from what is in force in T.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .edges import Edge, LineageEdges, Place, PlaceKind, covers
from .history import History, Write
from .names import Key

Indirect = Literal["follow", "show", "hide"]
"""What is done with an INDIRECT edge: gone along, shown as an end, or left out."""

Reach = Literal["start", "direct", "indirect", "inferred"]
"""How a place hangs together with the start of a walk."""


class Step(NamedTuple):
    """An edge that a walk took: by how many executions it was made, the last of them, how far from the start it ends, and the
    jobs that made it, the one of the last first."""

    edge: Edge
    last: Write
    executions: int
    distance: int
    jobs: tuple[str, ...]


def upstream(
    history: History, edges: LineageEdges, start: Place, at: int, depth: int | None = None, indirect: Indirect = "show"
) -> list[Step]:
    """What `start` derives from, as of time `at` (microseconds); at most `depth` edges away. Nearest first."""
    assert start.dataset is not None
    steps = _Steps()
    fresh: dict[Place, _Unseen] = {}
    queue = deque([(start, history.in_force(start.dataset, at), 1)])
    while queue:
        place, span, distance = queue.popleft()
        for position in fresh.setdefault(place, _Unseen()).take(span):
            write = history.writes[position]
            for edge in _into(edges, write, place):
                if indirect == "hide" and not edge.followed:
                    continue
                steps.add(edge, position, write, distance)
                source = edge.source.dataset
                follow = edge.followed or (indirect == "follow" and not edge.order_only)
                if source is not None and follow and (depth is None or distance < depth):
                    queue.append((edge.source, history.as_read(source, write), distance + 1))
    return steps.all()


def downstream(
    history: History, edges: LineageEdges, start: Place, at: int, depth: int | None = None, indirect: Indirect = "follow"
) -> tuple[list[Step], set[Place]]:
    """What derives from `start`, nearest first, and which of the places are in force at time `at`.

    Places not in force are on the way to one: their data was overwritten since, what was made of it was not.
    """
    assert start.dataset is not None
    readers = _Readers(live_writes(history, edges, at))
    steps = _Steps()
    in_force: set[Place] = set()
    fresh: dict[Place, _Unseen] = {}
    reached: set[tuple[Place, int]] = set()
    queue = deque([(start, readers.all_of(start.dataset), 1)])
    while queue:
        place, span, distance = queue.popleft()
        for position in fresh.setdefault(place, _Unseen()).take(span):
            written = readers.writes[position]
            write = history.writes[written]
            for edge in edges.out_of(write.lineage_id or "", write.dataset, place):
                if indirect == "hide" and not edge.followed:
                    continue
                steps.add(edge, written, write, distance)
                target = edge.target
                if written in history.in_force(write.dataset, at):
                    in_force.add(target)
                if (target, written) in reached or not (edge.followed or (indirect == "follow" and not edge.order_only)):
                    continue
                reached.add((target, written))
                queue.append((target, readers.of(write.dataset, written), distance + 1))
    kept = _leading_to(in_force, steps.all())
    return [step for step in kept if depth is None or step.distance <= depth], in_force


def live_writes(history: History, edges: LineageEdges, at: int) -> dict[int, list[tuple[Key, range]]]:
    """The writes that something in force at `at`, in any dataset, was made of or made by: their positions.

    With each, the datasets that it took from and the writes that were in these then.
    """
    live: dict[int, list[tuple[Key, range]]] = {}
    fresh = _Unseen()
    queue = deque(history.in_force(dataset, at) for dataset in history.spans)
    while queue:
        for position in fresh.take(queue.popleft()):
            write = history.writes[position]
            sources = edges.sources(write.lineage_id or "", write.dataset)
            live[position] = [(source, history.as_read(source, write)) for source in sources]
            queue.extend(span for _, span in live[position])
    return live


def reachable(start: Key, edges: Iterable[Edge], forward: bool) -> set[Key]:
    """The datasets that hang together with `start` at any time, itself among them: no walk meets another."""
    adjacent: dict[Key | None, set[Key]] = {}
    for edge in edges:
        near, far = (edge.source, edge.target) if forward else (edge.target, edge.source)
        if far.dataset is not None:
            adjacent.setdefault(near.dataset, set()).add(far.dataset)
    seen, queue = {start}, deque([start])
    while queue:
        new = adjacent.get(queue.popleft(), set()) - seen
        seen |= new
        queue.extend(new)
    return seen


def reach(start: Place, steps: Sequence[Step], forward: bool) -> dict[Place, Reach]:
    """How each place is reached: ``direct`` if the value goes all the way, else ``indirect``, else ``inferred``."""
    kinds: dict[Place, Reach] = {}
    rules: tuple[tuple[Reach, Callable[[Edge], bool]], ...] = (
        ("direct", lambda edge: edge.followed and edge.certainty != "inferred"),
        ("indirect", lambda edge: edge.certainty != "inferred"),
        ("inferred", lambda edge: True),
    )
    for kind, fits in rules:
        adjacent = Adjacent([step for step in steps if fits(step.edge)], forward)
        seen, queue = {start}, deque([start])
        while queue:
            place = queue.popleft()
            for step in adjacent.next(place):
                near, far = (step.edge.source, step.edge.target) if forward else (step.edge.target, step.edge.source)
                # Another place than `place` that covers it, all columns say, hangs together with it by this step alone.
                if near.dataset != start.dataset:
                    kinds.setdefault(near, kind)
                kinds.setdefault(far, kind)
                if far not in seen:
                    seen.add(far)
                    queue.append(far)
    kinds.pop(start, None)
    return kinds


class Adjacent:
    """The steps that go on from a place: from it, from all columns of its dataset, from a struct and its fields."""

    def __init__(self, steps: Sequence[Step], forward: bool) -> None:
        self._by_dataset: dict[Key | None, dict[Place, list[Step]]] = {}
        for step in steps:
            place = step.edge.source if forward else step.edge.target
            self._by_dataset.setdefault(place.dataset, {}).setdefault(place, []).append(step)

    def next(self, place: Place) -> Iterator[Step]:
        if place.dataset is None:
            return
        for other, steps in self._by_dataset.get(place.dataset, {}).items():
            if covers(other, place):
                yield from steps


def _into(edges: LineageEdges, write: Write, place: Place) -> tuple[Edge, ...]:
    """The edges of a write; of one whose lineage could not be captured, that its source is unknown."""
    if write.lost:
        return (Edge(Place("unknown"), place._replace(kind=_whole(place), column=None), certainty="inferred"),)
    return edges.into(write.lineage_id or "", place)


def _whole(place: Place) -> PlaceKind:
    return "dataset" if place.kind == "dataset" else "all_columns"


def _leading_to(ends: set[Place], steps: list[Step]) -> list[Step]:
    """The steps from which one of `ends` can be reached."""
    backward = Adjacent(steps, forward=False)
    leading: set[Step] = set()
    seen, queue = set(ends), deque(ends)
    while queue:
        for step in backward.next(queue.popleft()):
            leading.add(step)
            if step.edge.source not in seen:
                seen.add(step.edge.source)
                queue.append(step.edge.source)
    return [step for step in steps if step in leading]


class _Unseen:
    """Positions not taken yet. Taking overlapping ranges over and over costs next to nothing (a union-find)."""

    def __init__(self) -> None:
        self._next: dict[int, int] = {}

    def take(self, span: range) -> Iterator[int]:
        position = self._find(span.start)
        while position < span.stop:
            self._next[position] = position + 1
            yield position
            position = self._find(position + 1)

    def _find(self, position: int) -> int:
        root = position
        while root in self._next:
            root = self._next[root]
        while position != root:
            self._next[position], position = root, self._next[position]
        return root


class _Steps:
    """Equal edges, of whatever execution, folded into one step."""

    def __init__(self) -> None:
        self._found: dict[Edge, _Folded] = {}

    def add(self, edge: Edge, position: int, write: Write, distance: int) -> None:
        folded = self._found.get(edge)
        if folded is None:
            self._found[edge] = _Folded(write, {position: write}, distance)
            return
        folded.writes[position] = write
        folded.distance = min(folded.distance, distance)
        if write.effective_at > folded.last.effective_at:
            folded.last = write

    def all(self) -> list[Step]:
        steps = [Step(edge, found.last, len(found.writes), found.distance, found.jobs()) for edge, found in self._found.items()]
        return sorted(steps, key=_order)


def _order(step: Step) -> tuple[object, ...]:
    """Nearest first, values before datasets before what only decides, then by name: the same answer looks the same each time."""
    edge = step.edge
    places = ((place.kind, place.dataset or (), place.column or "") for place in (edge.target, edge.source))
    return (
        step.distance,
        {"DIRECT": 0, "INDIRECT": 2}.get(edge.edge_type or "", 1),
        *places,
        edge.subtype or "",
        edge.certainty,
        edge.masking,
        edge.expression or "",
        edge.order_only,
    )


@dataclass(slots=True)
class _Folded:
    last: Write
    writes: dict[int, Write]
    """By their positions in the history."""
    distance: int

    def jobs(self) -> tuple[str, ...]:
        latest = sorted(self.writes.values(), key=lambda write: (write is not self.last, -write.effective_at))
        return tuple(dict.fromkeys(write.job_name for write in latest if write.job_name is not None))


class _Readers:
    """For each dataset the live writes whose executions read it, in the order of what they saw of it.

    Ranges are of positions in `writes`, which holds positions in the history. A later reader never sees less far back
    than an earlier one, so those who saw a given write are always neighbours.
    """

    def __init__(self, live: Mapping[int, Iterable[tuple[Key, range]]]) -> None:
        found = [(source, span.stop, span.start, position) for position, read in live.items() for source, span in read]
        found.sort()
        self.writes = [position for _, _, _, position in found]
        self._stops = [stop for _, stop, _, _ in found]
        self._starts = [start for _, _, start, _ in found]
        self._spans: dict[Key, range] = {}
        for index, (dataset, _, _, _) in enumerate(found):
            first = self._spans[dataset].start if dataset in self._spans else index
            self._spans[dataset] = range(first, index + 1)

    def all_of(self, dataset: Key) -> range:
        return self._spans.get(dataset, range(0))

    def of(self, dataset: Key, written: int) -> range:
        """The readers that saw the write at the position `written` of the history."""
        span = self.all_of(dataset)
        first = bisect_right(self._stops, written, span.start, span.stop)
        return range(first, max(first, bisect_right(self._starts, written, span.start, span.stop)))
