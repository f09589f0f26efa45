"""Commands that write what a query gives."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from ...plan.expressions import Alias, Call, Literal
from ...plan.nodes import MissingFieldError, Node
from ...plan.values import Field, Location, Opaque, TextMap, Value
from ..datasets import DatasetRef, short_format
from ..filling import filled
from ..influence import union
from ..relation import Relation, derived
from ..walk import Walk, Written
from .handler import Handler
from .leaves import catalog_of


def insert_files(node: Node, walk: Walk) -> Relation:
    """Files written through a v1 source: ``df.write.parquet``, INSERT into a Parquet table."""
    path = node.path("outputPath")
    if path is None:
        raise MissingFieldError(f"{node.kind} has no outputPath")
    table = node.table("catalogTable")
    target = walk.naming.of_path(path, _class_or_text(node.fields.get("fileFormat")), table.name if table else ())
    mode = _mode(node, walk)
    return _write(node, walk, target, _OPERATIONS.get(mode, mode), node.texts("outputColumnNames"), mode)


def create_table_as_select(node: Node, walk: Walk) -> Relation:
    """A new table of a v1 source; where it lies is known only after the write."""
    table = node.table("table") or node.table("tableDesc")
    if table is None:
        raise MissingFieldError(f"{node.kind} has no table")
    target = walk.naming.of_table(table) if table.location else walk.located(table.name, table.provider)
    names = node.texts("outputColumnNames")
    mode = _mode(node, walk)
    return _write(node, walk, target, "append" if mode == "append" else "create table as select", names, mode)


def insert_directory(node: Node, walk: Walk) -> Relation:
    """INSERT OVERWRITE DIRECTORY: the command inside it writes."""
    return Relation(datasets=walk.query(node).datasets)


def save_into_source(node: Node, walk: Walk) -> Relation:
    """``df.write.format(...).save()`` of a source that is no file format of Spark's own: Delta, JDBC."""
    options = node.options()
    source = _class_or_text(node.fields.get("dataSource"))
    path = options.get("path")
    if path:
        target = walk.at_path(path, _source_format(source))
    else:
        target = walk.naming.of_source(options, source or node.kind)[0]
    mode = _mode(node, walk)
    return _write(node, walk, target, _OPERATIONS.get(mode, mode), mode=mode)


def create_v2_table(node: Node, walk: Walk) -> Relation:
    """CREATE or REPLACE TABLE AS SELECT in a DataSourceV2 catalog. The query gives names and order."""
    name = _identifier(node, walk)
    spec = node.fields.get("tableSpec")
    location = _text_of(spec, "location")
    provider = _text_of(spec, "provider")
    if location:
        target = walk.naming.of_path(location, provider, name)
    else:
        target = _in_database(node, walk, name) or walk.located(name, provider)
    if not node.kind.startswith("Replace"):
        return _write(node, walk, target, "create table as select", mode="create")
    return _write(node, walk, target, "replace table as select", mode=_replaces(node, walk))


def _replaces(node: Node, walk: Walk) -> str:
    """``replace``, unless it is ``saveAsTable`` that keeps what its options do not name: Delta takes those into account."""
    options = node.options("writeOptions")
    if any(options.get(name) for name in _REPLACING):
        return "replace_where"
    partitions = options.get("partitionoverwritemode") or walk.confs.get("spark.sql.sources.partitionOverwriteMode") or ""
    return "overwrite_partitions" if partitions.lower() == "dynamic" else "replace"


def append(node: Node, walk: Walk) -> Relation:
    """INSERT INTO, ``writeTo(...).append()``."""
    return _into_table(node, walk, "append", "append")


def overwrite(node: Node, walk: Walk) -> Relation:
    """INSERT OVERWRITE, ``replaceWhere``: a predicate other than TRUE keeps the rows outside it."""
    deleted = node.expression("deleteExpr")
    everything = deleted is None or (isinstance(deleted.expression, Literal) and deleted.expression.text == "true")
    return _into_table(node, walk, "overwrite", "overwrite" if everything else "replace_where")


def overwrite_partitions(node: Node, walk: Walk) -> Relation:
    """An overwrite of the partitions that the rows are in."""
    return _into_table(node, walk, "overwrite partitions", "overwrite_partitions")


def replace_matching(node: Node, walk: Walk) -> Relation:
    """Delta's ``replaceOn`` and ``replaceUsing``: rows of the table that match those of the query give way to them. What is matched is
    not in the plan: any column of the query may decide which rows stay."""
    target, _ = _table(node, walk)
    query = walk.query(node)
    deciding = walk.deciding(union(column.influence for column in query.output_columns()), "FILTER")
    rows = derived((query,), query.columns, query.output, (deciding,))
    return _write(node, walk, target, "overwrite", mode="replace_where", query=rows)


def insert_hive_directory(node: Node, walk: Walk) -> Relation:
    """INSERT OVERWRITE DIRECTORY in a format of Hive's."""
    storage = node.fields.get("storage")
    location = storage.entries.get("locationUri") if isinstance(storage, TextMap) else None
    if not isinstance(location, Location):
        raise MissingFieldError(f"{node.kind} has no locationUri")
    return _write(node, walk, walk.at_path(location.path, "hive"), "overwrite", node.texts("outputColumnNames"), "overwrite")


def insert(node: Node, walk: Walk) -> Relation:
    """INSERT not yet resolved to a source's own command, and Hive's."""
    mode = "overwrite" if node.flag("overwrite") else "append"
    return _into_table(node, walk, mode, mode)


def row_level(node: Node, walk: Walk) -> Relation:
    """DELETE, UPDATE and MERGE of a DataSource V2 table (Iceberg): files or rows written anew, with columns of Spark's own beside."""
    target, fields = _table(node, walk)
    query = walk.query(node)
    names = {field.name for field in fields}
    given = zip(_given(node, walk, query), query.output_columns(), strict=True)
    columns = tuple((name, column) for name, column in given if name in names or not names)
    if any(one.kind == "MergeRows" for one in walk.plan.nodes.values()):
        operation = "merge"
    else:
        operation = "update" if _computes(node, walk) else "delete"
    walk.written.append(Written(target, operation, operation, columns, query, node, fields, rewrites=True))
    return Relation(datasets=query.datasets)


def _computes(node: Node, walk: Walk) -> bool:
    """Whether the rows that are written anew hold new values: DELETE passes on what it keeps as it is."""
    top = walk.plan.nodes.get(node.plan("query") or (node.children[-1] if node.children else -1))
    while top is not None and top.kind in ("Project", "Union", "Expand"):
        stated = (one.expression.child if isinstance(one.expression, Alias) else one.expression for one in top.all_stated())
        if any(isinstance(one, Call) for one in stated):
            return True
        top = walk.plan.nodes[top.children[0]]
    return False


def microbatch(node: Node, walk: Walk) -> Relation:
    """One batch of a stream, to a v1 sink."""
    sink = node.fields.get("sink")
    table = node.table("catalogTable")
    table_sink = node.v2table("sink")
    properties = table_sink.properties if table_sink else {}
    path = node.path("sink") or _text_of(sink, "path") or properties.get("path") or node.options("writeOptions").get("path")
    if table is not None:
        target = walk.naming.of_table(table)
    elif path is not None:
        provider = properties.get("provider") or _source_format(table_sink.class_name if table_sink else _class_or_text(sink))
        target = walk.at_path(path, provider)
    else:
        sink_class = table_sink.class_name if table_sink else _class_or_text(sink)
        if sink_class is None or sink_class.endswith("ForeachBatchSink"):
            return walk.query(node)
        target = walk.naming.of_source(node.options("writeOptions"), sink_class)[0]
    return written(node, walk, target, "stream")


def written(node: Node, walk: Walk, target: DatasetRef, operation: str) -> Relation:
    """Report that a stream's batch goes to a sink, in its output mode."""
    return _write(node, walk, target, operation, mode=_output_mode(node))


def _into_table(node: Node, walk: Walk, operation: str, mode: str) -> Relation:
    """A write into a table that is there: columns go by name where the command says so, else by position."""
    target, fields = _table(node, walk)
    return _write(node, walk, target, operation, tuple(field.name for field in fields), mode, fields)


def _write(
    node: Node,
    walk: Walk,
    target: DatasetRef,
    operation: str,
    names: tuple[str, ...] = (),
    mode: str | None = None,
    fields: tuple[Field, ...] = (),
    query: Relation | None = None,
) -> Relation:
    """Report a write of the node's query. `names` are the target's columns, the query's own where there are none."""
    query = query or walk.query(node)
    given = _given(node, walk, query)
    names = _by_name(names, given) if node.flag("isByName") else names
    names = names or given
    if len(names) != len(given):
        walk.reason(f"{node.kind} writes {len(given)} columns to {len(names)}: the query's names were taken")
        names = given
    if not fields:
        typed = node.plan_schema("query") or walk.fields(query.output)
        fields = tuple(replace(field, name=name) for field, name in zip(typed, names, strict=False))
    columns = filled(tuple(zip(names, query.output_columns(), strict=True)), target.key, fields, node, walk)
    walk.note(target)
    walk.written.append(Written(target, operation, mode or operation, columns, query, node, fields))
    return Relation(datasets=query.datasets)


def _given(node: Node, walk: Walk, query: Relation) -> tuple[str, ...]:
    """The names of the query's columns, as the query spells them: ``SELECT ID`` gives ``ID``, whatever the table calls it."""
    schema = node.plan_schema("query")
    if len(schema) == len(query.output):
        return tuple(field.name for field in schema)
    return tuple(walk.plan.name_of(item) for item in query.output)


def _by_name(names: tuple[str, ...], given: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the query's columns, spelt as the table spells them."""
    spelt = {name.lower(): name for name in names}
    return tuple(spelt.get(name.lower(), name) for name in given)


def _table(node: Node, walk: Walk) -> tuple[DatasetRef, tuple[Field, ...]]:
    """The table that a command writes to, with its columns."""
    table_node = walk.plan.nodes.get(node.plan("table") or node.plan("logicalRelation") or -1)
    if table_node is None and len(node.children) > 1:
        table_node = walk.plan.nodes[node.children[0]]
    v2table = node.v2table("deltaTable") or (table_node and table_node.v2table("table"))
    fields = walk.fields((table_node and table_node.output) or ())
    if v2table:
        parts = table_node.name("identifier") if table_node else None
        if v2table.delta is not None and v2table.delta.path is None and not v2table.delta.table_name:
            return walk.located(parts or (), "delta"), fields
        options = {**(table_node.options() if table_node else {}), **node.options("writeOptions")}
        return walk.naming.of_v2(v2table, parts, catalog_of(table_node) if table_node else None, options)[0], fields
    table = node.table("table") or node.table("catalogTable")
    if table is not None:
        return walk.naming.of_table(table), fields
    relation = table_node and table_node.relation("relation")
    if table_node is not None and relation:
        return walk.naming.of_files(relation, table_node.table("catalogTable"))[0], fields
    raise MissingFieldError(f"{node.kind} has no table that could be named")


def _named(node: Node, walk: Walk) -> Node | None:
    """The node that names the table that a CREATE makes."""
    return walk.plan.nodes.get(node.plan("name") or (node.children[0] if node.children else -1))


def _identifier(node: Node, walk: Walk) -> tuple[str, ...]:
    """The name of the table that a CREATE makes, with its catalog where that is not the session's own."""
    named = _named(node, walk)
    parts = node.name("name") or (named and (named.name("identifier") or named.name("name")))
    if not parts:
        raise MissingFieldError(f"{node.kind} has no name")
    catalog = catalog_of(named) if named else None
    return parts if catalog in (None, "spark_catalog", parts[0]) else (str(catalog), *parts)


def _in_database(node: Node, walk: Walk, name: tuple[str, ...]) -> DatasetRef | None:
    """A table that is made in a database behind JDBC: its catalog tells where."""
    named = _named(node, walk)
    catalog = named.fields.get("catalog") if named else None
    options = catalog.entries.get("options") if isinstance(catalog, TextMap) else None
    if named is None or not isinstance(options, TextMap):
        return None
    texts = {key.lower(): value for key, value in options.entries.items() if isinstance(value, str)}
    table = ".".join(f'"{part}"' for part in named.name("identifier") or ())
    return walk.naming.of_source({**texts, "dbtable": table}, "jdbc", name)[0] if "url" in texts and table else None


def _mode(node: Node, walk: Walk) -> str:
    """What becomes of what was there, as `outputs.write_mode` tells it.

    A save that fails where something is there wrote into nothing: ``create``. An overwrite may leave rows: outside a predicate, or
    in partitions that it does not write.
    """
    mode = (_class_or_text(node.fields.get("mode")) or "").rsplit(".", 1)[-1].rstrip("$").lower()
    if mode != "overwrite":
        return mode if mode in ("append", "ignore") else "create"
    options = node.options()
    if any(options.get(name) for name in _REPLACING):
        return "replace_where"
    static = node.fields.get("staticPartitions")
    if isinstance(static, TextMap) and static.entries:
        return "overwrite_partitions"
    partitions = options.get("partitionoverwritemode") or walk.confs.get("spark.sql.sources.partitionOverwriteMode") or ""
    return "overwrite_partitions" if partitions.lower() == "dynamic" and _is_partitioned(node) else "overwrite"


def _is_partitioned(node: Node) -> bool:
    """Whether the target may have partitions: only a write of files says that it has none."""
    return node.kind != "InsertIntoHadoopFsRelationCommand" or node.fields.get("partitionColumns") != ()


def _output_mode(node: Node) -> str:
    """``append`` or ``update``; a stream in complete mode overwrites."""
    mode = re.split(r"[.$]", (_class_or_text(node.fields.get("outputMode")) or "append").rstrip("$"))[-1].lower()
    return "overwrite" if mode == "complete" else mode


def _class_or_text(value: Value) -> str | None:
    if isinstance(value, Opaque):
        return value.class_name
    if isinstance(value, TextMap):
        return _text_of(value, "object")
    return value if isinstance(value, str) else None


def _text_of(value: Value, key: str) -> str | None:
    found = value.entries.get(key) if isinstance(value, TextMap) else None
    return found if isinstance(found, str) else None


def _source_format(source: str | None) -> str | None:
    if source is None:
        return None
    return "delta" if ".delta." in source else (short_format(source) or "").removesuffix("relationprovider") or None


_REPLACING: Final = ("replacewhere", "replaceon", "replaceusing")
"""Delta's options of an overwrite that keeps rows."""
_OPERATIONS: Final = {"replace_where": "overwrite", "overwrite_partitions": "overwrite partitions", "ignore": "create"}
"""Operations that are not called as their mode is."""

HANDLERS: Final[dict[str, Handler]] = {
    "InsertIntoHadoopFsRelationCommand": insert_files,
    "CreateDataSourceTableAsSelectCommand": create_table_as_select,
    "SaveAsV1TableCommand": create_table_as_select,
    "CreateHiveTableAsSelectCommand": create_table_as_select,
    "SaveIntoDataSourceCommand": save_into_source,
    "CreateTableAsSelect": create_v2_table,
    "ReplaceTableAsSelect": create_v2_table,
    "AppendData": append,
    "OverwriteByExpression": overwrite,
    "OverwritePartitionsDynamic": overwrite_partitions,
    "DeltaDynamicPartitionOverwriteCommand": overwrite_partitions,
    "DeltaInsertReplaceOnOrUsingCommand": replace_matching,
    "InsertIntoDataSourceDirCommand": insert_directory,
    "InsertIntoHiveDirCommand": insert_hive_directory,
    "InsertIntoStatement": insert,
    "InsertIntoDataSourceCommand": insert,
    "InsertIntoHiveTable": insert,
    "ReplaceData": row_level,
    "WriteDelta": row_level,
    "WriteToMicroBatchDataSourceV1": microbatch,
}
