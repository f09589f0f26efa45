"""Runs a query, changes one column of what it reads, runs it again, and holds what changed against the edges of its lineage."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from query_grammar import Query
from worlds import Rows, Table, World, changed, kinds_for, paths_of, rows_of, schema_json

from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.model import ColumnEdge
from spark_lineage.plan.document import ExecutionDocument, read

SETTINGS = {
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.leafNodeDefaultParallelism": "1",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    "spark.sql.crossJoin.enabled": "true",
    "spark.sql.cteRecursionRowLimit": "5000",
    "spark.sql.optimizer.excludedRules": "org.apache.spark.sql.catalyst.optimizer.ConvertToLocalRelation",
}
"""The last: no rule may look at what the rows hold, for a plan is optimized once."""

Result = list[list[str]]


@dataclass(frozen=True, slots=True)
class Link:
    """An edge as it is compared: a column of a table, or part of one, bears on a leaf of the result, or on all (None)."""

    table: str
    source: tuple[str, ...]
    target: str | None
    type: str
    subtype: str
    certainty: str

    def leaves(self, path: tuple[str, ...]) -> bool:
        """Whether it begins at the path, at something that holds it or that it holds."""
        shared = min(len(path), len(self.source))
        return path[:shared] == self.source[:shared]

    def reaches(self, leaf: str) -> bool:
        return self.target is None or f"{leaf}.".startswith(f"{self.target}.") or f"{self.target}.".startswith(f"{leaf}.")


@dataclass(frozen=True, slots=True)
class Perturbation:
    table: Table
    path: tuple[str, ...]
    kind: str

    def __str__(self) -> str:
        return f"{self.table.name}.{'.'.join(self.path)} ({self.kind})"


@dataclass
class Tally:
    """What all cases came to."""

    cases: int = 0
    checked: int = 0
    perturbations: int = 0
    changes: int = 0
    discarded: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    edges: Counter[tuple[str, str]] = field(default_factory=Counter)
    mattered: Counter[tuple[str, str]] = field(default_factory=Counter)
    idle: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """Some queries whose edges of a type never mattered."""

    def count(self, links: list[Link], mattered: set[Link], query: str, chance: Random) -> None:
        """Which edges of a case were seen to matter."""
        for link in links:
            kind = link.type, link.subtype
            self.edges[kind] += 1
            self.mattered[kind] += link in mattered
            if link not in mattered and chance.random() < 0.2:
                self.idle.setdefault(kind, []).append(
                    f"{'.'.join((link.table, *link.source))} -> {link.target or '*'}\n    {query}"
                )

    def figures(self) -> dict[str, Any]:
        kinds = sorted(self.edges)
        return {
            "cases": self.cases,
            "checked": self.checked,
            "discarded": dict(self.discarded.most_common()),
            "perturbations": self.perturbations,
            "perturbations_that_changed_something": self.changes,
            "violations": len(self.violations),
            "kinds": dict(self.kinds.most_common()),
            "edges_seen_to_matter": {
                f"{kind} {subtype}": {
                    "edges": self.edges[kind, subtype],
                    "mattered": self.mattered[kind, subtype],
                    "share": round(self.mattered[kind, subtype] / self.edges[kind, subtype], 3),
                }
                for kind, subtype in kinds
            },
        }

    def table(self) -> str:
        lines = [f"{'edge':<24}{'edges':>8}{'mattered':>10}{'share':>8}"]
        for (kind, subtype), count in sorted(self.edges.items()):
            mattered = self.mattered[kind, subtype]
            lines.append(f"{kind + ' ' + subtype:<24}{count:>8}{mattered:>10}{mattered / count:>8.2f}")
        return "\n".join(lines)


class Discarded(Exception):
    """A case that says nothing; the message is why."""


LOCAL = {**SETTINGS, "callSite.short": "oracle", "callSite.long": "oracle"}
"""Local properties: what a task sees of the settings where no SQL execution hands them on, and what Spark looks up for each RDD else."""


class Bench:
    """The sessions and tables of one world: once with empty files, for lineage, and once with rows in memory, to be run."""

    def __init__(self, spark: Any, runner: Any, attachment: Any, world: World, folder: Path) -> None:
        self.world, self.runner, self.attachment, self.folder = world, runner, attachment, folder
        self.of_files, self.of_rows = spark.newSession(), spark.newSession()
        self.key = lambda table: f"{world.number}.{table.name}"
        for session in (self.of_files, self.of_rows):
            for name, value in SETTINGS.items():
                session.conf.set(name, value)
        for name, value in LOCAL.items():
            spark.sparkContext.setLocalProperty(name, value)
        for table in world.tables:
            place = str(folder / f"world{world.number}" / table.name)
            spark.createDataFrame([], table.ddl).write.parquet(place)
            self.of_files.read.schema(table.ddl).parquet(place).createOrReplaceTempView(table.name)
            runner.table(self.of_rows._jsparkSession, self.key(table), table.name, schema_json(table), table.size)
        for session in (self.of_files, self.of_rows):
            session.udf.register("add_one", lambda value: None if value is None else value + 1, "int")
            session.udf.register("picked", lambda one, other: other if one is None else one, "int")
            session.sql("CREATE TEMPORARY FUNCTION chosen(x INT, y INT) RETURNS INT RETURN IF(x > 1, y, x)")
            session.sql(
                "CREATE TEMPORARY FUNCTION around(x INT) RETURNS TABLE(v INT, w STRING) RETURN SELECT t0.u, t0.g FROM t0 WHERE t0.k = x"
            )

    def links(self, query: Query) -> list[Link]:
        """The edges of the query's lineage, as the bridge and the resolver tell them."""
        try:
            stepped(self.of_files.sql(query.sql), query).write.mode("overwrite").parquet(str(self.folder / "out"))
        except Exception as error:
            raise Discarded(f"raised: {reason_of(error)}") from error
        return self._told()

    def links_of(self, statement: str) -> list[Link]:
        """Those of a statement that writes."""
        self.of_files.sql(statement)
        return self._told()

    def _told(self) -> list[Link]:
        assert self.attachment.bridge.flush(60_000) >= 0
        document = _last_document(Path(self.attachment.folder))
        assert isinstance(document, ExecutionDocument)
        records = records_of_execution(document, RunContext())
        links = [link for edge in records.column_lineage if (link := _link(edge)) is not None]
        self.reasons = records.executions[0].incomplete_reasons
        return list(dict.fromkeys(links))

    def open(self, query: Query) -> list[str]:
        """Makes the query ready to run; gives the leaves of its result."""
        try:
            return json.loads(self.runner.open(stepped(self.of_rows.sql(query.sql), query)._jdf))
        except Exception as error:
            raise Discarded(f"raised: {reason_of(error)}") from error

    def put(self, table: Table, rows: Rows) -> None:
        """Gives the table other rows."""
        self.runner.put(self.key(table), json.dumps(rows))

    def result(self, rows: dict[str, Rows]) -> Result | None:
        """What the open query gives over these rows; None where it raises."""
        for table in self.world.tables:
            self.put(table, rows[table.name])
        try:
            return json.loads(self.runner.run())
        except Exception as error:
            self.raised = reason_of(error)
            return None


def examine(bench: Bench, query: Query, chance: Random, tally: Tally, rounds: int = 3) -> str | None:
    """One case, over `rounds` lots of rows; all but the first are for the edges that have not been seen to matter. Gives what is wrong, None where nothing is; what was seen is put down in the tally."""
    tally.cases += 1
    try:
        return _examined(bench, query, chance, tally, rounds)
    except Discarded as reason:
        tally.discarded[str(reason)] += 1
        return None


def _examined(bench: Bench, query: Query, chance: Random, tally: Tally, rounds: int) -> str | None:
    leaves = bench.open(query)
    links: list[Link] | None = None
    mattered: set[Link] = set()
    for _ in range(rounds):
        rows = {table.name: rows_of(table, chance) for table in bench.world.tables}
        base = bench.result(rows)
        if base is None:
            if links is None:
                raise Discarded(f"raised: {bench.raised}")
            continue
        if links is None:
            if _bag(base) != _bag(bench.result(rows) or []):
                raise Discarded("not the same twice")
            links = bench.links(query)
            pending = list(_perturbations(bench.world, links, query, chance))
        else:
            pending = list(_again(bench.world, [link for link in links if link not in mattered], chance))
        said = _tried(bench, query, rows, base, leaves, links, pending, chance, tally, mattered)
        if said and depends_on_order(bench, rows, base, chance):
            raise Discarded("depends on the order of rows")
        if said:
            tally.violations.append(said)
            return said
    assert links is not None
    tally.checked += 1
    tally.kinds.update(query.uses)
    tally.count(links, mattered, query.sql, chance)
    return None


def _tried(
    bench: Bench, query: Query, rows: dict[str, Rows], base: Result, leaves: list[str], links: list[Link],
    pending: list[tuple[Perturbation, ...]], chance: Random, tally: Tally, mattered: set[Link],
) -> str | None:  # fmt: skip
    """What is missing where one of the perturbations is made, None where nothing is."""
    while pending:
        together = pending.pop(0)
        new = dict(rows)
        for one in together:
            new[one.table.name] = changed(one.table, new[one.table.name], one.path, one.kind, chance)
        after = bench.result(new)
        if after is None:
            tally.discarded["a perturbation raised"] += 1
            continue
        tally.perturbations += len(together)
        if len(together) == 1:
            said = hold(bench, query, rows, base, new, after, leaves, together[0], links, tally, mattered)
            if said:
                return said
        elif _bag(base) != _bag(after):  # one of them is to blame
            pending.extend((one,) for one in together)
    return None


def hold(
    bench: Bench, query: Query, rows: dict[str, Rows], base: Result, new: dict[str, Rows], after: Result, leaves: list[str],
    perturbation: Perturbation, links: list[Link], tally: Tally, mattered: set[Link],
) -> str | None:  # fmt: skip
    """Holds what a perturbation changed against the edges: what is missing, None where nothing is. Edges that lead there are `mattered`."""
    moved = moved_leaves(base, after, leaves)
    if moved is None:
        return None
    tally.changes += 1
    from_there = [link for link in links if link.table == perturbation.table.name and link.leaves(perturbation.path)]
    missed = [leaf for leaf in moved if not any(link.reaches(leaf) for link in from_there)]
    if missed or not from_there:
        return report(bench, query, rows, base, new, after, leaves, perturbation, missed or ["(rows)"], links)
    mattered.update(link for link in from_there if link.target is None or any(link.reaches(leaf) for leaf in moved))
    return None


def _perturbations(world: World, links: list[Link], query: Query, chance: Random) -> Iterator[tuple[Perturbation, ...]]:
    """First, all that no edge begins at, in one go: nothing may change. Then each source of an edge, and some of what holds one."""
    idle: list[Perturbation] = []
    single: list[tuple[Perturbation, ...]] = []
    for table in world.tables:
        if f"{table.name} " not in query.sql and "around(" not in query.sql:
            continue
        for path in paths_of(table):
            kinds = kinds_for(table, path)
            linked = [link for link in links if link.table == table.name and link.leaves(path)]
            if not linked:
                if not any(path[: len(one.path)] == one.path for one in idle if one.table is table):
                    idle.append(Perturbation(table, path, chance.choice(("other", "other", *kinds))))
                continue
            times = 1 + (chance.random() < 0.6) if any(link.source == path for link in linked) else int(chance.random() < 0.25)
            single.extend((Perturbation(table, path, kind),) for kind in ("other", chance.choice(kinds))[:times])
    if idle:
        yield tuple(idle)
    yield from single


def _again(world: World, idle: list[Link], chance: Random) -> Iterator[tuple[Perturbation, ...]]:
    """Each source of edges that have not been seen to matter, once."""
    tables = {table.name: table for table in world.tables}
    for name, path in dict.fromkeys((link.table, link.source) for link in idle):
        table = tables[name]
        yield (Perturbation(table, path, chance.choice(("other", chance.choice(kinds_for(table, path))))),)


def moved_leaves(before: Result, after: Result, leaves: list[str]) -> list[str] | None:
    """The leaves of the result whose values changed, as a bag; none where only their combinations did, None where nothing did."""
    if _bag(before) == _bag(after):
        return None
    return [leaf for at, leaf in enumerate(leaves) if Counter(row[at] for row in before) != Counter(row[at] for row in after)]


def depends_on_order(bench: Bench, rows: dict[str, Rows], base: Result, chance: Random) -> bool:
    """Whether the result is another one when rows come in another order, those of the tables or those that a join, a window or an
    aggregate gives, which Spark's own sorts put in one order whatever the tables' is. Then it is not determined by the tables.

    Beside an aggregate of distinct values Spark puts the rows of a group in the order of those values: without DISTINCT, whose
    result is another one, it shows whether the other aggregates leave open which of several rows they take."""
    try:
        for seed in (0, 0, 0, 0, 1, 2, 3, 4):
            bench.runner.mix(seed)
            mixed = {name: chance.sample(one, len(one)) for name, one in rows.items()}
            result = bench.result(mixed)
            if result is not None and _bag(result) != _bag(base):
                return True
        bench.runner.mixAll()
        results = [bench.result({name: chance.sample(one, len(one)) for name, one in rows.items()}) for _ in range(8)]
        return any(one is not None and results[0] is not None and _bag(one) != _bag(results[0]) for one in results)
    finally:
        bench.runner.mix(0)


def report(
    bench: Bench, query: Query, rows: dict[str, Rows], base: Result, new: dict[str, Rows], after: Result, leaves: list[str],
    perturbation: Perturbation, missed: list[str], links: Iterable[Link],
) -> str:  # fmt: skip
    table = perturbation.table
    edges = "\n".join(
        sorted(f"  {link.target or '*'} <- {link.table}.{'.'.join(link.source)} {link.type} {link.subtype}" for link in links)
    )
    schemas = "\n".join(
        f"  {one.name}: {one.ddl}" for one in bench.world.tables if one.name in query.sql or "around(" in query.sql
    )
    only_before, only_after = _bag(base) - _bag(after), _bag(after) - _bag(base)
    return "\n".join(
        (
            f"no edge from {perturbation} to {', '.join(missed)}",
            f"world {bench.world.number}", schemas, f"query: {query.sql}", f"steps: {query.steps}", f"edges ({'; '.join(bench.reasons)}):", edges,
            f"{table.name}: {rows[table.name]}", f"then: {new[table.name]}",
            f"leaves: {leaves}", f"gone:  {list(only_before.elements())[:4]}", f"new:   {list(only_after.elements())[:4]}",
        )
    )  # fmt: skip


def stepped(frame: Any, query: Query) -> Any:
    """The query with its steps of the DataFrame API."""
    from pyspark.sql import functions

    for name, *arguments in query.steps:
        if name == "with_field":
            column, field_, value = arguments
            frame = frame.withColumn(column, functions.col(column).withField(field_, functions.expr(value)))
        elif name == "drop_fields":
            frame = frame.withColumn(arguments[0], functions.col(arguments[0]).dropFields(arguments[1]))
        elif name == "sort":
            frame = frame.orderBy(*arguments)
        elif name == "drop_duplicates":
            frame = frame.dropDuplicates(list(arguments))
        elif name == "by_name":
            frame = frame.unionByName(frame.select(*reversed(frame.columns)))
        elif name == "fill":
            frame = frame.fillna(9, arguments)
        elif name == "limit":
            frame = frame.limit(int(arguments[0]))
    return frame


def leaf_text(value: Any, path: tuple[str, ...]) -> str:
    """What a leaf holds, of a value as Python has it: as `Runner.tell` does it."""
    if value is None:
        return "null" + "^" * bool(path)
    if isinstance(value, list):
        return f"[{','.join(leaf_text(one, path) for one in value)}]"
    if path:
        return leaf_text(value[path[0]], path[1:])
    return str(value)


def reason_of(error: Exception) -> str:
    """The class of an error: Spark's condition where it has one."""
    condition = getattr(error, "getCondition", lambda: None)()
    if condition:
        return str(condition)
    text = str(getattr(error, "java_exception", None) or error)
    return text.split("\n")[0].split("] ")[0].strip("[")[:80]


def _bag(result: Result) -> Counter[tuple[str, ...]]:
    return Counter(map(tuple, result))


def _last_document(folder: Path) -> Any:
    paths = sorted(folder.glob("*.execution.json.gz"))
    document = read(gzip.decompress(paths[-1].read_bytes()))
    for path in paths:
        path.unlink()
    return document


def _link(edge: ColumnEdge) -> Link | None:
    if edge.source_kind not in ("column",) or edge.order_only:
        return None
    table = (edge.source_name or "").rpartition("/")[2]
    path = tuple((edge.source_column or "").split("."))
    return Link(table, path, edge.target_column, edge.edge_type, edge.subtype, edge.certainty)
