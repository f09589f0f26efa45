"""Walks against a reference that knows no history: it plays the writes forward and carries along what each value is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from spark_lineage.query.edges import Edge, LineageEdges, Place, Wrote
from spark_lineage.query.graph import Indirect, Step, downstream, reach, upstream
from spark_lineage.query.history import History, Read, Write

DATASETS = ("a", "b", "c", "d")
COLUMNS = ("x", "y")


def key(name: str) -> tuple[str, str]:
    return ("file", name)


def column(name: str) -> Place:
    dataset, column = name.split(".")
    return Place("all_columns", key(dataset)) if column == "*" else Place("column", key(dataset), column)


def dataset(name: str) -> Place:
    return Place("dataset", key(name))


def spelled(place: Place) -> str:
    if place.dataset is None:
        return place.kind
    return f"{place.dataset[1]}.{place.column or '*'}" if place.kind != "dataset" else place.dataset[1]


@dataclass(frozen=True)
class Job:
    """An execution that writes `target` at `time`. `edges`: (source column, target column, direct). `reads`: the version it saw.

    Without a version the sources are as they were when it started, at `time` too, before it wrote.
    """

    time: int
    target: str
    full: bool
    edges: tuple[tuple[str, str, bool], ...] = ()
    inferred: tuple[str, ...] = ()
    reads: dict[str, int] = field(default_factory=dict)


def recorded(jobs: Iterable[Job]) -> tuple[History, LineageEdges]:
    """The jobs as the lineage tables would have them."""
    writes, reads, between = [], [], []
    columns: dict[Wrote, Callable[[], Iterable[Edge]]] = {}
    versions: dict[str, int] = {}
    for job in jobs:
        version = versions[job.target] = versions.get(job.target, -1) + 1
        name = f"e{job.time}"
        writes.append(
            Write(name, "r", "j", name, key(job.target), job.time * 10, job.time * 10 + 5, job.target, version, job.full)
        )
        reads += [Read(name, key(source), source, seen) for source, seen in job.reads.items()]
        edges = [
            Edge(column(source), column(target), "DIRECT" if direct else "INDIRECT", "TRANSFORMATION" if direct else "FILTER")
            for source, target, direct in job.edges
        ]
        columns[name, key(job.target)] = partial(tuple, edges)
        between += [
            (name, Edge(dataset(source), dataset(job.target), certainty="inferred" if source in job.inferred else "plan"))
            for source in sorted({source.split(".")[0] for source, _, _ in job.edges} | set(job.inferred))
        ]
    return History(writes, reads), LineageEdges(columns, between)


@dataclass
class Reference:
    """What every column is made of, version by version, by playing the jobs forward."""

    follow: bool
    versions: dict[str, list[tuple[int, dict[str, set[str]]]]] = field(default_factory=dict)

    def play(self, jobs: Iterable[Job]) -> Reference:
        for job in jobs:
            before = self.at(job.target, job.time)
            made = {name: set() if job.full else set(before.get(name, ())) for name in COLUMNS}
            for name in COLUMNS:
                for source, target, direct in job.edges:
                    if target in (f"{job.target}.{name}", f"{job.target}.*"):
                        made[name] |= {source} | (self.behind(job, source) if direct or self.follow else set())
                for source in job.inferred:
                    made[name] |= {f"{source}.*"} | self.behind(job, f"{source}.*")
            self.versions.setdefault(job.target, []).append((job.time, made))
        return self

    def behind(self, job: Job, source: str) -> set[str]:
        """What a source is made of, as the job saw it."""
        name, of = source.split(".")
        seen = self.versions[name][job.reads[name]][1] if name in job.reads else self.at(name, job.time)
        return set().union(*(found for column, found in seen.items() if of in (column, "*")))

    def at(self, name: str, time: int) -> dict[str, set[str]]:
        """The last version written before `time`."""
        return next((made for written, made in reversed(self.versions.get(name, [])) if written < time), {})


@st.composite
def histories(draw: st.DrawFn) -> list[Job]:
    jobs: list[Job] = []
    written = dict.fromkeys(DATASETS, 0)
    for time in range(draw(st.integers(1, 9))):
        target = draw(st.sampled_from(DATASETS))
        columns = st.sampled_from([f"{name}.{of}" for name in DATASETS for of in COLUMNS])
        targets = st.sampled_from([*(f"{target}.{of}" for of in COLUMNS), f"{target}.*"])
        edges = draw(st.lists(st.tuples(columns, targets, st.booleans()), max_size=3, unique=True))
        told = {source.split(".")[0] for source, _, _ in edges}
        inferred = draw(st.sets(st.sampled_from(DATASETS), max_size=1)) - told
        reads = {
            name: draw(st.integers(0, written[name] - 1))
            for name in sorted(told | inferred)
            if written[name] and draw(st.booleans())
        }
        full = draw(st.booleans())
        jobs.append(Job(time, target, full, tuple(edges), tuple(sorted(inferred)), reads))
        written[target] += 1
    return jobs


def sources(steps: list[Step]) -> set[str]:
    return {spelled(step.edge.source) for step in steps}


@settings(max_examples=120, deadline=None)
@given(histories(), st.integers(0, 9), st.sampled_from(["show", "follow"]))
def test_upstream_is_what_playing_the_history_forward_gives(jobs: list[Job], at: int, indirect: Indirect) -> None:
    history, edges = recorded(jobs)
    reference = Reference(indirect == "follow").play(jobs)
    for name in DATASETS:
        for of in COLUMNS:
            found = upstream(history, edges, column(f"{name}.{of}"), at * 10, indirect=indirect)
            assert sources(found) == reference.at(name, at).get(of, set())


@settings(max_examples=120, deadline=None)
@given(histories(), st.integers(0, 9))
def test_downstream_is_upstream_turned_round(jobs: list[Job], at: int) -> None:
    history, edges = recorded(jobs)
    behind = {
        f"{name}.{of}": sources(upstream(history, edges, column(f"{name}.{of}"), at * 10, indirect="follow"))
        for name in DATASETS
        for of in COLUMNS
    }
    for name in DATASETS:
        for of in COLUMNS:
            _, in_force = downstream(history, edges, column(f"{name}.{of}"), at * 10)
            touched = set(map(spelled, in_force))
            touched |= {f"{place[:-1]}{every}" for place in touched if place.endswith("*") for every in COLUMNS}
            expected = {target for target, found in behind.items() if found & {f"{name}.{of}", f"{name}.*"}}
            assert {place for place in touched if not place.endswith("*")} == expected


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(1, 4))
def test_a_depth_gives_the_steps_of_the_whole_walk_that_are_near_enough(jobs: list[Job], depth: int) -> None:
    history, edges = recorded(jobs)
    for name in DATASETS:
        start = column(f"{name}.x")
        whole = upstream(history, edges, start, 1000)
        assert {s.edge: s.distance for s in upstream(history, edges, start, 1000, depth)} == {
            s.edge: s.distance for s in whole if s.distance <= depth
        }
        whole = downstream(history, edges, start, 1000)[0]
        assert downstream(history, edges, start, 1000, depth)[0] == [s for s in whole if s.distance <= depth]


@settings(max_examples=60, deadline=None)
@given(histories(), st.booleans())
def test_every_place_of_a_walk_hangs_together_with_its_start(jobs: list[Job], forward: bool) -> None:
    history, edges = recorded(jobs)
    start = column("a.x")
    steps = downstream(history, edges, start, 1000)[0] if forward else upstream(history, edges, start, 1000, indirect="follow")
    far = {step.edge.target if forward else step.edge.source for step in steps} - {start}
    assert far <= set(reach(start, steps, forward))


def test_an_overwrite_hides_what_was_there_but_not_what_was_made_of_it() -> None:
    jobs = [
        Job(0, "b", True, (("a.x", "b.x", True),)),
        Job(1, "c", True, (("b.x", "c.x", True),), reads={"b": 0}),
        Job(2, "b", True, (("d.x", "b.x", True),)),
    ]
    history, edges = recorded(jobs)
    assert sources(upstream(history, edges, column("b.x"), 1000)) == {"d.x"}
    assert sources(upstream(history, edges, column("c.x"), 1000)) == {"b.x", "a.x"}
    steps, in_force = downstream(history, edges, column("a.x"), 1000)
    assert [spelled(step.edge.target) for step in steps] == ["b.x", "c.x"]
    assert {spelled(place) for place in in_force} == {"c.x"}


def test_a_stale_frame_leads_to_the_version_that_was_scanned() -> None:
    jobs = [
        Job(0, "b", True, (("a.x", "b.x", True),)),
        Job(1, "b", True, (("d.x", "b.x", True),)),
        Job(2, "c", True, (("b.x", "c.x", True),), reads={"b": 0}),
    ]
    history, edges = recorded(jobs)
    assert sources(upstream(history, edges, column("c.x"), 1000)) == {"b.x", "a.x"}


def test_a_merge_into_a_table_that_derives_from_itself_ends_and_is_told_once() -> None:
    own = (("b.x", "b.x", True), ("a.x", "b.x", True))
    jobs = [Job(0, "b", True, (("d.x", "b.x", True),)), *(Job(n, "b", False, own, reads={"b": n - 1}) for n in range(1, 300))]
    history, edges = recorded(jobs)
    steps = upstream(history, edges, column("b.x"), 10_000)
    assert {(spelled(step.edge.source), step.executions, step.distance) for step in steps} == {
        ("a.x", 299, 1), ("b.x", 299, 1), ("d.x", 1, 1),
    }  # fmt: skip


def test_daily_appends_over_years_take_no_longer_than_their_number() -> None:
    """Each of 20,000 executions reads all that was appended before it: walked naively that would be 200 million steps."""
    jobs = [Job(n, "b", False, (("b.x", "b.x", True),), reads={"b": n - 1} if n else {}) for n in range(20_000)]
    history, edges = recorded(jobs)
    assert [step.executions for step in upstream(history, edges, column("b.x"), 10**9)] == [20_000]
    assert [step.executions for step in downstream(history, edges, column("b.x"), 10**9)[0]] == [20_000]


def test_a_field_of_an_unchanged_struct_comes_from_the_same_field() -> None:
    copied = Edge(column("a.address"), column("b.home"), "DIRECT", "IDENTITY")
    history = History([Write("e", "r", "j", "l", key("b"), 0, 5, full=True)])
    edges = LineageEdges({("l", key("b")): lambda: [copied]}, [("l", Edge(dataset("a"), dataset("b")))])
    nested = Place("column", key("b"), "home.city")
    assert [step.edge.source.column for step in upstream(history, edges, nested, 10)] == ["address.city"]
    changed = Place("column", key("a"), "address.city")
    assert [step.edge.target.column for step in downstream(history, edges, changed, 10)[0]] == ["home.city"]


def test_a_struct_is_touched_by_each_of_its_fields() -> None:
    into_field = Edge(column("a.x"), Place("column", key("b"), "home.city"), "DIRECT", "TRANSFORMATION")
    history = History([Write("e", "r", "j", "l", key("b"), 0, 5, full=True)])
    edges = LineageEdges({("l", key("b")): lambda: [into_field]}, [("l", Edge(dataset("a"), dataset("b")))])
    assert sources(upstream(history, edges, column("b.home"), 10)) == {"a.x"}
    assert sources(upstream(history, edges, column("b.homes"), 10)) == set()


def test_a_column_of_unknown_source_may_come_from_any_dataset_that_was_read() -> None:
    lost = Edge(Place("unknown"), column("b.y"), "DIRECT", "TRANSFORMATION")
    told = Edge(column("a.x"), column("b.x"), "DIRECT", "IDENTITY")
    history = History([Write("e", "r", "j", "l", key("b"), 0, 5, full=True)])
    edges = LineageEdges({("l", key("b")): lambda: [lost, told]}, [("l", Edge(dataset("a"), dataset("b")))])
    steps = upstream(history, edges, column("b.y"), 10)
    assert {(spelled(step.edge.source), step.edge.certainty) for step in steps} == {("unknown", "plan"), ("a.*", "inferred")}


def test_a_write_whose_lineage_was_not_captured_says_so() -> None:
    history = History([Write("e", "r", "j", None, key("b"), 0, 5, lost=True)])
    steps = upstream(history, LineageEdges({}, []), column("b.x"), 10)
    assert [(step.edge.source.kind, step.edge.certainty) for step in steps] == [("unknown", "inferred")]


def test_what_only_an_inferred_way_leads_to_is_not_called_direct() -> None:
    """The value of p.x goes by f.x; that the model m was made of f bears on p too, but brings no value of f.y to it."""
    jobs = [
        Job(0, "f", True, (("r.k", "f.x", True), ("r.l", "f.y", True), ("r.k", "f.*", False))),
        Job(1, "m", True, inferred=("f",)),
        Job(2, "p", True, (("f.x", "p.x", True),), inferred=("m",)),
    ]
    history, edges = recorded(jobs)
    start = column("p.x")
    kinds = {spelled(place): kind for place, kind in reach(start, upstream(history, edges, start, 1000), False).items()}
    assert kinds["f.x"] == kinds["r.k"] == "direct"
    assert kinds["f.*"] == "indirect"
    assert kinds["f.y"] == kinds["r.l"] == "inferred"
