"""Commands that change no value: definitions, maintenance, what only names a table."""

from __future__ import annotations

from typing import Final

from ...plan.nodes import MissingFieldError, Node
from ...plan.values import V2Table
from ..datasets import DatasetRef, Reading
from ..relation import Relation
from ..walk import Walk, Written
from .handler import Handler
from .leaves import catalog_of


def nothing(node: Node, walk: Walk) -> Relation:
    """A name, or a command that neither reads nor writes rows."""
    return Relation()


def maintenance(node: Node, walk: Walk) -> Relation:
    """A command that leaves every value as it was: what lies below it is read where a scan says so, and no column comes of it."""
    bits = 0
    for item in (*node.children, *node.plans):
        bits |= walk.relations[item].datasets
    return Relation(datasets=bits)


def resolved_table(node: Node, walk: Walk) -> Relation:
    """A table that a command is about; it is read only where a scan says so."""
    table = node.fields.get("table")
    if not isinstance(table, V2Table) or node.output is None:
        return Relation()
    return walk.read(node, map(Reading, walk.naming.of_v2(table, node.name("identifier"), catalog_of(node))))


def create_delta_table(node: Node, walk: Walk) -> Relation:
    """Delta's own command for a new table: with a clone below it, a write of what was cloned; else CREATE TABLE (... LIKE)."""
    table = node.table("table")
    if table is None:
        raise MissingFieldError(f"{node.kind} has no table")
    below = walk.plan.nodes.get(node.plan("query") or -1)
    target = walk.naming.of_table(table) if table.location else walk.located(table.name, "delta")
    if below is None or below.kind != "CloneTableCommand":
        return Relation()
    replaces = "Create$" not in str(node.fields.get("operation"))
    return _copy(node, walk, _cloned(below, walk), target, "clone", "replace" if replaces else "create")


def restore(node: Node, walk: Walk) -> Relation:
    """RESTORE: the table becomes what it was in an earlier version. A version given by time is in no plan."""
    table = node.v2table("sourceTable")
    if table is None or table.delta is None:
        raise MissingFieldError(f"{node.kind} has no table")
    target = walk.naming.of_v2(table)[0]
    version = table.delta.version_at_analysis
    if version is None:
        walk.reason("RESTORE to a time does not tell the version that it went back to")
    return _copy(
        node, walk, Reading(target, version_at_analysis=version, time_travel=version is not None), target, "restore", "restore"
    )


def rename_table(node: Node, walk: Walk) -> Relation:
    """RENAME: one more name for the table. A managed one's folder moves with it: the new place holds what the old one did."""
    below = walk.plan.nodes[node.child]
    table, new = below.v2table("table"), node.texts("newName")
    if table is None or not new or table.delta is None or table.delta.path is None:
        return Relation()
    before = walk.relations[node.child]
    target = walk.naming.of_v2(table, below.name("identifier"))[0]
    name = (*(below.name("identifier") or ())[:-1], new[-1])
    folder, _, last = table.delta.path.rstrip("/").rpartition("/")
    if table.delta.managed and table.delta.table_name and table.delta.table_name[-1] == last:
        target = walk.naming.of_path(f"{folder}/{new[-1]}", "delta", name)
    target = target.also_called(walk.naming.aliases(name))
    columns = tuple((walk.plan.name_of(item), before.columns[item]) for item in before.output)
    walk.written.append(Written(target, "rename table", "rename", columns, before, node, walk.fields(before.output)))
    return before


def load_files(node: Node, walk: Walk) -> Relation:
    """LOAD DATA: files that become part of a table of Hive's as they are."""
    path, parts = node.text("path"), node.name("table")
    if path is None or not parts:
        raise MissingFieldError(f"{node.kind} has no path or no table")
    mode = "overwrite" if node.flag("isOverwrite") else "append"
    return _copy(node, walk, Reading(walk.at_path(path, None)), walk.located(parts, "hive"), "load data", mode)


def name_of_target(node: Node, walk: Walk) -> tuple[str, ...]:
    """The name of the table that a command is about, where its plan has one."""
    table = node.table("table")
    if table is not None:
        return table.name
    below = (walk.plan.nodes[child].name("identifier") for child in node.children)
    return next((parts for parts in below if parts), ())


def _cloned(node: Node, walk: Walk) -> Reading:
    """What CLONE copies: a Delta table in the version whose snapshot it took, or files."""
    table, path = node.v2table("sourceTable"), node.path("sourceTable")
    if table is not None and table.delta is not None:
        return Reading(walk.naming.of_v2(table)[0], version_at_analysis=table.delta.version_at_analysis, time_travel=True)
    if path is None:
        raise MissingFieldError(f"{node.kind} has no source")
    return Reading(walk.naming.of_path(path, None))


def _copy(node: Node, walk: Walk, source: Reading, target: DatasetRef, operation: str, mode: str) -> Relation:
    commit = walk.committed.get(target.key)
    fields = commit.columns if commit else ()
    if not fields:
        walk.reason(f"{operation.upper()} did not tell the columns that it copied")
    columns, relation = walk.copied(source, fields)
    walk.written.append(Written(target, operation, mode, columns, relation, node, fields))
    return relation


_NAMES: Final = (
    "ResolvedIdentifier",
    "ResolvedNamespace",
    "ResolvedNonPersistentFunc",
    "ResolvedPathBasedNonDeltaTable",
    "ResolvedPersistentFunc",
    "ResolvedPersistentView",
    "ResolvedProcedure",
    "ResolvedTempView",
    "UnresolvedIdentifier",
    "WriteIntoDelta",
)

OPERATIONS: Final[dict[str, str]] = {
    "AddArchivesCommand": "add resource",
    "AddCheckConstraint": "alter table",
    "AddColumns": "alter table",
    "AddConstraint": "alter table",
    "AddFilesCommand": "add resource",
    "AddJarsCommand": "add resource",
    "AddPartitions": "alter table",
    "AlterColumnSyncIdentity": "alter table",
    "AlterColumns": "alter table",
    "AlterDatabasePropertiesCommand": "alter database",
    "AlterDatabaseSetLocationCommand": "alter database",
    "AlterTableAddColumnsCommand": "alter table",
    "AlterTableAddColumnsDeltaCommand": "alter table",
    "AlterTableAddConstraint": "alter table",
    "AlterTableAddConstraintDeltaCommand": "alter table",
    "AlterTableAddPartitionCommand": "alter table",
    "AlterTableChangeColumnCommand": "alter table",
    "AlterTableChangeColumnDeltaCommand": "alter table",
    "AlterTableClusterBy": "alter table",
    "AlterTableClusterByDeltaCommand": "alter table",
    "AlterTableCollation": "alter table",
    "AlterTableDropColumnsDeltaCommand": "alter table",
    "AlterTableDropConstraint": "alter table",
    "AlterTableDropConstraintDeltaCommand": "alter table",
    "AlterTableDropFeature": "alter table",
    "AlterTableDropFeatureDeltaCommand": "alter table",
    "AlterTableDropPartitionCommand": "alter table",
    "AlterTableRenameCommand": "rename table",
    "AlterTableRenamePartitionCommand": "alter table",
    "AlterTableReplaceColumnsDeltaCommand": "alter table",
    "AlterTableSerDePropertiesCommand": "alter table",
    "AlterTableSetLocationCommand": "alter table",
    "AlterTableSetLocationDeltaCommand": "alter table",
    "AlterTableSetPropertiesCommand": "alter table",
    "AlterTableSetPropertiesDeltaCommand": "alter table",
    "AlterTableUnsetPropertiesCommand": "alter table",
    "AlterTableUnsetPropertiesDeltaCommand": "alter table",
    "AlterViewAs": "create view",
    "AlterViewAsCommand": "create view",
    "AlterViewSchemaBinding": "alter view",
    "AlterViewSchemaBindingCommand": "alter view",
    "AnalyzeColumn": "analyze table",
    "AnalyzeColumnCommand": "analyze table",
    "AnalyzePartitionCommand": "analyze table",
    "AnalyzeTable": "analyze table",
    "AnalyzeTableCommand": "analyze table",
    "AnalyzeTables": "analyze table",
    "AnalyzeTablesCommand": "analyze table",
    "CacheTable": "cache table",
    "CacheTableAsSelect": "cache table",
    "ClearCacheCommand": "uncache table",
    "CommentOnNamespace": "alter database",
    "CommentOnTable": "alter table",
    "ConvertToDeltaCommand": "convert to delta",
    "CreateDataSourceTableCommand": "create table",
    "CreateDatabaseCommand": "create database",
    "CreateDeltaTableCommand": "create table",
    "CreateFunction": "create function",
    "CreateFunctionCommand": "create function",
    "CreateIndex": "alter table",
    "CreateNamespace": "create database",
    "CreateSQLFunctionCommand": "create function",
    "CreateTable": "create table",
    "CreateTableCommand": "create table",
    "CreateTableLikeCommand": "create table",
    "CreateTempViewUsing": "create view",
    "CreateUserDefinedFunction": "create function",
    "CreateVariable": "set",
    "CreateView": "create view",
    "CreateViewCommand": "create view",
    "DeltaGenerateCommand": "generate",
    "DeltaReorgTableCommand": "reorg",
    "DescribeColumn": "describe",
    "DescribeColumnCommand": "describe",
    "DescribeDatabaseCommand": "describe",
    "DescribeDeltaDetailCommand": "describe",
    "DescribeDeltaHistoryCommand": "describe",
    "DescribeFunction": "describe",
    "DescribeFunctionCommand": "describe",
    "DescribeNamespace": "describe",
    "DescribeProcedureCommand": "describe",
    "DescribeQueryCommand": "describe",
    "DescribeRelation": "describe",
    "DescribeRelationJsonCommand": "describe",
    "DescribeTableCommand": "describe",
    "DropColumns": "alter table",
    "DropConstraint": "alter table",
    "DropDatabaseCommand": "drop database",
    "DropFunction": "drop function",
    "DropFunctionCommand": "drop function",
    "DropIndex": "alter table",
    "DropNamespace": "drop database",
    "DropPartitions": "alter table",
    "DropTable": "drop table",
    "DropTableCommand": "drop table",
    "DropTempViewCommand": "drop view",
    "DropVariable": "set",
    "DropView": "drop view",
    "ExplainCommand": "explain",
    "ListArchivesCommand": "list resources",
    "ListFilesCommand": "list resources",
    "ListJarsCommand": "list resources",
    "NoopCommand": "nothing",
    "OptimizeTableCommand": "optimize",
    "RecoverPartitions": "alter table",
    "RefreshFunction": "refresh function",
    "RefreshFunctionCommand": "refresh function",
    "RefreshResource": "refresh table",
    "RefreshTable": "refresh table",
    "RefreshTableCommand": "refresh table",
    "RenameColumn": "alter table",
    "RenamePartitions": "alter table",
    "RenameTable": "rename table",
    "RepairTable": "alter table",
    "RepairTableCommand": "alter table",
    "ReplaceColumns": "alter table",
    "ReplaceTable": "replace table",
    "ResetCommand": "set",
    "RowTrackingBackfillCommand": "alter table",
    "RowTrackingUnBackfillCommand": "alter table",
    "SetCatalogAndNamespace": "use",
    "SetCatalogCommand": "use",
    "SetCommand": "set",
    "SetNamespaceCollationCommand": "alter database",
    "SetNamespaceCommand": "use",
    "SetNamespaceLocation": "alter database",
    "SetNamespaceProperties": "alter database",
    "SetTableLocation": "alter table",
    "SetTableProperties": "alter table",
    "SetTableSerDeProperties": "alter table",
    "SetVariable": "set",
    "SetViewProperties": "alter view",
    "ShowCatalogsCommand": "show catalogs",
    "ShowColumns": "show columns",
    "ShowColumnsCommand": "show columns",
    "ShowCreateTable": "show create table",
    "ShowCreateTableAsSerdeCommand": "show create table",
    "ShowCreateTableCommand": "show create table",
    "ShowCurrentNamespaceCommand": "show databases",
    "ShowDeltaPartitionsCommand": "show partitions",
    "ShowDeltaTableColumnsCommand": "show columns",
    "ShowFunctions": "show functions",
    "ShowFunctionsCommand": "show functions",
    "ShowNamespaces": "show databases",
    "ShowNamespacesCommand": "show databases",
    "ShowPartitions": "show partitions",
    "ShowPartitionsCommand": "show partitions",
    "ShowProceduresCommand": "show procedures",
    "ShowTablePartition": "show tables",
    "ShowTableProperties": "show table properties",
    "ShowTablePropertiesCommand": "show table properties",
    "ShowTables": "show tables",
    "ShowTablesCommand": "show tables",
    "ShowTablesExtended": "show tables",
    "ShowViews": "show views",
    "ShowViewsCommand": "show views",
    "StreamingExplainCommand": "explain",
    "TruncateDeltaTableCommand": "truncate table",
    "TruncatePartition": "truncate table",
    "TruncateTable": "truncate table",
    "TruncateTableCommand": "truncate table",
    "UncacheTable": "uncache table",
    "UnsetNamespacePropertiesCommand": "alter database",
    "UnsetTableProperties": "alter table",
    "UnsetViewProperties": "alter view",
    "VacuumTableCommand": "vacuum",
}
"""Commands that leave no value other than it was, with the words for them. A commit they make is an output without edges."""

HANDLERS: Final[dict[str, Handler]] = {
    **dict.fromkeys(_NAMES, nothing),
    **dict.fromkeys(OPERATIONS, maintenance),
    "CloneTableCommand": nothing,
    "CreateDeltaTableCommand": create_delta_table,
    "LoadDataCommand": load_files,
    "RenameTable": rename_table,
    "ResolvedTable": resolved_table,
    "RestoreTableCommand": restore,
}
