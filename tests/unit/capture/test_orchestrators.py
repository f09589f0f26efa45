"""What started a run, from the variables that orchestrators set."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path

import pytest

from spark_lineage.capture import orchestrators

RUN = "0197e0a4-5c2e-7d6b-8a53-000000000001"
ROOT = Path(__file__).parents[3]


def told(environment: dict[str, str] | None = None, spark: dict[str, str] | None = None, option: str = "") -> tuple[dict[str, str], str | None, str | None]:  # fmt: skip
    environment, spark = environment or {}, spark or {}
    labels = orchestrators.labels(spark.get, environment)
    return labels, *orchestrators.parent_of(option, labels, spark.get, environment)


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert told() == ({}, None, None)


def test_airflow_names_a_task_and_no_run() -> None:
    environment = {
        "AIRFLOW_CTX_DAG_ID": "nightly",
        "AIRFLOW_CTX_TASK_ID": "sales",
        "AIRFLOW_CTX_DAG_RUN_ID": "scheduled__2026-05-01T00:00:00+00:00",
        "AIRFLOW_CTX_TRY_NUMBER": "2",
    }
    labels, run, job = told(environment)
    assert (run, job) == (None, "nightly.sales")
    assert labels == {
        "airflow.dag_id": "nightly",
        "airflow.task_id": "sales",
        "airflow.dag_run_id": "scheduled__2026-05-01T00:00:00+00:00",
        "airflow.try_number": "2",
    }


def test_prefects_flow_run_is_the_parent() -> None:
    assert told({"PREFECT__FLOW_RUN_ID": RUN}) == ({"prefect.flow_run_id": RUN}, RUN, None)
    assert told({"PREFECT__FLOW_RUN_ID": "no uuid"})[1] is None


@pytest.mark.parametrize("by_file", [False, True])
def test_dagsters_pipes_name_their_run(by_file: bool, tmp_path: Path) -> None:
    context = {"asset_keys": ["sales"], "run_id": RUN, "job_name": "marts"}
    (tmp_path / "context").write_text(json.dumps(context))
    sent = {"path": str(tmp_path / "context")} if by_file else {"data": context}
    variable = base64.b64encode(zlib.compress(json.dumps(sent).encode())).decode()
    labels, run, job = told({"DAGSTER_PIPES_CONTEXT": variable, "DAGSTER_RUN_JOB_NAME": "marts"})
    assert (labels["dagster.run_id"], run, job) == (RUN, RUN, "marts")


@pytest.mark.parametrize("broken", ["!", "aGVsbG8=", base64.b64encode(zlib.compress(b'{"path": "/nonexistent"}')).decode()])
def test_a_broken_context_of_pipes_is_no_failure(broken: str) -> None:
    assert told({"DAGSTER_PIPES_CONTEXT": broken}) == ({}, None, None)


def test_databricks_and_emr() -> None:
    labels, run, job = told({"EMR_STEP_ID": "s-1"}, {"spark.databricks.job.id": "42", "spark.databricks.job.runId": "99"})
    assert labels == {"emr.step_id": "s-1", "databricks.job_id": "42", "databricks.run_id": "99"}
    assert (run, job) == (None, "42")


def test_what_is_said_outright_goes_before_what_is_concluded() -> None:
    airflow = {"AIRFLOW_CTX_DAG_ID": "d", "AIRFLOW_CTX_TASK_ID": "t"}
    openlineage = {
        "spark.openlineage.parentRunId": RUN,
        "spark.openlineage.parentJobName": "d.t",
        "spark.openlineage.parentJobNamespace": "prod",
    }
    assert told(airflow, openlineage)[1:] == (RUN, "prod/d.t")
    assert told({**airflow, "OPENLINEAGE_PARENT_ID": f"ns/job/{RUN}"}, openlineage)[1:] == (RUN, "ns/job")
    assert told({**airflow, "OPENLINEAGE_PARENT_ID": "ns/job/other"}, option=f"a/b/{RUN}")[1:] == (RUN, "a/b")


def test_every_variable_is_documented() -> None:
    text = (ROOT / "docs" / "attaching.md").read_text(encoding="utf-8")
    missing = [key for key in orchestrators.LABELS.values() if f"`{key}`" not in text]
    assert not missing
