"""Leaves: where rows come from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from ...plan.nodes import MissingFieldError, Node
from ...plan.values import DeltaTable, FileRelation, Opaque, Rdd, RddSource, Stated, StreamSource, TextMap, Value
from ..datasets import DatasetRef, FromStream, Reading
from ..influence import Influence, Source, numbers, passed, union
from ..kafka import asked_offsets
from ..relation import Column, Condition, Conditions, Relation, derived
from ..streams import FILE_SOURCE
from ..value import any_of
from ..walk import Walk
from .handler import Handler

HANDED_OVER: Final = "rows that the program handed over (createDataFrame): where it had them from is not known"
TRANSPOSED: Final = "rows that transpose() collected: where they came from is not in the plan"
MEMORY_SINK: Final = "rows of a stream's memory sink: which stream put them there is not in the plan"
UNKNOWN_ORIGINS: Final = (HANDED_OVER, TRANSPOSED, MEMORY_SINK)
"""Why a plan has rows, but not where they came from: of `executions.incomplete_reasons`."""


def logical_relation(node: Node, walk: Walk) -> Relation:
    """Files, a v1 source, or a Delta table read by path."""
    relation = node.relation("relation")
    if relation is None:
        raise MissingFieldError(f"{node.kind} has no relation")
    if relation.format == "kafka":
        told = FromStream(None, *asked_offsets(relation.options))
        return walk.read(node, (Reading(dataset, stream=told) for dataset in walk.naming.of_topics(relation.options)))
    source = node.fields.get("stream")
    if isinstance(source, StreamSource):
        datasets = _streamed_files(source, relation, walk) or walk.naming.of_files(relation, node.table("catalogTable"))
        return walk.read(node, (Reading(dataset, stream=FromStream(source.description)) for dataset in datasets))
    datasets = walk.naming.of_files(relation, node.table("catalogTable"))
    return walk.read(node, (_reading(Reading(dataset), relation.delta) for dataset in datasets))


def _streamed_files(source: StreamSource, relation: FileRelation, walk: Walk) -> tuple[DatasetRef, ...]:
    """The folder that a stream watches: its batches list only the files that are new. Nothing for a source that is no folder."""
    match = FILE_SOURCE.fullmatch(source.description or "")
    return (walk.naming.of_search(match[1], relation.format),) if match else ()


def v2_relation(node: Node, walk: Walk) -> Relation:
    """A table of a DataSourceV2 catalog."""
    table = node.v2table("table")
    if table is None:
        raise MissingFieldError(f"{node.kind} has no table")
    datasets = walk.naming.of_v2(table, node.name("identifier"), catalog_of(node), node.options())
    return walk.read(node, (_reading(Reading(dataset), table.delta) for dataset in datasets))


def catalog_relation(node: Node, walk: Walk) -> Relation:
    """A table of the Hive catalog, or one named but not opened."""
    table = node.table("tableMeta") or node.table("table")
    if table is None:
        raise MissingFieldError(f"{node.kind} has no tableMeta")
    return walk.read(node, (Reading(walk.naming.of_table(table)),))


def literal_rows(node: Node, walk: Walk) -> Relation:
    """Rows that the plan itself holds: those of VALUES, or rows that the program handed over, of which nothing more is known.

    A source of a stream that has nothing new in a batch is one without rows.
    """
    if node.flag("isStreaming"):
        return _without_rows(node, walk)
    return handed_over(node, walk) if node.flag("handed") else walk.made(node, passed(walk.sources.literal))


def handed_over(node: Node, walk: Walk) -> Relation:
    walk.reason(HANDED_OVER)
    return unknown_rows(node, walk)


def _without_rows(node: Node, walk: Walk) -> Relation:
    """The source of a stream in a batch to which it gives none: the only one that no other leaf names."""
    leaves = (value for one in walk.plan.nodes.values() for value in one.fields.values() if isinstance(value, StreamSource))
    named = {leaf.description for leaf in leaves}
    left = tuple(description for description in walk.streamed if description not in named)
    if walk.streamed and not left:  # a part of a source that has rows in its other parts
        return walk.made(node, passed(walk.sources.literal))
    empty = sum(one.kind == node.kind and one.flag("isStreaming") for one in walk.plan.nodes.values())
    match = _FOLDER_SOURCE.fullmatch(left[0]) if len(left) == 1 and empty == 1 else None
    if match is None:
        walk.reason("a source of the stream that gave the batch no rows: which one, the plan does not tell")
        return unknown_rows(node, walk)
    dataset = walk.naming.of_search(match[2], "delta" if match[1] == "DeltaSource" else None)
    return walk.read(node, (Reading(dataset, stream=FromStream(left[0])),))


def generated_rows(node: Node, walk: Walk) -> Relation:
    """Numbers that Spark counts up."""
    return walk.made(node, passed(walk.sources.generated))


def inline_rows(node: Node, walk: Walk) -> Relation:
    """VALUES whose expressions are not worked out yet: ``VALUES (current_date())``. A column is what any of its rows says."""
    stated = node.fields.get("rows")
    if not isinstance(stated, tuple) or node.output is None:
        raise MissingFieldError(f"{node.kind} has no rows or no output")
    rows = [tuple(cell for cell in row if isinstance(cell, Stated)) for row in stated if isinstance(row, tuple)]
    columns = {}
    for expression_id, cells in zip(node.output, zip(*rows, strict=True), strict=True):
        value = any_of((walk.evaluate(cell.expression, {}).value for cell in cells), walk.sources)
        columns[expression_id] = Column.of(value, cells[0].sql if len(cells) == 1 else None, node.kind, ())
    return Relation(columns, node.output, datasets=walk.subquery_datasets(node))


def command_result(node: Node, walk: Walk) -> Relation:
    """The rows that a command gave, such as a listing of the catalog. The command itself ran before, in an execution of its own."""
    return walk.made(node, passed(walk.sources.generated))


def transposed(node: Node, walk: Walk) -> Relation:
    """``transpose()``: it collects the rows while the plan is made, and only they are in the plan."""
    walk.reason(TRANSPOSED)
    return unknown_rows(node, walk)


def memory_of_a_stream(node: Node, walk: Walk) -> Relation:
    """The rows that a stream's memory sink holds in the driver."""
    walk.reason(MEMORY_SINK)
    return unknown_rows(node, walk)


def rdd(node: Node, walk: Walk) -> Relation:
    """Rows of an RDD: what it computes, no plan tells, unless it is the batch of a stream handed to `foreachBatch`.

    What is read below it is taken to reach every column, `inferred`. There may be more, which no RDD tells: the small side of a join
    is sent to the workers by another way, and a function may know anything.
    """
    origin = node.plan("origin")
    if origin is not None:
        return checkpointed(node, walk.relation(origin))
    made = node.fields.get("rdd")
    batch = _like_the_batch(node, walk)
    if batch is not None and node.output is not None and _is_of_a_plan(made):
        return inferred(batch, node.output)
    sources = made.sources if isinstance(made, Rdd) else ()
    if sources and all(source.class_name == "EmptyRDD" for source in sources):
        return walk.made(node, passed(walk.sources.literal))
    if isinstance(made, Rdd) and made.whole and sources and all(one.class_name == "ParallelCollectionRDD" for one in sources):
        return handed_over(node, walk)
    if isinstance(made, Rdd) and not made.whole:
        walk.reason("more RDDs behind a frame than are looked at: its sources may be more")
    behind = tuple((source, _behind(source, walk)) for source in sources)
    if batch is not None and not any(datasets for _, datasets in behind):
        datasets = walk.behind(walk.readings[number].dataset for number in numbers(batch.datasets)).values()
        columns: tuple[Column, ...] = batch.output_columns()
        read = union(column.influence for column in columns)
    else:
        known = walk.behind(dataset for _, found in behind for dataset in found)
        datasets, columns = known.values(), ()
        read = passed(sum({walk.sources.bit(one) for one in _columns(behind, known)}))
    if not read.everything:
        walk.reason("rows made outside Spark SQL (LogicalRDD): their columns' sources are not known")
        return replace(unknown_rows(node, walk), datasets=sum(1 << number for number in datasets))
    walk.reason(
        "rows made outside Spark SQL (LogicalRDD): their columns are taken to come from all that was read, and may have more sources"
    )
    influence = union((passed(walk.sources.unknown), read.transformed().only(inferred=True)))
    column = Column(influence, None, node.kind, columns)
    output = node.output or ()
    return Relation(dict.fromkeys(output, column), output, datasets=sum(1 << number for number in datasets))


def _columns(behind: Iterable[tuple[RddSource, tuple[DatasetRef, ...]]], known: Mapping[DatasetRef, int]) -> Iterator[Source]:
    """The columns that RDDs read of their files; Delta's own marks of deleted rows are none."""
    for source, datasets in behind:
        names = tuple(name for name in source.columns if not name.startswith(("__delta_internal_", "_tmp_metadata_")))
        for dataset in datasets:
            yield from (Source("column", known[dataset], name) for name in names)


def inferred(rows: Relation, output: tuple[int, ...]) -> Relation:
    """Rows that another relation is taken to have given, under other expression ids."""

    def unsure(influence: Influence) -> Influence:
        return influence.only(inferred=True)

    def marked(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
        return tuple(replace(condition, influence=unsure(condition.influence)) for condition in conditions)

    columns = (column.holding(column.value.through(unsure)) for column in rows.output_columns())
    return Relation(
        columns=dict(zip(output, columns, strict=True)),
        output=output,
        conditions=Conditions(marked(rows.conditions)),
        decisions=unsure(rows.decisions),
        datasets=rows.datasets,
        order=marked(rows.order),
    )


def _like_the_batch(node: Node, walk: Walk) -> Relation | None:
    """The rows of the stream's batch around a frame, where its columns are called as the batch's are."""
    if walk.batch is None or node.output is None:
        return None
    names, rows = walk.batch
    return rows if names == tuple(walk.plan.name_of(item) for item in node.output) else None


def _is_of_a_plan(made: Value) -> bool:
    """Whether an RDD is what Spark makes of a plan, as the batch is handed over: what a program makes of it is another class. Of
    documents that do not tell the class it is taken to be so."""
    return not isinstance(made, Rdd | Opaque) or made.class_name.endswith(".SQLExecutionRDD")


def _behind(source: RddSource, walk: Walk) -> tuple[DatasetRef, ...]:
    """The datasets that an RDD begins with; none for one that holds its rows itself."""
    if source.url:
        return walk.naming.of_source({"url": source.url, "dbtable": source.table or ""}, "jdbc")
    return tuple(walk.naming.of_search(path, None) for path in source.paths)


def checkpointed(node: Node, origin: Relation) -> Relation:
    """A checkpointed frame: column by column the plan that it was made from, though its rows were stored since."""
    if node.output is None:
        raise MissingFieldError(f"{node.kind} has no output")
    columns = dict(zip(node.output, origin.output_columns(), strict=True))
    return derived((origin,), columns, node.output)


def unknown_rows(node: Node, walk: Walk) -> Relation:
    """Rows of which nothing is known."""
    return walk.made(node, passed(walk.sources.unknown))


def cached(node: Node, walk: Walk) -> Relation:
    """A cached frame: the plan that was cached, column by column."""
    if not node.plans or node.output is None:
        raise MissingFieldError(f"{node.kind} does not say what was cached")
    return checkpointed(node, walk.relation(node.plans[0]))


def catalog_of(node: Node) -> str | None:
    """The name of the catalog that a table or an identifier is of."""
    catalog = node.fields.get("catalog")
    name = catalog.entries.get("name") if isinstance(catalog, TextMap) else None
    return name if isinstance(name, str) else None


def _reading(reading: Reading, delta: DeltaTable | None) -> Reading:
    if delta is None:
        return reading
    return replace(reading, version_at_analysis=delta.version_at_analysis, time_travel=delta.time_travel)


_FOLDER_SOURCE: Final = re.compile(r"(DeltaSource|FileStreamSource)\[(.*)\]", re.DOTALL)
"""How a source that is a folder describes itself."""

HANDLERS: Final[dict[str, Handler]] = {
    "LogicalRelation": logical_relation,
    "DataSourceV2Relation": v2_relation,
    "DataSourceV2ScanRelation": v2_relation,
    "HiveTableRelation": catalog_relation,
    "UnresolvedCatalogRelation": catalog_relation,
    "LocalRelation": literal_rows,
    "OneRowRelation": literal_rows,
    "ResolvedInlineTable": inline_rows,
    "Range": generated_rows,
    "PythonWorkerLogs": generated_rows,
    "CommandResult": command_result,
    "Transpose": transposed,
    "MemoryPlan": memory_of_a_stream,
    "LogicalRDD": rdd,
    "ExternalRDD": rdd,
    "InMemoryRelation": cached,
}
