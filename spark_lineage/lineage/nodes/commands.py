"""Commands that change no value: definitions, maintenance, what only names a table."""

from __future__ import annotations

from typing import Final

from ...plan.nodes import MissingFieldError, Node
from ...plan.values import V2Table
from ..datasets import Reading
from ..relation import Relation
from ..walk import Walk, Written
from .handler import Handler
from .leaves import catalog_of


def nothing(node: Node, walk: Walk) -> Relation:
    """A name, or a command that neither reads nor writes rows."""
    return Relation()


def resolved_table(node: Node, walk: Walk) -> Relation:
    """A table that a command is about; it is read only where a scan says so."""
    table = node.fields.get("table")
    if not isinstance(table, V2Table) or node.output is None:
        return Relation()
    return walk.read(node, map(Reading, walk.naming.of_v2(table, node.name("identifier"), catalog_of(node))))


def clone(node: Node, walk: Walk) -> Relation:
    """The table that CLONE copies. Its plan names neither the columns nor the version: any column may come from any."""
    path = node.path("sourceTable")
    if path is None:
        raise MissingFieldError(f"{node.kind} has no source")
    walk.reason("CLONE does not tell the columns and the version that it copied")
    walk.readings.append(Reading(walk.naming.of_path(path, "delta")))
    return Relation(datasets=1 << (len(walk.readings) - 1))


def create_delta_table(node: Node, walk: Walk) -> Relation:
    """Delta's own command for a new table: with a clone below it, a write of what was cloned."""
    below = walk.plan.nodes.get(node.plan("query") or -1)
    if below is None or below.kind != "CloneTableCommand":
        return Relation()
    table = node.table("table")
    if table is None:
        raise MissingFieldError(f"{node.kind} has no table")
    rows = walk.relation(below.id)
    replaces = "Create$" not in str(node.fields.get("operation"))
    mode = "replace" if replaces else "create"
    walk.written.append(Written(walk.naming.of_table(table), "clone", mode, (), rows, node))
    return Relation(datasets=rows.datasets)


_NAMES: Final = (
    "ResolvedIdentifier",
    "ResolvedNamespace",
    "ResolvedPersistentView",
    "ResolvedTempView",
    "UnresolvedIdentifier",
)

OPERATIONS: Final[dict[str, str]] = {
    "AddColumns": "alter table",
    "AddPartitions": "alter table",
    "AlterColumns": "alter table",
    "AlterTableAddColumnsCommand": "alter table",
    "AlterViewAsCommand": "create view",
    "AnalyzeTableCommand": "analyze table",
    "CacheTable": "cache table",
    "CacheTableAsSelect": "cache table",
    "CommentOnTable": "alter table",
    "CreateDataSourceTableCommand": "create table",
    "CreateDatabaseCommand": "create database",
    "CreateNamespace": "create database",
    "CreateTable": "create table",
    "CreateTableCommand": "create table",
    "CreateTempViewUsing": "create view",
    "CreateView": "create view",
    "CreateViewCommand": "create view",
    "DescribeDeltaDetailCommand": "describe",
    "DescribeDeltaHistoryCommand": "describe",
    "DescribeRelation": "describe",
    "DescribeTableCommand": "describe",
    "DropColumns": "alter table",
    "DropTable": "drop table",
    "DropTableCommand": "drop table",
    "DropTempViewCommand": "drop view",
    "DropView": "drop view",
    "OptimizeTableCommand": "optimize",
    "RefreshTable": "refresh table",
    "ReplaceTable": "replace table",
    "SetCatalogAndNamespace": "use",
    "SetCommand": "set",
    "SetTableProperties": "alter table",
    "ShowDeltaTableColumnsCommand": "show columns",
    "ShowTables": "show tables",
    "ShowTablesCommand": "show tables",
    "TruncateDeltaTableCommand": "truncate table",
    "TruncateTable": "truncate table",
    "TruncateTableCommand": "truncate table",
    "UncacheTable": "uncache table",
    "UnsetTableProperties": "alter table",
    "VacuumTableCommand": "vacuum",
}
"""Commands that leave no value other than it was, with the words for them. A commit they make is an output without edges."""

HANDLERS: Final[dict[str, Handler]] = {
    **dict.fromkeys(_NAMES, nothing),
    **dict.fromkeys(OPERATIONS, nothing),
    "CloneTableCommand": clone,
    "CreateDeltaTableCommand": create_delta_table,
    "ResolvedTable": resolved_table,
}
