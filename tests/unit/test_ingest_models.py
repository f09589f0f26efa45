"""Lineage through a trained model is inferred from what the run did before, whether that came in this batch or an earlier one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from driver_documents import BEGIN_MS, SCAN, Driver, _plan_of_a_save, run_id

import spark_lineage
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
    function = {"e": "ScalaUDF", "c": [{"a": 2}], "p": {"function": "org.apache.spark.ml.PredictionModel$$Lambda$1"}}
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


_FIT = (
    "org.apache.spark.sql.classic.Dataset.rdd(Dataset.scala:1612)\n"
    "org.apache.spark.ml.classification.LogisticRegression.$anonfun$train$1(LogisticRegression.scala:522)"
)


def reading(table: str) -> dict[str, Any]:
    """A query over all of a table of the columns `id` and `amount`."""
    plan = _plan_of_a_save("/data/any")
    leaf = plan["nodes"][0]
    relation = leaf["fields"]["relation"]["relation"]
    relation["paths"] = [f"file:{table}"]
    relation["delta"] = {**relation["delta"], "path": f"file:{table}", "table_id": f"id of {table}"}
    return {**plan, "root": 0, "nodes": [leaf]}


def a_query(driver: Driver, table: str, call_site: str = "collect at job.py:3", **fields: Any) -> None:
    driver.execution(name="rdd", call_site=call_site, analyzed=reading(table), scans=[], commits=[], writes=[], **fields)


def a_save(driver: Driver, **fields: Any) -> None:
    write = {"class": "InsertIntoHadoopFsRelationCommand", "path": f"{_MODEL}/metadata", "format": "text", "rows": 1}
    driver.execution(analyzed=save_of_metadata(), scans=[], commits=[], writes=[write], **fields)


def a_load(driver: Driver) -> None:
    """What ``PipelineModel.load`` posts first."""
    plan = _plan_of_a_save("/data/any")
    leaf = {**plan["nodes"][0], "output": [9]}
    relation = {"class": "HadoopFsRelation", "format": "text", "paths": [f"{_MODEL}/metadata"], "options": {}}
    leaf["fields"] = {"relation": {"relation": relation}}
    query = {"root": 0, "attributes": {"9": ["value", "string", True]}, "nodes": [leaf]}
    call_site = "org.apache.spark.ml.util.DefaultParamsReader$.loadMetadata(ReadWrite.scala:1058)"
    driver.execution(name="head", call_site=call_site, analyzed=query, scans=[], commits=[], writes=[])


def edges_into(store: Path, target: str) -> set[tuple[str | None, str | None, str | None, str]]:
    rows = Store.open(str(store)).arrow("column_lineage", None, f"target_name = '{target}'").to_pylist()
    return {(row["target_column"], row["source_name"], row["source_column"], row["certainty"]) for row in rows}


@pytest.mark.parametrize("batches", [1, 2])
def test_a_model_comes_from_the_columns_that_its_training_read(batches: int, tmp_path: Path) -> None:
    inbox, store = tmp_path / "inbox", tmp_path / "store"
    driver = Driver(inbox, run_id(1))
    driver.start()
    a_query(driver, "/data/unrelated")
    a_query(driver, "/data/features", _FIT)
    if batches == 2:
        ingest(str(inbox), str(store))
    a_save(driver)
    driver.end()
    ingest(str(inbox), str(store))
    assert edges_into(store, "/models/churn") == {
        (None, "/data/features", "id", "inferred"),
        (None, "/data/features", "amount", "inferred"),
    }
    rows = Store.open(str(store)).arrow("dataset_lineage").to_pylist()
    assert {(row["source_name"], row["target_name"]) for row in rows} == {("/data/features", "/models/churn")}


def test_a_training_whose_plan_was_given_up_leaves_all_that_the_run_read(tmp_path: Path) -> None:
    inbox, store = tmp_path / "inbox", tmp_path / "store"
    driver = Driver(inbox, run_id(1))
    driver.start()
    a_query(driver, "/data/before")
    driver.execution(name="rdd", call_site=_FIT, analyzed=None, scans=[SCAN], commits=[], writes=[], incomplete=["too large"])
    a_save(driver)
    driver.end()
    ingest(str(inbox), str(store))
    assert edges_into(store, "/models/churn") == {(None, None, None, "inferred")}
    rows = Store.open(str(store)).arrow("dataset_lineage").to_pylist()
    assert {row["source_name"] for row in rows if row["target_name"] == "/models/churn"} == {"/data/before", "/data/source"}


def test_a_column_leads_through_the_model_to_its_training_in_another_application(tmp_path: Path) -> None:
    inbox, store = tmp_path / "inbox", tmp_path / "store"
    trains = Driver(inbox, run_id(1), "train")
    trains.start()
    a_query(trains, "/data/features", _FIT)
    a_save(trains)
    trains.end()
    scores = Driver(inbox, run_id(2), "score", begin_ms=BEGIN_MS + 100_000)
    scores.start()
    a_load(scores)
    scores.execution("/data/scores", analyzed=scoring("/data/scores"))
    scores.end()
    ingest(str(inbox), str(store))
    lineage = spark_lineage.open(str(store))
    computed = {(node.name, node.column) for node in lineage.upstream("/data/scores.prediction").nodes}
    assert {("/models/churn", None), ("/data/features", "id"), ("/data/features", "amount")} <= computed
    touched = {(node.name, node.column) for node in lineage.downstream("/data/features.amount").nodes}
    assert ("/data/scores", "prediction") in touched


def test_a_column_that_no_model_computes_does_not_lead_to_one(tmp_path: Path) -> None:
    inbox, store = tmp_path / "inbox", tmp_path / "store"
    driver = Driver(inbox, run_id(1))
    driver.start()
    a_query(driver, "/data/features", _FIT)
    a_save(driver)
    plan = scoring("/data/scores")
    plan["nodes"][1]["fields"]["projectList"].insert(0, {"expr": {"a": 1}})
    driver.execution("/data/scores", analyzed=plan)
    driver.end()
    ingest(str(inbox), str(store))
    lineage = spark_lineage.open(str(store))
    kept = {node.name for node in lineage.upstream("/data/scores.id").nodes}
    computed = {node.name for node in lineage.upstream("/data/scores.prediction").nodes}
    assert "/data/source" in kept
    assert not kept & {"/models/churn", "/data/features"}
    assert {"/models/churn", "/data/features"} <= computed


def test_a_job_inside_an_application_saves_what_the_application_trained(tmp_path: Path) -> None:
    inbox, store = tmp_path / "inbox", tmp_path / "store"
    driver = Driver(inbox, run_id(1))
    driver.start()
    a_query(driver, "/data/features", _FIT)
    driver.start_job(run_id(2), "save")
    a_save(driver, run_id=run_id(2))
    driver.end()
    ingest(str(inbox), str(store))
    assert {source for _, source, _, _ in edges_into(store, "/models/churn")} == {"/data/features"}


def test_scores_of_a_model_that_nothing_is_known_of_say_so(tmp_path: Path) -> None:
    inbox, store = tmp_path / "inbox", tmp_path / "store"
    driver = Driver(inbox, run_id(1))
    driver.start()
    driver.execution("/data/scores", analyzed=scoring("/data/scores"))
    driver.end()
    ingest(str(inbox), str(store))
    (execution,) = Store.open(str(store)).arrow("executions").to_pylist()
    assert [reason for reason in execution["incomplete_reasons"] if "model of Spark ML" in reason]
    assert {source for _, source, _, _ in edges_into(store, "/data/scores")} == {"/data/source"}


def test_a_model_that_was_not_saved_lends_its_training_to_what_it_computes(tmp_path: Path) -> None:
    inbox, store = tmp_path / "inbox", tmp_path / "store"
    driver = Driver(inbox, run_id(1))
    driver.start()
    a_query(driver, "/data/saved", _FIT)
    a_save(driver)
    a_query(driver, "/data/not_saved", _FIT)
    driver.execution("/data/scores", analyzed=scoring("/data/scores"))
    driver.end()
    ingest(str(inbox), str(store))
    found = {(source, column) for _, source, column, certainty in edges_into(store, "/data/scores") if certainty == "inferred"}
    assert found == {("/models/churn", None), ("/data/not_saved", "id"), ("/data/not_saved", "amount")}
