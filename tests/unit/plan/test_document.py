from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_lineage.errors import DocumentError
from spark_lineage.plan.document import ExecutionDocument, RunEnd, RunStart, read
from spark_lineage.plan.expressions import Alias, Attribute, Call, Literal, Subquery, walk
from spark_lineage.plan.json_text import _loads_deep, loads
from spark_lineage.plan.values import FileRelation, PlanRef

HEADING = {"format": 1, "application_run_id": "app", "run_id": "run", "sequence": 3, "time_ms": 1_767_225_600_000}


def document(**fields: Any) -> bytes:
    return json.dumps({**HEADING, **fields}).encode()


def plan(*nodes: dict[str, Any], root: int, attributes: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"root": root, "attributes": attributes or {}, "nodes": list(nodes)}


def node(number: int, *children: int, **fields: Any) -> dict[str, Any]:
    return {"id": number, "class": "org.apache.spark.sql.catalyst.plans.logical.Filter", "children": children, "fields": fields}


def execution(analyzed: dict[str, Any]) -> ExecutionDocument:
    found = read(document(kind="execution", analyzed=analyzed))
    assert isinstance(found, ExecutionDocument)
    return found


def test_run_start_keeps_what_is_known_and_leaves_the_rest_none() -> None:
    start = read(
        document(
            kind="run_start",
            application=False,
            job_name="daily",
            arguments=["--day", "1"],
            spark_confs={"spark.app.name": "daily"},
            limits={"datasets_allow": ["*orders*"], "datasets_deny": ["*secret*"], "masking_functions": ["Scramble"]},
            user_name=None,
        )
    )
    assert isinstance(start, RunStart)
    assert (start.application, start.job_name, start.arguments, start.user_name) == (False, "daily", ("--day", "1"), None)
    assert (start.datasets_allow, start.datasets_deny) == (("*orders*",), ("*secret*",))
    assert start.masking_functions == ("Scramble",)


def test_run_end_counts_what_was_dropped() -> None:
    end = read(document(kind="run_end", status="failed", error="boom", last_sequence=2, dropped={"queue full": 4}))
    assert isinstance(end, RunEnd)
    assert (end.status, end.error, end.last_sequence, dict(end.dropped)) == ("failed", "boom", 2, {"queue full": 4})


def test_gzip_and_plain_text_are_read_alike() -> None:
    plain = document(kind="run_end")
    assert read(gzip.compress(plain)) == read(plain)


def test_expressions_and_values_become_typed() -> None:
    found = execution(
        plan(
            node(1, relation={"relation": {"class": "a.HadoopFsRelation", "format": "csv", "paths": ["/x"], "options": {"Path": "/x"}}}),
            node(
                2, 1,
                projectList=[{"expr": {"as": 5, "n": "total", "c": [{"e": "Add", "c": [{"a": 4}, {"l": "1", "t": "int"}]}]}, "sql": "(x + 1)"}],
                condition={"expr": {"e": "Exists", "plan": 1, "c": [{"a": 4}]}},
                query={"plan": 1, "schema": [["x", "int", True]]},
            ),
            root=2,
            attributes={"4": ["x", "int", True]},
        )
    )  # fmt: skip
    assert found.analyzed is not None
    top = found.analyzed.nodes[2]
    stated = top.stated("projectList")[0]
    assert stated.sql == "(x + 1)"
    assert isinstance(stated.expression, Alias)
    assert [type(part) for part in walk(stated.expression)] == [Alias, Call, Attribute, Literal]
    condition = top.expression("condition")
    assert condition is not None
    assert isinstance(condition.expression, Subquery)
    assert top.subqueries == (1,)
    assert top.plans == (1,)
    assert isinstance(top.fields["query"], PlanRef)
    assert found.analyzed.name_of(4) == "x"
    assert found.analyzed.name_of(5) == "total"
    assert found.analyzed.name_of(6) == "#6"
    relation = found.analyzed.nodes[1].relation("relation")
    assert isinstance(relation, FileRelation)
    assert relation.options == {"path": "/x"}


def test_nodes_come_after_those_they_refer_to_whatever_the_order_in_the_file() -> None:
    found = execution(plan(node(3, 2), node(1), node(2, 1), node(9), root=3))
    assert found.analyzed is not None
    assert list(found.analyzed.nodes) == [1, 2, 3]


@pytest.mark.parametrize(
    ("analyzed", "message"),
    [
        (plan(node(1, 2), node(2, 1), root=1), "cyclic"),
        (plan(node(1, 1), root=1), "cyclic"),
        (plan(node(1, query={"plan": 2}), node(2, 1), root=1), "cyclic"),
        (plan(node(1, condition={"expr": {"e": "Exists", "plan": 1}}), root=1), "cyclic"),
        (plan(node(1, 7), root=1), "node 7, which is not there"),
        (plan(node(1), root=2), "root, node 2"),
        (plan(node(1), node(1), root=1), "two nodes numbered 1"),
        (plan(node(1, condition={"expr": {"x": 1}}), root=1), "none of the keys"),
        (plan(node(1, condition={"expr": {"as": 1, "n": "a", "c": []}}), root=1), "0 children"),
        ({"root": 1}, "nodes"),
        ([], "malformed"),
        ({"root": 1, "nodes": [{"id": "1", "class": "a"}]}, "node id"),
    ],
)  # fmt: skip
def test_a_plan_that_makes_no_sense_is_refused_by_name(analyzed: Any, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read(document(kind="execution", analyzed=analyzed))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no JSON"),
        (b"[1]", "not an object"),
        (b'{"format": 1', "no JSON"),
        (gzip.compress(document(kind="run_end"), mtime=0)[:-9], "cut short"),
        (b"\x1f\x8b\x08garbage", "cut short"),
        (b"\xff\xfe{}", "no JSON"),
        (json.dumps({**HEADING, "format": 2, "kind": "run_end"}).encode(), "format 2, this release reads up to 1"),
        (json.dumps({**HEADING, "format": "1", "kind": "run_end"}).encode(), "which is none"),
        (document(kind="surprise"), "unknown kind 'surprise'"),
        (document(), "no kind"),
        (json.dumps({"format": 1, "kind": "run_end"}).encode(), "no application_run_id"),
        (document(kind="execution", scans=[{"path": "/x"}]), "no class"),
        (document(kind="execution", sql_id="7"), "sql_id is '7'"),
    ],
)
def test_bytes_that_are_no_document_are_refused_with_the_cause(data: bytes, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read(data)


def test_a_plan_of_5000_nodes_in_a_row_is_read() -> None:
    nodes = [node(number, *((number - 1,) if number else ())) for number in range(5_000)]
    found = execution(plan(*nodes, root=4_999))
    assert found.analyzed is not None
    assert len(found.analyzed.nodes) == 5_000


def test_an_expression_5000_deep_is_read() -> None:
    text = '{"e": "Not", "c": [' * 5_000 + '{"a": 1}' + "]}" * 5_000
    body = json.dumps({**HEADING, "kind": "execution", "analyzed": plan(node(1, condition={"expr": "HERE"}), root=1)})
    found = read(body.replace('"HERE"', text).encode())
    assert isinstance(found, ExecutionDocument)
    assert found.analyzed is not None
    condition = found.analyzed.nodes[1].expression("condition")
    assert condition is not None
    assert sum(1 for _ in walk(condition.expression)) == 5_001


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=60)
@given(JSON, st.sampled_from([None, 1]))
def test_the_deep_decoder_agrees_with_the_standard_one(value: Any, indent: int | None) -> None:
    assert _loads_deep(json.dumps(value, indent=indent)) == value


@settings(max_examples=60)
@given(JSON.map(json.dumps), st.data())
def test_the_deep_decoder_refuses_what_the_standard_one_refuses(text: str, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(text)))
    broken = text[:position] + data.draw(st.sampled_from([",", "}", "]", '"', ":", "[", "x", ""])) + text[position + 1 :]
    try:
        expected = json.loads(broken)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            _loads_deep(broken)
    else:
        assert _loads_deep(broken) == expected


def test_text_deeper_than_the_standard_decoder_reads() -> None:
    value = loads("[" * 20_000 + "]" * 20_000)
    depth = 0
    while value:
        value, depth = value[0], depth + 1
    assert depth == 19_999
