"""Lineage through a trained model is inferred from what the run did before, whether that came in this batch or an earlier one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from driver_documents import Driver, _plan_of_a_save, run_id

from spark_lineage.cli import main
from spark_lineage.ingest import ingest
from spark_lineage.store.tables import Store

_WRITE = "org.apache.spark.sql.execution.datasources.InsertIntoHadoopFsRelationCommand"
_MODEL = "file:/models/churn/version=2"


def save_of_metadata() -> dict[str, Any]:
    """What ``model.save("/models/churn/version=2")`` posts first: one line of text out of the driver's memory."""
    local = {
        "id": 0,
        "class": "org.apache.spark.sql.catalyst.plans.logical.LocalRelation",
        "children": [],
        "output": [9],
        "fields": {},
    }
    fields = {
        "outputPath": {"path": f"{_MODEL}/metadata"},
        "fileFormat": {"object": "org.apache.spark.sql.execution.datasources.text.TextFileFormat"},
        "mode": "ErrorIfExists",
    }
    write = {"id": 1, "class": _WRITE, "children": [0], "output": [], "fields": fields}
    return {"root": 1, "attributes": {"9": ["value", "string", True]}, "nodes": [local, write]}


def scoring(table: str) -> dict[str, Any]:
    """A save whose query calls a function of Spark ML."""
    plan = _plan_of_a_save(table)
    leaf, save = plan["nodes"]
    function = {"e": "ScalaUDF", "c": [{"a": 2}], "p": {"function": "org.apache.spark.ml.classification.Model$$Lambda$1"}}
    project = {
        "id": 2,
        "class": "org.apache.spark.sql.catalyst.plans.logical.Project",
        "children": [0],
        "fields": {"projectList": [{"expr": {"as": 3, "n": "prediction", "c": [function]}}]},
    }
    save["fields"]["query"] = {"plan": 2}
    return {**plan, "nodes": [leaf, project, save]}


@pytest.mark.parametrize("batches", [1, 2])
def test_inferred_through_the_model(batches: int, tmp_path: Path) -> None:
    inbox, store = tmp_path / "inbox", tmp_path / "store"
    driver = Driver(inbox, run_id(1))
    driver.start()
    driver.execution("/data/unrelated")
    write = {"class": "InsertIntoHadoopFsRelationCommand", "path": f"{_MODEL}/metadata", "format": "text", "rows": 1}
    driver.execution(analyzed=save_of_metadata(), scans=[], commits=[], writes=[write])
    if batches == 2:
        ingest(str(inbox), str(store))
    driver.execution("/data/scores", analyzed=scoring("/data/scores"))
    driver.end()
    ingest(str(inbox), str(store))
    rows = Store.open(str(store)).arrow("dataset_lineage").to_pylist()
    edges = {(row["source_name"], row["target_name"], row["certainty"]) for row in rows}
    assert ("/data/source", "/models/churn", "inferred") in edges
    assert ("/models/churn", "/data/scores", "inferred") in edges
    assert ("/data/source", "/data/scores", "plan") in edges
    outputs = Store.open(str(store)).arrow("outputs").to_pylist()
    assert [row["fingerprint"] for row in outputs if row["name"] == "/models/churn"] == ["version=2"]


def test_show_tells_the_version_of_a_model_and_its_parts_once(tmp_path: Path) -> None:
    inbox, store = tmp_path / "inbox", tmp_path / "store"
    driver = Driver(inbox, run_id(1))
    driver.start()
    write = {"class": "InsertIntoHadoopFsRelationCommand", "path": f"{_MODEL}/metadata", "format": "text", "rows": 1}
    for _ in range(3):
        driver.execution(analyzed=save_of_metadata(), scans=[], commits=[], writes=[write])
    driver.execution("/data/sales")
    driver.end()
    ingest(str(inbox), str(store))
    shown = CliRunner().invoke(main, ["--store", str(store), "show", "last"])
    assert shown.exit_code == 0
    assert "1-3. save model  3 times, succeeded" in shown.stdout
    assert "wrote /models/churn@version=2" in shown.stdout
    assert shown.stdout.count("save model") == 1
    assert "\n4. append" in shown.stdout
