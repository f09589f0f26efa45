"""Plans at the bounds of the bridge, and beyond: deep, wide, and unions of thousands. Nothing recurses by depth."""

from __future__ import annotations

import json
from typing import Any

from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.model import Records
from spark_lineage.plan.document import ExecutionDocument, read

LOGICAL = "org.apache.spark.sql.catalyst.plans.logical."


def node(number: int, kind: str, children: list[int], **more: Any) -> dict[str, Any]:
    return {"id": number, "class": LOGICAL + kind, "children": children, "fields": {}, **more}


def leaf(number: int, path: str, output: list[int]) -> dict[str, Any]:
    relation = {"class": "HadoopFsRelation", "format": "parquet", "paths": [path]}
    return {
        "id": number, "class": "org.apache.spark.sql.execution.datasources.LogicalRelation", "children": [], "output": output,
        "fields": {"relation": {"relation": relation}},
    }  # fmt: skip


def write(number: int, query: int) -> dict[str, Any]:
    fields = {
        "query": {"plan": query, "schema": [["a", "bigint", True]]},
        "options": {"map": {"path": "/out"}},
        "mode": "Append",
    }
    return {"id": number, "class": "org.apache.spark.sql.execution.datasources.SaveIntoDataSourceCommand", "children": [], "fields": fields}  # fmt: skip


def resolve(nodes: list[dict[str, Any]], attributes: dict[int, str]) -> Records:
    plan = {"root": nodes[-1]["id"], "nodes": nodes, "attributes": {str(i): [n, "bigint", True] for i, n in attributes.items()}}
    content = {
        "format": 1, "kind": "execution", "application_run_id": "r", "run_id": "r", "sequence": 1, "time_ms": 1, "sql_id": 1, "name": "command",
        "status": "succeeded", "analyzed": plan,
        "writes": [{"class": "InsertIntoHadoopFsRelationCommand", "path": "/out", "format": "parquet", "mode": "Append"}],
    }  # fmt: skip
    document = read(json.dumps(content).encode())
    assert isinstance(document, ExecutionDocument)
    return records_of_execution(document, RunContext())


def sources(records: Records) -> set[tuple[str | None, str | None]]:
    return {(edge.source_name, edge.source_column) for edge in records.column_lineage if edge.target_column == "a"}


def test_five_thousand_columns_added_one_by_one() -> None:
    nodes, attributes = [leaf(1, "/in", [1])], {1: "a"}
    for depth in range(5_000):
        added = 2 + depth
        attributes[added] = f"c{depth}"
        alias = {
            "as": added,
            "n": f"c{depth}",
            "c": [{"e": "Add", "c": [{"a": max(1, added - 1)}, {"l": "1", "t": "bigint"}], "p": {}}],
        }
        projected = [{"expr": {"a": 1}}, {"expr": alias, "sql": f"c + {depth}"}]
        nodes.append(node(2 + depth, "Project", [1 + depth], fields={"projectList": projected}))
    nodes.append(
        node(6_000, "Project", [5_001], fields={"projectList": [{"expr": {"as": 9_000, "n": "a", "c": [{"a": 5_001}]}}]})
    )
    attributes[9_000] = "a"
    nodes.append(write(6_001, 6_000))
    records = resolve(nodes, attributes)
    assert sources(records) == {("/in", "a")}
    assert records.executions[0].incomplete_reasons == ()


def test_fifty_thousand_nodes() -> None:
    nodes = [leaf(1, "/in", [1])]
    nodes += [node(number, "SubqueryAlias", [number - 1]) for number in range(2, 50_002)]
    nodes.append(write(50_002, 50_001))
    records = resolve(nodes, {1: "a"})
    assert sources(records) == {("/in", "a")}
    assert len(records.plans[0].operators) == 50_002


def test_an_expression_fifty_thousand_deep() -> None:
    # Written by hand: the standard library's writer recurses.
    text = '{"a":1}'
    head, tail = '{"e":"Add","c":[', ',{"l":"1","t":"bigint"}]}'
    text = head * 50_000 + text + tail * 50_000
    marker = {"expr": {"as": 2, "n": "a", "c": ["EXPRESSION"]}}
    nodes = [leaf(1, "/in", [1]), node(2, "Project", [1], fields={"projectList": [marker]}), write(3, 2)]
    plan = {"root": 3, "nodes": nodes, "attributes": {"1": ["a", "bigint", True], "2": ["a", "bigint", True]}}
    content = {
        "format": 1, "kind": "execution", "application_run_id": "r", "run_id": "r", "sequence": 1, "time_ms": 1, "sql_id": 1, "name": "command",
        "status": "succeeded", "analyzed": plan,
    }  # fmt: skip
    document = read(json.dumps(content).replace('"EXPRESSION"', text).encode())
    assert isinstance(document, ExecutionDocument)
    assert records_of_execution(document, RunContext()).executions[0].status == "succeeded"


def test_a_union_of_thousands_as_written_before_branches_were_shared() -> None:
    """Documents of the first release have every branch."""
    count = 4_096
    nodes = [leaf(1 + i, "/in", [1 + i]) for i in range(count)]
    nodes.append(node(9_000, "Union", [1 + i for i in range(count)], output=[1]))
    nodes.append(write(9_001, 9_000))
    records = resolve(nodes, {1 + i: "a" for i in range(count)})
    assert sources(records) == {("/in", "a")}
    assert len(records.inputs) == 1


def test_a_union_whose_branches_are_shared() -> None:
    nodes = [leaf(1, "/in", [1]), leaf(2, "/other", [2]), node(3, "Union", [1, 2], output=[1], copies=4_094), write(4, 3)]
    records = resolve(nodes, {1: "a", 2: "b"})
    assert sources(records) == {("/in", "a"), ("/other", "b")}
    assert records.executions[0].incomplete_reasons == ()
