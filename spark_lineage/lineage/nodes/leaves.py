"""Leaves: where rows come from."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ...plan.nodes import MissingFieldError, Node
from ...plan.values import DeltaTable, FileRelation, Opaque, Rdd, RddSource, Stated, StreamSource, TextMap, Value
from ..datasets import DatasetRef, FromStream, Reading
from ..influence import numbers, passed
from ..kafka import asked_offsets
from ..relation import Column, Relation, derived
from ..streams import FILE_SOURCE
from ..value import any_of
from ..walk import Walk
from .handler import Handler


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
    """Rows that the plan itself holds."""
    return walk.made(node, passed(walk.sources.literal))


def local_rows(node: Node, walk: Walk) -> Relation:
    """Rows that the driver holds. Of a stream's source it stands for there being none in this batch: what comes out is of rows that came
    before."""
    if not node.flag("isStreaming"):
        return literal_rows(node, walk)
    walk.reason("a stream's source had no new rows for this batch: the columns of it that came before are not in the plan")
    return unknown_rows(node, walk)


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
    walk.reason("rows that transpose() collected: where they came from is not in the plan")
    return unknown_rows(node, walk)


def memory_of_a_stream(node: Node, walk: Walk) -> Relation:
    """The rows that a stream's memory sink holds in the driver."""
    walk.reason("rows of a stream's memory sink: which stream put them there is not in the plan")
    return unknown_rows(node, walk)


def rdd(node: Node, walk: Walk) -> Relation:
    """Rows of an RDD: what it computes, no plan tells, unless it is the batch of a stream handed to `foreachBatch`."""
    origin = node.plan("origin")
    if origin is not None:
        return checkpointed(node, walk.relation(origin))
    made = node.fields.get("rdd")
    batch = _like_the_batch(node, walk)
    if batch is not None and node.output is not None and _is_of_a_plan(made):
        columns = dict(zip(node.output, batch.output_columns(), strict=True))
        return derived((batch,), columns, node.output)
    sources = made.sources if isinstance(made, Rdd) else ()
    if sources and all(source.class_name == "EmptyRDD" for source in sources):
        return literal_rows(node, walk)
    if isinstance(made, Rdd) and made.whole and sources and all(one.class_name == "ParallelCollectionRDD" for one in sources):
        walk.reason("rows that the program handed over (createDataFrame): where it had them from is not known")
        return unknown_rows(node, walk)
    walk.reason("rows made outside Spark SQL (LogicalRDD): their columns' sources are not known")
    if isinstance(made, Rdd) and not made.whole:
        walk.reason("more RDDs behind a frame than are looked at: its sources may be more")
    rows = unknown_rows(node, walk)
    behind = tuple(_behind(source, walk) for source in sources)
    if batch is not None and not any(behind):
        behind = (tuple(walk.readings[number].dataset for number in numbers(batch.datasets)),)
    return replace(rows, datasets=walk.behind(behind))


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
    inner = walk.relation(node.plans[0])
    columns = dict(zip(node.output, inner.output_columns(), strict=True))
    return Relation(columns, node.output, inner.conditions, inner.decisions, inner.datasets)


def catalog_of(node: Node) -> str | None:
    """The name of the catalog that a table or an identifier is of."""
    catalog = node.fields.get("catalog")
    name = catalog.entries.get("name") if isinstance(catalog, TextMap) else None
    return name if isinstance(name, str) else None


def _reading(reading: Reading, delta: DeltaTable | None) -> Reading:
    if delta is None:
        return reading
    return replace(reading, version_at_analysis=delta.version_at_analysis, time_travel=delta.time_travel)


HANDLERS: Final[dict[str, Handler]] = {
    "LogicalRelation": logical_relation,
    "DataSourceV2Relation": v2_relation,
    "DataSourceV2ScanRelation": v2_relation,
    "HiveTableRelation": catalog_relation,
    "UnresolvedCatalogRelation": catalog_relation,
    "LocalRelation": local_rows,
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
