from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_lineage.lineage.edges import without_literals
from spark_lineage.lineage.expressions import RULES
from spark_lineage.lineage.influence import Source, Sources, passed
from spark_lineage.lineage.resolve import RunContext, records_of_execution, records_of_run_end, records_of_run_start
from spark_lineage.model import Records, RunReads
from spark_lineage.plan.document import ExecutionDocument, RunEnd, RunStart, read

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
    "time_ms": 1_767_225_600_000,
    "sql_id": 7,
}
COLUMNS = {"1": ["a", "int", True], "2": ["b", "string", True], "11": ["x", "int", True], "12": ["y", "string", True]}


def captured(name: str) -> ExecutionDocument:
    return parsed((TESTS / "plans" / name / "plan.json").read_bytes())


def parsed(data: bytes) -> ExecutionDocument:
    document = read(data)
    assert isinstance(document, ExecutionDocument)
    return document


def made(*nodes: dict[str, Any], **fields: Any) -> ExecutionDocument:
    """A document whose plan is these nodes, the last one the root."""
    plan = {"root": nodes[-1]["id"], "attributes": COLUMNS, "nodes": nodes}
    return parsed(json.dumps({**HEADING, "name": "command", "analyzed": plan, **fields}).encode())


def leaf(number: int, path: str, *output: int) -> dict[str, Any]:
    relation = {"relation": {"class": "HadoopFsRelation", "format": "csv", "paths": [path]}}
    return {"id": number, "class": "LogicalRelation", "children": [], "output": output, "fields": {"relation": relation}}


def save(number: int, child: int, *names: str, path: str = "/out") -> dict[str, Any]:
    fields = {
        "outputPath": {"path": path},
        "fileFormat": {"object": "a.ParquetFileFormat"},
        "mode": "Append",
        "outputColumnNames": names,
    }
    return {"id": number, "class": "InsertIntoHadoopFsRelationCommand", "children": [child], "output": [], "fields": fields}


def node(kind: str, number: int, *children: int, output: tuple[int, ...] | None = None, **fields: Any) -> dict[str, Any]:
    return {"id": number, "class": LOGICAL + kind, "children": children, "output": output, "fields": fields}


def resolved(document: ExecutionDocument, **run: Any) -> Records:
    return records_of_execution(document, RunContext(job_name="job", **run))


def edges(document: ExecutionDocument, **run: Any) -> list[str]:
    return list(described(resolved(document, **run))["edges"])


def test_an_unknown_node_takes_everything_and_says_so() -> None:
    document = made(leaf(1, "/in", 1, 2), node("Mystery", 2, 1, output=(11,)), save(3, 2, "x"))
    assert edges(document) == ["x <- in.a DIRECT TRANSFORMATION unknown", "x <- in.b DIRECT TRANSFORMATION unknown"]
    execution = resolved(document).executions[0]
    assert (execution.completeness, execution.incomplete_reasons) == ("partial", ("unknown node Mystery",))


def test_a_char_column_is_read_unchanged_though_spark_pads_it() -> None:
    padded = {"e": "StaticInvoke", "c": [{"a": 2}, {"l": "10", "t": "int"}], "p": {"functionName": "readSidePadding"}}
    other = {"e": "StaticInvoke", "c": [{"a": 1}], "p": {"functionName": "somethingElse"}}
    items = [{"expr": {"as": 12, "n": "y", "c": [padded]}}, {"expr": {"as": 11, "n": "x", "c": [other]}}]
    document = made(leaf(1, "/in", 1, 2), node("Project", 2, 1, projectList=items), save(3, 2, "y", "x"))
    assert edges(document) == ["x <- in.a DIRECT TRANSFORMATION", "y <- in.b DIRECT IDENTITY"]
    assert {edge.target_column: edge.steps for edge in resolved(document).column_lineage} == {"x": ("Project",), "y": ()}


def test_a_count_of_literals_is_made_up_and_what_decides_about_them_bears_on_it() -> None:
    case = {"e": "CaseWhen", "c": [{"e": "IsNull", "c": [{"a": 2}]}, {"l": "1", "t": "int"}, {"l": "0", "t": "int"}]}
    count = {"e": "AggregateExpression", "c": [{"e": "Count", "c": [case]}]}
    items = [{"expr": {"as": 11, "n": "x", "c": [count]}}]
    aggregate = node("Aggregate", 2, 1, groupingExpressions=[], aggregateExpressions=items)
    document = made(leaf(1, "/in", 1, 2), aggregate, save(3, 2, "x"))
    assert edges(document) == ["x <- generated DIRECT AGGREGATION", "x <- in.b INDIRECT CONDITIONAL"]


def test_an_unknown_leaf_has_an_unknown_source() -> None:
    document = made(node("Mystery", 1, output=(11,)), save(2, 1, "x"))
    assert edges(document) == ["x <- unknown DIRECT IDENTITY"]


def test_a_known_node_of_an_unknown_form_takes_the_unknown_path() -> None:
    document = made(leaf(1, "/in", 1, 2), node("Project", 2, 1, output=(11,), columns=[]), save(3, 2, "x"))
    assert edges(document) == ["x <- in.a DIRECT TRANSFORMATION unknown", "x <- in.b DIRECT TRANSFORMATION unknown"]
    assert resolved(document).executions[0].incomplete_reasons == (
        "unknown form of node Project: Project has no list projectList",
    )


def test_a_column_that_nothing_gives_is_unknown_and_told() -> None:
    document = made(
        leaf(1, "/in", 1), node("Project", 2, 1, projectList=[{"expr": {"as": 9, "n": "x", "c": [{"a": 12}]}}]), save(3, 2, "x")
    )
    assert edges(document) == ["x <- unknown DIRECT IDENTITY"]
    assert resolved(document).executions[0].incomplete_reasons == ("column y: no operator below gives it",)


def test_an_unknown_command_with_a_commit_writes_anything_from_anything() -> None:
    commit = {"path": "/out", "version": 4, "version_before": 3, "operation": "SHUFFLE", "metrics": {}}
    document = made(leaf(1, "/in", 1, 2), node("ShuffleCommand", 2, 1, output=()), commits=[commit])
    found = described(resolved(document))
    assert found["edges"] == ["* <- in.a DIRECT TRANSFORMATION unknown", "* <- in.b DIRECT TRANSFORMATION unknown"]
    assert found["outputs"] == ["out shuffle version 4 rows None"]
    assert found["operation"] == "command:ShuffleCommand"


def test_a_plan_that_was_given_up_keeps_versions_and_infers_its_datasets() -> None:
    document = replace(captured("aggregate"), analyzed=None, incomplete=("plan over the node budget (20000)",))
    found = described(resolved(document))
    assert found["inputs"] == ["orders version 1 exact"]
    assert found["outputs"][0].startswith("out write version")
    assert found["datasets"] == ["out <- orders inferred"]
    assert found["edges"] == []
    assert found["incomplete"] == ["plan over the node budget (20000)"]


def test_several_versions_of_one_table_are_several_inputs() -> None:
    document = captured("join_self")
    first = document.scans[0]
    second = replace(first, delta_version=0, rows=1)
    found = resolved(replace(document, scans=(first, second)))
    assert [(one.name, one.delta_version, one.version_basis) for one in found.inputs] == [
        ("/data/warehouse/orders", 1, "exact"),
        ("/data/warehouse/orders", 0, "exact"),
    ]


def test_a_leaf_without_a_scan_has_the_version_at_analysis_inferred() -> None:
    found = resolved(replace(captured("filter"), scans=()))
    assert [(one.delta_version, one.version_basis) for one in found.inputs] == [(1, "inferred")]


def test_a_target_that_no_scan_read_is_read_at_the_version_before_the_commit() -> None:
    found = resolved(replace(captured("delete"), scans=()))
    assert [(one.delta_version, one.version_basis) for one in found.inputs] == [(1, "exact")]


def test_an_inferred_scan_is_an_inferred_input() -> None:
    document = captured("filter")
    found = resolved(replace(document, scans=(replace(document.scans[0], version_basis="inferred"),)))
    assert [one.version_basis for one in found.inputs] == ["inferred"]


def test_a_table_behind_jdbc_is_one_input_whatever_its_scan_is_called() -> None:
    options = {"url": "jdbc:postgresql://db/shop?user=me&password=secret", "dbtable": "public.orders"}
    relation = {
        "relation": {
            "class": "org.apache.spark.sql.execution.datasources.jdbc.JDBCRelation",
            "format": "jdbc",
            "paths": [],
            "options": options,
        }
    }
    read_node = {"id": 1, "class": "LogicalRelation", "children": [], "output": [1], "fields": {"relation": relation}}
    scan = {"class": "RowDataSourceScanExec", "name": "JDBCRelation(public.orders) [numPartitions=1]", "output": [1], "rows": 5}
    found = resolved(made(read_node, save(2, 1, "a"), scans=[scan]))
    assert [(one.namespace, one.name, one.rows_read) for one in found.inputs] == [
        ("postgres://db:5432", "shop.public.orders", 5)
    ]
    assert [edge.source_name for edge in found.dataset_lineage] == ["shop.public.orders"]
    assert "secret" not in repr(found)


def test_a_table_of_another_catalog_is_named_alike_when_read_and_when_written() -> None:
    table = {"v2table": {"class": "org.example.OtherTable", "name": "other.sales.t", "properties": {}}}
    relation = {
        "id": 1,
        "class": "DataSourceV2Relation",
        "children": [],
        "output": [1],
        "fields": {"table": table, "identifier": {"name": ["sales", "t"]}},
    }
    found = resolved(
        made(
            relation,
            {"id": 2, "class": LOGICAL + "AppendData", "children": [1], "output": [], "fields": {"table": {"plan": 1}}},
        )
    )
    assert {(one.namespace, one.name) for one in (*found.inputs, *found.outputs)} == {("other", "sales.t")}


def test_metrics_come_from_the_commit() -> None:
    output = resolved(captured("merge")).outputs[0]
    assert output.rows_written == 2
    assert output.files_written is not None
    assert output.bytes_written is not None
    assert (output.delta_version_before, output.delta_version, output.version_basis) == (1, 2, "exact")


def test_a_denied_dataset_has_no_name_in_the_stored_plan() -> None:
    (plan,) = resolved(captured("join_inner"), datasets_deny=("*customers",)).plans
    texts = [one.description for one in plan.operators if one.kind == "LogicalRelation"]
    assert sorted(text.rpartition("/")[2] for text in texts) == ["a dataset that is not recorded", "orders"]
    assert {source.name.rpartition("/")[2] for column in plan.columns for source in column.sources} == {"orders"}


def test_a_denied_input_leaves_inputs_and_edges() -> None:
    found = resolved(captured("join_inner"), datasets_deny=("*customers",))
    assert [one.name for one in found.inputs] == ["/data/warehouse/orders"]
    assert {edge.source_name for edge in found.column_lineage} == {"/data/warehouse/orders"}
    assert {edge.source_name for edge in found.dataset_lineage} == {"/data/warehouse/orders"}
    assert {one.name for one in found.datasets} == {"/data/warehouse/orders", "/data/out"}


@pytest.mark.parametrize("pattern", ["/data/out", "*out", "file:/data/out", "*/out"])
def test_an_execution_whose_output_is_denied_is_recorded_without_it(pattern: str) -> None:
    found = resolved(captured("join_inner"), datasets_deny=(pattern,))
    assert found.outputs == ()
    assert found.column_lineage == ()
    assert found.dataset_lineage == ()
    assert (found.executions[0].lineage_id, found.executions[0].operation) == (None, "overwrite")


def test_an_alias_is_enough_to_deny_and_an_allow_list_denies_the_rest() -> None:
    assert [one.name for one in resolved(captured("join_inner"), datasets_deny=("default.orders",)).inputs] == [
        "/data/warehouse/customers"
    ]
    found = resolved(captured("join_inner"), datasets_allow=("*orders", "/data/out"), datasets_deny=())
    assert [one.name for one in found.inputs] == ["/data/warehouse/orders"]
    assert len(found.outputs) == 1


def test_nightly_runs_share_lineage_and_plan_whatever_their_literals_versions_and_ids() -> None:
    document = captured("filter")
    text = (TESTS / "plans" / "filter" / "plan.json").read_text(encoding="utf-8")
    other = parsed(text.replace("paid", "unpaid").replace('"version_at_analysis": 1', '"version_at_analysis": 9').encode())
    first, second = resolved(document), resolved(replace(other, sql_id=99, ended_ms=1_800_000_000_000))
    assert first.executions[0].lineage_id == second.executions[0].lineage_id
    assert first.plans[0].plan_id == second.plans[0].plan_id
    assert first.executions[0].execution_id != second.executions[0].execution_id
    different = resolved(captured("join_semi"))
    assert different.executions[0].lineage_id != first.executions[0].lineage_id


def test_edges_carry_expression_and_the_operators_passed() -> None:
    found = {edge.target_column: edge for edge in resolved(captured("aggregate")).column_lineage if edge.edge_type == "DIRECT"}
    assert found["top"].expression == "(max(spark_catalog.default.orders.amount) + CAST(1 AS DOUBLE))"
    assert found["top"].steps == ("Aggregate",)
    assert found["customer_id"].expression is None
    assert found["customer_id"].steps == ()


@pytest.mark.parametrize(
    ("changes", "confs", "mode"),
    [
        ({"mode": "Append"}, {}, "append"),
        ({"mode": "ErrorIfExists"}, {}, "create"),
        ({"mode": "Ignore"}, {}, "ignore"),
        ({"mode": "Overwrite"}, {}, "overwrite"),
        ({"mode": "Overwrite", "staticPartitions": {"map": {"dt": "1"}}}, {}, "overwrite_partitions"),
        ({"mode": "Overwrite", "partitionColumns": [{"expr": {"a": 1}}]}, {"spark.sql.sources.partitionOverwriteMode": "dynamic"}, "overwrite_partitions"),
        ({"mode": "Overwrite", "partitionColumns": []}, {"spark.sql.sources.partitionOverwriteMode": "dynamic"}, "overwrite"),
        ({"mode": "Overwrite", "options": {"map": {"partitionOverwriteMode": "DYNAMIC"}}}, {}, "overwrite_partitions"),
        ({"mode": "Overwrite", "options": {"map": {"replaceWhere": "a = 1"}}}, {}, "replace_where"),
    ],
)  # fmt: skip
def test_the_write_mode_tells_whether_anything_of_what_was_there_is_left(
    changes: dict[str, Any], confs: dict[str, str], mode: str
) -> None:
    write = save(2, 1, "a")
    write["fields"].update(changes)
    assert resolved(made(leaf(1, "/in", 1), write, confs=confs)).outputs[0].write_mode == mode


def test_steps_begin_at_the_source() -> None:
    found = {
        edge.source_name: edge.steps
        for edge in resolved(captured("foreach_batch")).column_lineage
        if edge.target_column == "total"
    }
    assert found == {"/data/warehouse/returned": ("Project", "Aggregate")}


def test_a_stored_plan_names_operators_and_leaves_values_out() -> None:
    operators = resolved(captured("cte")).plans[0].operators
    assert [one.id for one in operators] == list(range(len(operators)))
    by_kind = {one.kind: one for one in operators}
    assert by_kind["LogicalRelation"].description == "file /data/warehouse/orders"
    assert by_kind["Filter"].description == "(spark_catalog.default.orders.status = ?)"
    assert by_kind["Join"].description == "Inner (a.customer_id = b.customer_id)"
    assert by_kind["CTERelationRef"].inputs == (by_kind["CTERelationDef"].id,)
    assert by_kind["Project"].fields == ("first", "second")
    assert operators[-1].description == "file /data/out"


def test_header_of_an_execution() -> None:
    document = made(
        leaf(1, "/in", 1),
        save(2, 1, "a"),
        started_ms=1_767_225_590_000,
        ended_ms=1_767_225_600_000,
        confs={"spark.sql.x": "1"},
        statement="INSERT ...",
    )
    execution = resolved(document).executions[0]
    assert execution.execution_id == "app:7"
    assert execution.ended_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert str(execution.event_date) == "2026-01-01"
    assert execution.statement == "INSERT ..."
    assert execution.session_confs_id == resolved(document).session_confs[0].session_confs_id


@pytest.mark.parametrize(
    "case", ["write_delta_append", "write_parquet", "ctas", "insert_into", "insert_overwrite", "update", "merge"]
)
def test_a_write_whose_plan_was_left_out_keeps_its_target_and_versions(case: str) -> None:
    """As the bridge writes it under load: the root, whose rows are a node number 0 that is not there."""
    raw = json.loads((TESTS / "plans" / case / "plan.json").read_text())
    whole = parsed(json.dumps(raw).encode())
    nodes = {node["id"]: node for node in raw["analyzed"]["nodes"]}
    root = nodes[raw["analyzed"]["root"]]
    left_out = {"query", "name", "source", "target"}  # children, and what Catalyst calls inner children
    root["children"] = [0] * len(root["children"])
    for name in left_out & set(root["fields"]):
        if isinstance(root["fields"][name], dict) and "plan" in root["fields"][name]:
            root["fields"][name]["plan"] = 0
    table = nodes.get((root["fields"].get("table") or {}).get("plan"))
    raw["analyzed"]["nodes"] = [node for node in (table, root) if node is not None]
    raw["nested"] = []
    raw["incomplete"] = ["plan left out under load"]
    cut = resolved(parsed(json.dumps(raw).encode()))
    before = resolved(whole)
    assert [(one.name, one.delta_version, one.rows_written) for one in cut.outputs] == [
        (one.name, one.delta_version, one.rows_written) for one in before.outputs
    ]
    assert {(one.name, one.delta_version) for one in cut.inputs} == {(one.name, one.delta_version) for one in before.inputs}
    assert cut.executions[0].operation == before.executions[0].operation
    assert cut.executions[0].completeness == "partial"
    assert {edge.source_kind for edge in cut.column_lineage} <= {"unknown"}


def test_a_stream_s_batch_is_known_by_its_query_and_number() -> None:
    execution = resolved(captured("stream")).executions[0]
    assert execution.stream_query_id is not None
    assert execution.batch_id == 0


def test_the_run_is_asked_only_when_a_model_is_touched() -> None:
    def fail() -> RunReads:
        raise AssertionError("the run was asked")

    for name in ("aggregate", "merge", "read_csv_file", "write_parquet", "collect"):
        resolved(captured(name), reads=fail)
    with pytest.raises(AssertionError, match="was asked"):
        resolved(captured("model_save_stage"), reads=fail)


def test_a_data_folder_is_part_of_a_model_only_where_the_run_knows_one() -> None:
    known = RunReads(models=frozenset({("file", "/data/files")}))
    assert [one.name for one in resolved(captured("data_folder"), reads=lambda: known).outputs] == ["/data/files"]
    assert [one.name for one in resolved(captured("data_folder")).outputs] == ["/data/files/data"]


def test_run_start_and_end() -> None:
    start = RunStart(
        application_run_id="app", run_id="run", sequence=0, time_ms=1_767_225_600_000, job_name="daily", labels={"team": "x"}
    )
    run = records_of_run_start(start).runs[0]
    assert (run.run_id, run.status, run.job_name, run.labels) == ("run", "running", "daily", {"team": "x"})
    assert run.started_at == datetime(2026, 1, 1, tzinfo=UTC)
    end = RunEnd(application_run_id="app", run_id="run", sequence=9, time_ms=1_767_225_600_000, status="failed", error="boom")
    run = records_of_run_end(end, 2).runs[0]
    assert (run.status, run.error, run.documents_missing, run.started_at) == ("failed", "boom", 2, None)


def test_a_plan_5000_filters_deep_is_resolved() -> None:
    filters = [
        node("Filter", number, number - 1, condition={"expr": {"e": "IsNotNull", "c": [{"a": 1}]}, "sql": f"a > {number}"})
        for number in range(2, 5_002)
    ]
    document = made(leaf(1, "/in", 1, 2), *filters, save(9_000, 5_001, "a", "b"))
    assert edges(document) == ["* <- in.a INDIRECT FILTER", "a <- in.a DIRECT IDENTITY", "b <- in.b DIRECT IDENTITY"]


def test_an_expression_2000_deep_is_resolved() -> None:
    expression: dict[str, Any] = {"a": 1}
    for _ in range(2_000):
        expression = {"e": "Not", "c": [expression]}
    depth = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)  # only json.dumps of the fixture needs it
    try:
        text = json.dumps(expression)
    finally:
        sys.setrecursionlimit(depth)
    plan = {
        "root": 3,
        "attributes": COLUMNS,
        "nodes": [leaf(1, "/in", 1), node("Filter", 2, 1, condition={"expr": "HERE", "sql": "deep"}), save(3, 2, "a")],
    }
    document = parsed(json.dumps({**HEADING, "analyzed": plan}).replace('"HERE"', text).encode())
    assert edges(document) == ["* <- in.a INDIRECT FILTER", "a <- in.a DIRECT IDENTITY"]


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("(a > 5)", "(a > ?)"),
        ("(s = 'it''s')", "(s = ?)"),
        ("(d >= DATE '2026-01-01')", "(d >= DATE ?)"),
        ("col1 + 1.5e3 + t2.c", "col1 + ? + t2.c"),
        ("round(x, 2L)", "round(x, ?)"),
    ],
)
def test_literals_are_taken_out_of_expressions(sql: str, text: str) -> None:
    assert without_literals(sql) == text


KINDS = st.sampled_from(["Project", "Filter", "Join", "Aggregate", "Union", "Sort", "Window", "Generate", "Expand", "MergeIntoCommand", "AppendData", "View", "CTERelationRef", "UnionLoop", "LateralJoin", "CreateTableAsSelect", "Mystery"])  # fmt: skip
VALUES = st.sampled_from(
    [
        None,
        True,
        "x",
        3,
        [],
        {"plan": 1},
        {"expr": {"a": 1}},
        {"expr": {"a": 77}},
        [{"expr": {"as": 11, "n": "x", "c": [{"a": 1}]}}],
        {"name": ["t"]},
        {"map": {}},
    ]
)
FIELDS = st.dictionaries(
    st.sampled_from(["projectList", "condition", "groupingExpressions", "aggregateExpressions", "order", "generator", "generatorOutput", "projections", "table", "query", "source", "target", "name", "cteId", "id", "right", "windowExpressions"]),
    VALUES,
)  # fmt: skip


@given(st.lists(st.tuples(KINDS, FIELDS, st.sampled_from([None, (), (1,), (11, 12)]), st.integers(0, 3)), max_size=5))
@settings(max_examples=150)
def test_whatever_a_plan_holds_resolving_it_never_raises(
    shapes: list[tuple[str, dict[str, Any], tuple[int, ...] | None, int]],
) -> None:
    nodes = [leaf(1, "/in", 1, 2)]
    for number, (kind, fields, output, children) in enumerate(shapes, start=2):
        nodes.append(node(kind, number, *range(max(1, number - children), number), output=output, **fields))
    nodes.append(save(99, nodes[-1]["id"], "a"))
    records = resolved(made(*nodes))
    assert len(records.executions) == 1


def test_a_pivot_decides_by_its_column_and_not_by_what_the_query_spells_out() -> None:
    sources = Sources()
    column, value = sources.bit(Source("column", 0, "status")), sources.bit(Source("column", 0, "amount"))
    pivoted = RULES["PivotFirst"]((passed(column | sources.literal), passed(value).only(opaque=True)), sources)
    assert (pivoted.conditional, pivoted.direct, pivoted.opaque) == (column, value, value)
    assert pivoted.everything == column | value
    assert pivoted.join == pivoted.filter == pivoted.group_by == 0
