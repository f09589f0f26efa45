"""Columns that the query of a write leaves out: what the table's schema says of them, and what where it says nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from spark_lineage.lineage.resolve import RunContext, records_of_execution
from spark_lineage.plan.document import ExecutionDocument, read

TESTS = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TESTS))

from plans.lines import described  # noqa: E402


def test_an_expression_that_was_not_parsed_may_use_every_column() -> None:
    content = _captured("insert_filled")
    _commit(content)["generated"]["taxed"] = {"sql": "my_own(amount)"}
    found = _described(content)
    assert [edge for edge in found["edges"] if edge.startswith("taxed")] == [
        "taxed <- orders.amount DIRECT TRANSFORMATION unknown",
        "taxed <- orders.order_id DIRECT TRANSFORMATION unknown",
        "taxed <- unknown DIRECT TRANSFORMATION unknown",
    ]
    assert found["incomplete"] == ["column taxed: what the table computes it from was not understood"]


def test_an_expression_that_names_what_is_not_there_is_not_understood() -> None:
    content = _captured("insert_filled")
    _commit(content)["generated"]["taxed"]["expr"] = _name("no_such_column")
    assert _described(content)["incomplete"] == ["column taxed: what the table computes it from was not understood"]


def test_a_function_may_be_written_as_a_column_is() -> None:
    content = _captured("insert_filled")
    _commit(content)["defaults"]["made_at"] = {"expr": _name("CURRENT_DATE"), "sql": "CURRENT_DATE"}
    assert "made_at <- generated DIRECT IDENTITY" in _described(content)["edges"]


def test_a_column_of_the_table_is_found_whatever_its_case_and_a_field_of_it_by_its_path() -> None:
    content = _captured("insert_computed")
    _commit(content)["generated"]["town"] = {"expr": _name("ADDRESS", "zip"), "sql": "ADDRESS.zip"}
    assert "town <- people.address.zip DIRECT IDENTITY" in _described(content)["edges"]


def test_a_document_that_tells_nothing_of_the_table_has_edges_for_what_is_given_alone() -> None:
    content = _captured("insert_filled")
    for field in ("generated", "defaults", "identity", "columns"):
        _commit(content).pop(field)
    assert _described(content)["edges"] == [
        "amount <- orders.amount DIRECT IDENTITY",
        "order_id <- orders.order_id DIRECT IDENTITY",
    ]


def test_the_column_with_the_keys_of_samples_comes_from_the_key() -> None:
    content = _captured("insert_filled")
    path = _commit(content)["path"]
    _commit(content)["columns"].append(["_lineage", "bigint", True])
    before = _described(content)["edges"]
    content["sample_columns"] = [{"path": path, "column": "_lineage", "fraction": "0.1", "key": ["order_id"]}]
    after = _described(content)["edges"]
    assert set(before) - set(after) == {"_lineage <- literal DIRECT IDENTITY"}, "without it: NULL"
    assert set(after) - set(before) == {"_lineage <- orders.order_id DIRECT TRANSFORMATION masked"}


def _captured(case: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((TESTS / "plans" / case / "plan.json").read_bytes())
    return content


def _commit(content: dict[str, Any]) -> dict[str, Any]:
    commit: dict[str, Any] = content["commits"][-1]
    return commit


def _name(*parts: str) -> dict[str, Any]:
    return {"e": "org.apache.spark.sql.catalyst.analysis.UnresolvedAttribute", "p": {"nameParts": list(parts)}}


def _described(content: dict[str, Any]) -> dict[str, Any]:
    document = read(json.dumps(content).encode())
    assert isinstance(document, ExecutionDocument)
    return described(records_of_execution(document, RunContext(job_name="job")))
