"""Leaves: where rows come from."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ...plan.nodes import MissingFieldError, Node
from ...plan.values import DeltaTable
from ..datasets import Reading
from ..influence import passed
from ..relation import Relation, derived
from ..walk import Walk
from .handler import Handler


def logical_relation(node: Node, walk: Walk) -> Relation:
    """Files, a v1 source, or a Delta table read by path."""
    relation = node.relation("relation")
    if relation is None:
        raise MissingFieldError(f"{node.kind} has no relation")
    datasets = walk.naming.of_files(relation, node.table("catalogTable"))
    return walk.read(node, (_reading(Reading(dataset), relation.delta) for dataset in datasets))


def v2_relation(node: Node, walk: Walk) -> Relation:
    """A table of a DataSourceV2 catalog."""
    table = node.v2table("table")
    if table is None:
        raise MissingFieldError(f"{node.kind} has no table")
    dataset = walk.naming.of_v2(table, node.name("identifier"))
    return walk.read(node, (_reading(Reading(dataset), table.delta),))


def catalog_relation(node: Node, walk: Walk) -> Relation:
    """A table of the Hive catalog, or one named but not opened."""
    table = node.table("tableMeta") or node.table("table")
    if table is None:
        raise MissingFieldError(f"{node.kind} has no tableMeta")
    return walk.read(node, (Reading(walk.naming.of_table(table)),))


def literal_rows(node: Node, walk: Walk) -> Relation:
    """Rows that the plan itself holds."""
    return walk.made(node, passed(walk.sources.literal))


def generated_rows(node: Node, walk: Walk) -> Relation:
    """Numbers that Spark counts up."""
    return walk.made(node, passed(walk.sources.generated))


def rdd(node: Node, walk: Walk) -> Relation:
    """Rows of an RDD: what it computes, no plan tells, unless it is the batch of a stream handed to `foreachBatch`."""
    if walk.batch is not None and node.output is not None:
        names, rows = walk.batch
        if names == tuple(walk.plan.name_of(item) for item in node.output):
            columns = dict(zip(node.output, rows.output_columns(), strict=True))
            return derived((rows,), columns, node.output)
    walk.reason("rows made outside Spark SQL (LogicalRDD): their columns' sources are not known")
    return unknown_rows(node, walk)


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


def _reading(reading: Reading, delta: DeltaTable | None) -> Reading:
    if delta is None:
        return reading
    return replace(reading, version_at_analysis=delta.version_at_analysis, time_travel=delta.time_travel)


HANDLERS: Final[dict[str, Handler]] = {
    "LogicalRelation": logical_relation,
    "DataSourceV2Relation": v2_relation,
    "DataSourceV2ScanRelation": v2_relation,
    "StreamingDataSourceV2Relation": v2_relation,
    "StreamingDataSourceV2ScanRelation": v2_relation,
    "HiveTableRelation": catalog_relation,
    "UnresolvedCatalogRelation": catalog_relation,
    "LocalRelation": literal_rows,
    "OneRowRelation": literal_rows,
    "Range": generated_rows,
    "LogicalRDD": rdd,
    "InMemoryRelation": cached,
}
