"""What started this run: the variables and settings that orchestrators leave in the driver, as labels and as the parent.

The same table is in the jar, for applications that are not Python. Each variable is one that the named product sets itself;
docs/attaching.md lists them.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

LABELS: dict[str, str] = {
    "airflow.dag_id": "AIRFLOW_CTX_DAG_ID",
    "airflow.task_id": "AIRFLOW_CTX_TASK_ID",
    "airflow.dag_run_id": "AIRFLOW_CTX_DAG_RUN_ID",
    "airflow.try_number": "AIRFLOW_CTX_TRY_NUMBER",
    "airflow.logical_date": "AIRFLOW_CTX_LOGICAL_DATE",
    "airflow.execution_date": "AIRFLOW_CTX_EXECUTION_DATE",
    "airflow.owner": "AIRFLOW_CTX_DAG_OWNER",
    "dagster.job_name": "DAGSTER_RUN_JOB_NAME",
    "dagster.step_key": "DAGSTER_RUN_STEP_KEY",
    "dbt.cloud_project_id": "DBT_CLOUD_PROJECT_ID",
    "dbt.cloud_job_id": "DBT_CLOUD_JOB_ID",
    "dbt.cloud_run_id": "DBT_CLOUD_RUN_ID",
    "dbt.cloud_run_reason": "DBT_CLOUD_RUN_REASON",
    "prefect.flow_run_id": "PREFECT__FLOW_RUN_ID",
    "databricks.job_id": "spark.databricks.job.id",
    "databricks.run_id": "spark.databricks.job.runId",
    "databricks.cluster_id": "spark.databricks.clusterUsageTags.clusterId",
    "databricks.cluster_name": "spark.databricks.clusterUsageTags.clusterName",
    "databricks.runtime": "DATABRICKS_RUNTIME_VERSION",
    "emr.step_id": "EMR_STEP_ID",
    "emr_serverless.application_id": "SERVERLESS_EMR_VIRTUAL_CLUSTER_ID",
    "emr_serverless.job_run_id": "SERVERLESS_EMR_JOB_ID",
}
"""Label -> variable of the environment, or setting of Spark where it begins with `spark.`."""
JOBS = (
    "{airflow.dag_id}.{airflow.task_id}",
    "{airflow.dag_id}",
    "{dagster.job_name}.{dagster.step_key}",
    "{dagster.job_name}",
    "{dbt.cloud_job_id}",
    "{databricks.job_id}",
)
"""The name of the job that started this one: the first of these whose labels are all there."""
RUNS = ("prefect.flow_run_id", "dagster.run_id")
"""Labels that are the id of a run, and a UUID; what is no UUID stays a label."""

_UUID = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FILE_BYTES_MAX = 1 << 20


def labels(spark_conf: Callable[[str], str | None], environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the orchestrator says of itself."""
    environment = os.environ if environment is None else environment
    found = {label: spark_conf(key) if key.startswith("spark.") else environment.get(key) for label, key in LABELS.items()}
    found["dagster.run_id"] = _pipes_run(environment.get("DAGSTER_PIPES_CONTEXT"))
    return {label: value for label, value in found.items() if value}


def parent_of(
    option: str,
    labels: Mapping[str, str],
    spark_conf: Callable[[str], str | None],
    environment: Mapping[str, str] | None = None,
) -> tuple[str | None, str | None]:
    """The parent's (run id, ``namespace/name``), each None where it is not known.

    From the option or ``OPENLINEAGE_PARENT_ID``, both ``namespace/name/run id``; else from what OpenLineage's integrations
    put into Spark's settings; else from the orchestrator's own variables.
    """
    environment = os.environ if environment is None else environment
    parts = (option or environment.get("OPENLINEAGE_PARENT_ID", "")).rsplit("/", 1)
    if len(parts) == 2 and parts[1]:
        return parts[1], parts[0]
    run, job = spark_conf("spark.openlineage.parentRunId"), spark_conf("spark.openlineage.parentJobName")
    if run is not None or job is not None:
        namespace = spark_conf("spark.openlineage.parentJobNamespace")
        return run, job if job is None or namespace is None else f"{namespace}/{job}"
    return _parent_run(labels), _parent_job(labels)


def _parent_run(labels: Mapping[str, str]) -> str | None:
    found = (labels.get(label) for label in RUNS)
    return next((value for value in found if value is not None and _UUID.fullmatch(value)), None)


def _parent_job(labels: Mapping[str, str]) -> str | None:
    for template in JOBS:
        names = re.findall(r"\{([^}]*)\}", template)
        if all(name in labels for name in names):
            return re.sub(r"\{([^}]*)\}", lambda match: labels[match[1]], template)
    return None


def _pipes_run(context: str | None) -> str | None:
    """The run of Dagster Pipes: its variable is Base64 of zlib of JSON, which has the context or names a file with it."""
    if not context:
        return None
    try:
        told = json.loads(zlib.decompress(base64.b64decode(context)))
        if "data" in told:
            told = told["data"]
        elif "path" in told and Path(told["path"]).stat().st_size <= _FILE_BYTES_MAX:
            told = json.loads(Path(told["path"]).read_text(encoding="utf-8"))
        run = told.get("run_id")
    except (ValueError, TypeError, AttributeError, OSError, zlib.error, binascii.Error):
        return None
    return run if isinstance(run, str) and _UUID.fullmatch(run) else None
