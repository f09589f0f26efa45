"""What was never seen, and rules and nodes that no captured plan has: edges of plans that are written by hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from spark_lineage.lineage.expressions import RULES
from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.lineage.structures import STRUCTURES
from spark_lineage.plan.document import ExecutionDocument, read

TESTS = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TESTS))

from plans.lines import described  # noqa: E402

LOGICAL = "org.apache.spark.sql.catalyst.plans.logical."
HEADING = {
    "format": 1,
    "kind": "execution",
    "application_run_id": "app",
    "run_id": "run",
    "sequence": 3,
    "time_ms": 0,
    "sql_id": 7,
}
COLUMNS = {
    "1": ["a", "int", True],
    "2": ["b", "string", True],
    "3": ["c", "struct<p:int,q:int>", True],
    "4": ["d", "array<struct<p:int,q:int>>", True],
    "11": ["x", "int", True],
    "12": ["y", "string", True],
}
A, B, C, D = ({"a": number} for number in (1, 2, 3, 4))
ONE = {"l": "1", "t": "int"}


def call(name: str, *children: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    return {"e": name, "c": list(children), "p": arguments}


def node(kind: str, number: int, *children: int, output: tuple[int, ...] | None = None, **fields: Any) -> dict[str, Any]:
    name = kind if "." in kind else LOGICAL + kind
    return {"id": number, "class": name, "children": children, "output": output, "fields": fields}


RELATION = {"class": "HadoopFsRelation", "format": "csv", "paths": ["/in"]}
IN = {**node("LogicalRelation", 1, output=(1, 2, 3, 4)), "fields": {"relation": {"relation": RELATION}}}


def of(*nodes: dict[str, Any], names: tuple[str, ...] = ("x",), sql: str = "command") -> tuple[list[str], list[str]]:
    """The edges of what a file write of the last node's rows comes to, and what is incomplete about them."""
    top = nodes[-1]["id"]
    fields = {
        "outputPath": {"path": "/out"},
        "fileFormat": {"object": "a.Parquet"},
        "mode": "Append",
        "outputColumnNames": names,
    }
    save = node("InsertIntoHadoopFsRelationCommand", top + 1, top, output=(), **fields)
    plan = {"root": top + 1, "attributes": COLUMNS, "nodes": [*nodes, save]}
    found = read(json.dumps({**HEADING, "name": sql, "analyzed": plan}).encode())
    assert isinstance(found, ExecutionDocument)
    told = described(records_of_execution(found, RunContext(job_name="job")))
    return told["edges"], told["incomplete"]


def value(expression: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The edges of one column that an expression makes of the columns a, b, c, d of ``in``."""
    named = {"expr": {"as": 11, "n": "x", "c": [expression]}, "sql": "..."}
    return of(IN, node("Project", 2, 1, projectList=[named]))


@pytest.mark.parametrize("name", ["com.acme.Upper", "org.apache.spark.sql.acme.Mystery", "Mystery"])
def test_an_expression_never_seen_takes_all_its_children_and_says_so(name: str) -> None:
    edges, incomplete = value(call("Add", call(name, A, call("Md5", B)), ONE))
    assert edges == ["x <- in.a DIRECT TRANSFORMATION unknown", "x <- in.b DIRECT TRANSFORMATION unknown masked"]
    assert incomplete == [f"unknown expression {name}"]


def test_an_expression_never_seen_without_children_has_an_unknown_source() -> None:
    assert value(call("com.acme.Now")) == (["x <- unknown DIRECT IDENTITY"], ["unknown expression com.acme.Now"])


def test_an_expression_never_seen_in_a_condition_is_unknown_there() -> None:
    filtered = node("Filter", 2, 1, condition={"expr": call("com.acme.IsGood", B), "sql": "good(b)"})
    project = node("Project", 3, 2, projectList=[{"expr": A}])
    edges, incomplete = of(IN, filtered, project)
    assert edges == ["* <- in.b INDIRECT FILTER unknown", "x <- in.a DIRECT IDENTITY"]
    assert incomplete == ["unknown expression com.acme.IsGood"]


def test_a_subquery_expression_never_seen_takes_the_columns_of_its_rows() -> None:
    edges, incomplete = value({"e": "com.acme.AnyOf", "plan": 1, "c": []})
    assert edges == [f"x <- in.{name} DIRECT TRANSFORMATION unknown" for name in "abcd"]
    assert incomplete == ["unknown expression com.acme.AnyOf"]


@pytest.mark.parametrize(("name", "told"), [("com.acme.plans.Filter", "com.acme.plans.Filter"), ("Mystery", "Mystery")])
def test_a_node_never_seen_takes_all_that_is_below_it(name: str, told: str) -> None:
    below = node("Project", 2, 1, projectList=[{"expr": A}, {"expr": B}])
    edges, incomplete = of(IN, below, node(name, 3, 2, output=(11,)))
    assert edges == ["x <- in.a DIRECT TRANSFORMATION unknown", "x <- in.b DIRECT TRANSFORMATION unknown"]
    assert incomplete == [f"unknown node {told}"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (call("Nvl", call("Coalesce", A, B)), ["in.a DIRECT TRANSFORMATION", "in.a INDIRECT CONDITIONAL", "in.b DIRECT TRANSFORMATION"]),
        (call("UnaryPositive", A), ["in.a DIRECT IDENTITY"]),
        (call("TypeOf", A), ["literal DIRECT IDENTITY"]),
        (call("Elt", A, B, ONE), ["in.a INDIRECT CONDITIONAL", "in.b DIRECT TRANSFORMATION"]),
        (call("Mask", B, ONE, ONE, ONE, ONE), ["in.b DIRECT TRANSFORMATION masked"]),
        (call("Mask", B, ONE, {"l": None, "t": "string"}, ONE, ONE), ["in.b DIRECT TRANSFORMATION"]),
        (call("Mask", B, ONE, A, ONE, ONE), ["in.a DIRECT TRANSFORMATION", "in.b DIRECT TRANSFORMATION"]),
        (call("AggregateExpression", call("CountIf", A)), ["in.a DIRECT AGGREGATION masked"]),
        (call("AggregateExpression", call("BitmapConstructAgg", call("BitmapBitPosition", A))), ["in.a DIRECT AGGREGATION"]),
        (call("HllSketchEstimate", A), ["in.a DIRECT TRANSFORMATION masked"]),
        (call("ArrayInsert", D, A, C), ["in.a INDIRECT CONDITIONAL", "in.c DIRECT TRANSFORMATION", "in.d DIRECT TRANSFORMATION"]),
        (call("org.apache.spark.sql.hive.HiveGenericUDF", A), ["in.a DIRECT TRANSFORMATION"]),
        (call("org.apache.spark.sql.catalyst.analysis.TempResolvedColumn", A), ["in.a DIRECT IDENTITY"]),
    ],
)  # fmt: skip
def test_rules_of_expressions(expression: dict[str, Any], expected: list[str]) -> None:
    assert value(expression) == ([f"x <- {edge}" for edge in expected], [])


@pytest.mark.parametrize("name", ["Max", "Min", "Mode"])
def test_what_is_told_by_comparing_structs_depends_on_all_their_fields(name: str) -> None:
    """``max(struct(a, b)).b`` is another one when an ``a`` changes."""
    struct = call("CreateNamedStruct", {"l": "a", "t": "string"}, A, {"l": "b", "t": "string"}, B)
    greatest = call("AggregateExpression", call(name, struct))
    edges, _ = value(call("GetStructField", greatest, field="b"))
    assert "x <- in.a INDIRECT CONDITIONAL" in edges
    assert "x <- in.b DIRECT AGGREGATION" in edges


@pytest.mark.parametrize("name", ["ArrayDistinct", "ArrayMax", "SortArray"])
def test_of_elements_that_are_compared_no_field_is_told_apart(name: str) -> None:
    kept = call(name, D, ONE) if name == "SortArray" else call(name, D)
    edges, _ = value(call("GetArrayStructFields" if name != "ArrayMax" else "GetStructField", kept, field="p"))
    assert edges == ["x <- in.d DIRECT TRANSFORMATION"]


def test_distinct_in_an_aggregate_compares_whole_values() -> None:
    struct = call("CreateNamedStruct", {"l": "a", "t": "string"}, A, {"l": "b", "t": "string"}, B)
    edges, _ = value(
        call("GetArrayStructFields", call("AggregateExpression", call("CollectList", struct), isDistinct=True), field="b")
    )
    assert "x <- in.a INDIRECT CONDITIONAL" in edges


def test_common_expressions_stand_each_for_what_it_was_made_of() -> None:
    first, second = call("CommonExpressionRef", common=5), call("CommonExpressionRef", common=6)
    definitions = call("CommonExpressionDef", A, common=5), call("CommonExpressionDef", B, common=6)
    edges, incomplete = value(call("With", call("If", first, second, {"l": None, "t": "int"}), *definitions))
    assert edges == ["x <- in.a INDIRECT CONDITIONAL", "x <- in.b DIRECT TRANSFORMATION"]
    assert incomplete == []


def test_common_expressions_without_numbers_are_all_in_it() -> None:
    reference = call("CommonExpressionRef")
    edges, incomplete = value(call("With", call("Add", reference, B), call("CommonExpressionDef", A)))
    assert edges == ["x <- in.a DIRECT TRANSFORMATION", "x <- in.b DIRECT TRANSFORMATION"]
    assert incomplete == []


def test_a_typed_filter_may_look_at_all_that_its_function_is_given() -> None:
    filtered = node(
        "TypedFilter", 2, 1, deserializer={"expr": call("org.apache.spark.sql.catalyst.expressions.objects.NewInstance", B)}
    )
    edges, incomplete = of(IN, filtered, node("Project", 3, 2, projectList=[{"expr": A}]))
    assert edges == ["* <- in.b INDIRECT FILTER opaque", "x <- in.a DIRECT IDENTITY"]
    assert incomplete == []


def test_a_watermark_drops_rows_that_come_too_late() -> None:
    marked = node("EventTimeWatermark", 2, 1, output=(1, 2, 3, 4), eventTime={"expr": B})
    edges, _ = of(IN, marked, node("Project", 3, 2, projectList=[{"expr": A}]))
    assert edges == ["* <- in.b INDIRECT FILTER", "x <- in.a DIRECT IDENTITY"]


def test_merged_rows_come_of_each_instruction() -> None:
    keep = call(f"{LOGICAL}MergeRows$Keep", call("IsNotNull", B), A, B)
    split = call(f"{LOGICAL}MergeRows$Split", ONE, A, ONE, ONE, B)
    fields = {
        "isSourceRowPresent": {"expr": ONE},
        "isTargetRowPresent": {"expr": ONE},
        "matchedInstructions": [{"expr": keep}],
        "notMatchedInstructions": [{"expr": split}],
        "notMatchedBySourceInstructions": [],
    }
    edges, incomplete = of(IN, node("MergeRows", 2, 1, output=(11, 12), **fields), names=("x", "y"))
    assert edges == [
        "* <- in.b INDIRECT CONDITIONAL",
        "x <- in.a DIRECT IDENTITY",
        "y <- in.b DIRECT IDENTITY",
    ]
    assert incomplete == []


def test_the_result_of_a_command_is_not_the_command_again() -> None:
    save = node("InsertIntoHadoopFsRelationCommand", 2, 1, output=(), outputPath={"path": "/before"}, fileFormat={"object": "a.P"}, mode="Append", outputColumnNames=["a", "b", "c", "d"])  # fmt: skip
    result = node("org.apache.spark.sql.execution.CommandResult", 3, output=(11,), commandLogicalPlan={"plan": 2})
    result["class"] = f"{LOGICAL}CommandResult"
    edges, incomplete = of(IN, save, result)
    assert edges == ["x <- generated DIRECT IDENTITY"]
    assert incomplete == []


def test_values_that_are_worked_out_later_have_the_kind_of_their_expressions() -> None:
    rows = [[{"expr": call("CurrentDate")}, {"expr": ONE}], [{"expr": call("CurrentDate")}, {"expr": ONE}]]
    table = {
        **node("ResolvedInlineTable", 1, output=(11, 12), rows=rows),
        "class": "org.apache.spark.sql.catalyst.analysis.ResolvedInlineTable",
    }
    edges, incomplete = of(table, names=("x", "y"))
    assert edges == ["x <- generated DIRECT IDENTITY", "y <- literal DIRECT IDENTITY"]
    assert incomplete == []


def test_loaded_files_become_part_of_the_table() -> None:
    load = node("org.apache.spark.sql.execution.command.LoadDataCommand", 1, output=(), table={"name": ["db", "t"]}, path="/in/x", isOverwrite=True)  # fmt: skip
    told = _described(load)
    assert (told["operation"], told["datasets"]) == ("load data", ["db.t <- x plan"])
    assert told["incomplete"] == ["LOAD DATA did not tell the columns that it copied"]


def test_a_directory_in_a_format_of_hives_is_where_its_storage_says() -> None:
    storage = {"object": "org.apache.spark.sql.catalyst.catalog.CatalogStorageFormat", "locationUri": {"path": "/out/dir"}}
    fields = {"storage": storage, "query": {"plan": 2}, "outputColumnNames": ["x"], "isLocal": False, "overwrite": True}
    project = node("Project", 2, 1, projectList=[{"expr": A}])
    told = _described(
        IN, project, node("org.apache.spark.sql.hive.execution.InsertIntoHiveDirCommand", 3, 2, output=(), **fields)
    )
    assert (told["operation"], told["edges"]) == ("overwrite", ["x <- in.a DIRECT IDENTITY"])
    assert told["datasets"] == ["dir <- in plan"]


def test_what_only_decides_stays_as_sure_as_it_was_when_a_field_is_taken() -> None:
    seen = call("com.acme.Whole", C)
    chosen = call("If", call("IsNotNull", seen), C, {"l": None, "t": "struct<p:int,q:int>"})
    edges, _ = value(call("GetStructField", chosen, field="p"))
    assert edges == ["x <- in.c INDIRECT CONDITIONAL unknown", "x <- in.c.p DIRECT TRANSFORMATION unknown"]


def test_how_many_elements_there_are_is_as_sure_as_the_array() -> None:
    variable = call("NamedLambdaVariable", exprId=90)
    edges, _ = value(call("ArrayTransform", call("com.acme.Items", D), call("LambdaFunction", ONE, variable)))
    assert "x <- in.d INDIRECT CONDITIONAL unknown" in edges


def test_a_column_that_is_called_like_the_grouping_id_is_one_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COLUMNS, "21", ["spark_grouping_id", "int", True])
    rows = [[{"expr": A}, {"expr": B}], [{"expr": A}, {"expr": {"l": None, "t": "string"}}]]
    edges, _ = of(IN, node("Expand", 2, 1, output=(21, 12), projections=rows), names=("x", "y"))
    assert edges == ["x <- in.a DIRECT IDENTITY", "y <- in.b DIRECT IDENTITY"]


@pytest.mark.parametrize("children", [(), (A,), (A, A, A, A)])
def test_an_expression_without_the_children_that_its_rule_takes_loses_no_document(children: tuple[dict[str, Any], ...]) -> None:
    for name in sorted({*STRUCTURES, *RULES, "PythonUDF"}):
        edges, _ = value(call("Add", B, {"e": name, "c": list(children)}))
        assert any(edge.startswith("x <- in.b DIRECT TRANSFORMATION") for edge in edges), name


def test_what_a_malformed_expression_names_is_not_lost() -> None:
    edges, incomplete = value(call("Add", B, call("Cast")))
    assert edges == [f"x <- in.{name} DIRECT TRANSFORMATION unknown" for name in "abcd"]
    assert incomplete == ["unknown form of node Project: tuple index out of range"]


def test_the_rows_of_a_subquery_in_a_malformed_expression_are_not_lost() -> None:
    other = {**IN, "id": 5, "output": [13]}
    broken = call("Add", call("Cast"), {"e": "ScalarSubquery", "plan": 5, "c": []})
    edges, _ = of(
        other, node("OneRowRelation", 1), node("Project", 6, 1, projectList=[{"expr": {"as": 11, "n": "x", "c": [broken]}}])
    )
    assert edges == ["x <- in.#13 DIRECT TRANSFORMATION unknown"]


@pytest.mark.parametrize("columns", [(11,), (11, 99)])
def test_rows_written_anew_have_edges_though_the_types_of_the_table_are_not_told(columns: tuple[int, ...]) -> None:
    """Only columns of the table are its own, where its columns are known; what stands beside them is Spark's."""
    other = {**IN, "id": 5, "output": columns, "fields": {"relation": {"relation": {**RELATION, "paths": ["/t"]}}}}
    rows = node(
        "Project", 2, 1, projectList=[{"expr": {"as": 11, "n": "x", "c": [A]}}, {"expr": {"as": 12, "n": "y", "c": [B]}}]
    )
    told = _described(IN, rows, other, node("ReplaceData", 6, 2, output=(), table={"plan": 5}))
    assert "x <- in.a DIRECT IDENTITY" in told["edges"]
    assert ("y <- in.b DIRECT IDENTITY" in told["edges"]) is (99 in columns)


def _described(*nodes: dict[str, Any]) -> dict[str, Any]:
    plan = {"root": nodes[-1]["id"], "attributes": COLUMNS, "nodes": nodes}
    found = read(json.dumps({**HEADING, "name": "command", "status": "succeeded", "analyzed": plan}).encode())
    assert isinstance(found, ExecutionDocument)
    return described(records_of_execution(found, RunContext(job_name="job")))
