"""Commands that change no value: definitions, maintenance, what only names a table."""

from __future__ import annotations

from typing import Final

from ...plan.nodes import Node
from ...plan.values import V2Table
from ..datasets import Reading
from ..relation import Relation
from ..walk import Walk
from .handler import Handler


def nothing(node: Node, walk: Walk) -> Relation:
    """A name, or a command that neither reads nor writes rows."""
    return Relation()


def resolved_table(node: Node, walk: Walk) -> Relation:
    """A table that a command is about; it is read only where a scan says so."""
    table = node.fields.get("table")
    if not isinstance(table, V2Table) or node.output is None:
        return Relation()
    return walk.read(node, (Reading(walk.naming.of_v2(table, node.name("identifier"))),))


_NAMES: Final = (
    "ResolvedIdentifier",
    "ResolvedNamespace",
    "ResolvedPersistentView",
    "ResolvedTempView",
    "UnresolvedIdentifier",
)

OPERATIONS: Final[dict[str, str]] = {
    "AddPartitions": "alter table",
    "AlterTableAddColumnsCommand": "alter table",
    "AlterViewAsCommand": "create view",
    "AnalyzeTableCommand": "analyze table",
    "CacheTable": "cache table",
    "CacheTableAsSelect": "cache table",
    "CreateDataSourceTableCommand": "create table",
    "CreateDatabaseCommand": "create database",
    "CreateNamespace": "create database",
    "CreateTable": "create table",
    "CreateTableCommand": "create table",
    "CreateTempViewUsing": "create view",
    "CreateView": "create view",
    "CreateViewCommand": "create view",
    "DescribeRelation": "describe",
    "DescribeTableCommand": "describe",
    "DropTable": "drop table",
    "DropTableCommand": "drop table",
    "DropTempViewCommand": "drop view",
    "DropView": "drop view",
    "OptimizeTableCommand": "optimize",
    "RefreshTable": "refresh table",
    "ReplaceTable": "replace table",
    "SetCatalogAndNamespace": "use",
    "SetCommand": "set",
    "ShowTables": "show tables",
    "ShowTablesCommand": "show tables",
    "TruncateTable": "truncate table",
    "TruncateTableCommand": "truncate table",
    "UncacheTable": "uncache table",
    "VacuumTableCommand": "vacuum",
}
"""Commands that leave no value other than it was, with the words for them. A commit they make is an output without edges."""

HANDLERS: Final[dict[str, Handler]] = {
    **dict.fromkeys(_NAMES, nothing),
    **dict.fromkeys(OPERATIONS, nothing),
    "ResolvedTable": resolved_table,
}
