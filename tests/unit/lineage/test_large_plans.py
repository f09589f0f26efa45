"""Plans at the bounds of the bridge, and beyond: deep, wide, and unions of thousands. Nothing recurses by depth."""

from __future__ import annotations

import json
import tracemalloc
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


def test_structs_within_structs_a_thousand_deep() -> None:
    nodes, attributes = [leaf(1, "/in", [1])], {1: "a"}
    for depth in range(1_000):
        struct = {"e": "CreateNamedStruct", "c": [{"l": "s", "t": "string"}, {"a": 1 + depth}]}
        attributes[2 + depth] = "a"
        nodes.append(
            node(
                2 + depth,
                "Project",
                [1 + depth],
                fields={"projectList": [{"expr": {"as": 2 + depth, "n": "a", "c": [struct]}}]},
            )
        )
    nodes.append(write(2_000, 1_001))
    records = resolve(nodes, attributes)
    assert [(edge.source_name, edge.source_column) for edge in records.column_lineage] == [("/in", "a")]
    assert records.executions[0].incomplete_reasons == ()


def test_a_schema_a_thousand_deep() -> None:
    data_type = "struct<s:" * 1_000 + "int" + ">" * 1_000
    parsed = {"e": "JsonToStructs", "c": [{"a": 1}], "p": {"schema": {"type": data_type}}}
    projected = node(2, "Project", [1], fields={"projectList": [{"expr": {"as": 2, "n": "a", "c": [parsed]}}]})
    records = resolve([leaf(1, "/in", [1]), projected, write(3, 2)], {1: "a", 2: "a"})
    assert [(edge.source_name, edge.source_column) for edge in records.column_lineage] == [("/in", "a")]


def test_a_struct_that_is_changed_a_thousand_times_in_one_expression() -> None:
    head, tail = '{"e":"UpdateFields","p":{"fields":["p","q"]},"c":[', ',{"e":"WithField","p":{"name":"p"},"c":[{"a":1}]}]}'
    text = head * 1_000 + '{"a":2}' + tail * 1_000
    marker = {"expr": {"as": 3, "n": "a", "c": ["EXPRESSION"]}}
    nodes = [leaf(1, "/in", [1, 2]), node(2, "Project", [1], fields={"projectList": [marker]}), write(3, 2)]
    attributes = {"1": ["v", "int", True], "2": ["s", "struct<p:int,q:int>", True], "3": ["a", "struct<p:int,q:int>", True]}
    content = {
        "format": 1, "kind": "execution", "application_run_id": "r", "run_id": "r", "sequence": 1, "time_ms": 1, "sql_id": 1, "name": "command",
        "status": "succeeded", "analyzed": {"root": 3, "nodes": nodes, "attributes": attributes},
    }  # fmt: skip
    document = read(json.dumps(content).replace('"EXPRESSION"', text).encode())
    assert isinstance(document, ExecutionDocument)
    records = records_of_execution(document, RunContext())
    assert {(edge.target_column, edge.source_column) for edge in records.column_lineage if edge.edge_type == "DIRECT"} == {
        ("a.p", "v"),
        ("a.q", "s.q"),
    }


def test_ways_through_many_operators_share_what_they_have_in_common() -> None:
    """Each would else have a copy of all that came before it: 3,000 copies of up to 3,000 steps."""
    nodes, attributes = [leaf(1, "/in", [1])], {1: "a"}
    for depth in range(3_000):
        kind, name = (("Project", "projectList"), ("Window", "windowExpressions"))[depth % 2]
        added = {"e": "Add", "c": [{"a": 1 + depth}, {"l": "1", "t": "bigint"}]}
        attributes[2 + depth] = "a"
        nodes.append(node(2 + depth, kind, [1 + depth], fields={name: [{"expr": {"as": 2 + depth, "n": "a", "c": [added]}}]}))
    nodes.append(node(6_000, "Project", [3_001], fields={"projectList": [{"expr": {"a": 3_001}}]}))
    nodes.append(write(6_001, 6_000))
    tracemalloc.start()
    records = resolve(nodes, attributes)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    [edge] = records.column_lineage
    assert edge.steps == ("Project", "Window") * 1_500
    assert peak < 25_000_000, peak


def test_a_recursion_that_takes_a_field_of_a_field_without_end() -> None:
    """No type is like that, and no analyzer makes it; a document may hold it."""
    step = {"e": "GetStructField", "c": [{"a": 3}], "p": {"field": "s"}}
    nodes = [
        leaf(1, "/in", [1]),
        node(2, "UnionLoopRef", [], output=[3], fields={"loopId": 7}),
        node(3, "Project", [2], fields={"projectList": [{"expr": {"as": 4, "n": "a", "c": [step]}}]}),
        node(4, "UnionLoop", [1, 3], output=[2], fields={"id": 7}),
        write(5, 4),
    ]
    records = resolve(nodes, dict.fromkeys((1, 2, 3, 4), "a"))
    assert ("/in", "a") in sources(records)
    assert ("/in", "a.s") in sources(records)


def test_a_node_that_gives_a_column_nobody_makes() -> None:
    nodes = [leaf(1, "/in", [1]), node(2, "Join", [1, 1], output=[1, 99], fields={"joinType": "Inner"}), write(3, 2)]
    records = resolve(nodes, {1: "a"})
    assert records.executions[0].incomplete_reasons[0] == "unknown form of node Join: nothing gives the column #99"
    assert {edge.certainty for edge in records.column_lineage} == {"unknown"}
