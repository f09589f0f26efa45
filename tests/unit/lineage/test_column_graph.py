"""The columns of stored plans: each once, in bounds, and part of a plan's name only where the operators leave something open."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from spark_lineage.lineage import column_graph
from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.model import Execution, Plan, PlanColumn
from spark_lineage.plan.document import ExecutionDocument, read

TESTS = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TESTS.parent / "benchmarks"))

from resolving import document, leaf, node, save, selects  # noqa: E402


def resolved(nodes: list[dict[str, Any]]) -> tuple[Plan, Execution]:
    found = read(document(nodes))
    assert isinstance(found, ExecutionDocument)
    records = records_of_execution(found, RunContext())
    return records.plans[0], records.executions[0]


def columns_of(plan: Plan) -> tuple[PlanColumn, ...]:
    assert plan.columns is not None
    return plan.columns


def item(new: int, old: int, sql: str) -> dict[str, Any]:
    return {"expr": {"as": new, "n": f"c{new}", "c": [{"e": "Upper", "c": [{"a": old}]}]}, "sql": sql}


def test_a_column_that_is_handed_on_is_there_once() -> None:
    """Through a filter, a join, a sort and a rename."""
    condition = {"expr": {"e": "IsNotNull", "c": [{"a": 0}]}, "sql": "c0 IS NOT NULL"}
    plan, _ = resolved([
        leaf(0, range(1)),
        node("Filter", 1, 0, condition=condition),
        leaf(2, range(1, 2)),
        node("Join", 3, 1, 2, joinType="Inner", condition=None),
        node("Project", 4, 3, projectList=[{"expr": {"as": 9, "n": "renamed", "c": [{"a": 0}]}}, {"expr": {"a": 1}}, item(10, 0, "upper('x', c0)")]),
        save(5, 4, 3),
    ])  # fmt: skip
    columns = columns_of(plan)
    assert [(one.column, one.kind, one.name, one.expression, one.inputs, one.target) for one in columns] == [
        (0, "InsertIntoHadoopFsRelationCommand", "c0", None, (3,), "c0"),
        (1, "InsertIntoHadoopFsRelationCommand", "c1", None, (4,), "c1"),
        (2, "InsertIntoHadoopFsRelationCommand", "c2", None, (5,), "c2"),
        (3, "LogicalRelation", "c0", None, (), None),
        (4, "LogicalRelation", "c1", None, (), None),
        (5, "Project", "c10", "upper(?, c0)", (3,), None),
    ]
    kinds = {operator.id: operator.kind for operator in plan.operators}
    assert all(one.operator is not None and kinds[one.operator] == one.kind for one in columns)
    assert [(one.source_kind, [source.column for source in one.sources]) for one in columns[3:]] == [
        ("column", ["c0"]), ("column", ["c1"]), (None, []),
    ]  # fmt: skip


def test_every_number_is_the_columns_place() -> None:
    plan, execution = resolved(selects(20, 5))
    columns = columns_of(plan)
    assert [one.column for one in columns] == list(range(len(columns)))
    assert len(columns) == 20 * (5 + 2)
    assert all(number < len(columns) for one in columns for number in one.inputs)
    assert execution.completeness == "complete"


def test_a_plan_of_very_many_columns_keeps_those_nearest_to_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_graph, "LARGEST", 10_000)
    plan, execution = resolved(selects(20, 10))
    columns = columns_of(plan)
    assert 20 < len(columns) < 20 * (10 + 2)
    assert [one.target for one in columns[:20]] == [f"c{number}" for number in range(20)]
    assert all(one.inputs == (20 + one.column,) for one in columns[:20])
    assert any(number >= len(columns) for one in columns for number in one.inputs)
    size = sum(len(str(value)) for one in columns for value in (one.kind, one.name, one.expression, one.target) if value)
    assert size < 10_000
    assert [reason.split(":")[0] for reason in execution.incomplete_reasons] == ["explain"]
    assert execution.completeness == "complete"


def test_plans_whose_texts_are_the_same_are_told_apart_by_their_columns() -> None:
    """A column of either side of a join, taken by a name that both have."""

    def joined(taken: int) -> dict[str, Any]:
        nodes = [
            leaf(0, range(1)),
            leaf(1, range(1, 2)),
            node("Join", 2, 0, 1, joinType="Inner", condition=None),
            node("Project", 3, 2, projectList=[{"expr": {"a": taken}}]),
            save(4, 3, 1),
        ]
        plan = {"root": 4, "attributes": {"0": ["x", "int", True], "1": ["x", "int", True]}, "nodes": nodes}
        heading = {
            "format": 1,
            "kind": "execution",
            "application_run_id": "a",
            "run_id": "r",
            "sequence": 1,
            "time_ms": 1,
            "sql_id": 1,
        }
        return {**heading, "name": "command", "analyzed": plan}

    plans: list[Plan] = []
    for taken in (0, 1):
        found = read(json.dumps(joined(taken)).encode())
        assert isinstance(found, ExecutionDocument)
        plans += records_of_execution(found, RunContext()).plans
    assert plans[0].operators == plans[1].operators
    assert plans[0].plan_id != plans[1].plan_id
